//! An instance's keyed tables in layers: all of them, and what has changed since, time and again.
//!
//! ```text
//!   whole   a=1 b=2 c=3
//!   change      b=5       removed: c
//!   change  a cleared            d=7
//!   ──────────────────────────────────
//!   merged      b=5               d=7
//! ```
//!
//! Within a layer removals come before entries: a key that went and came back is there.

use super::entries::Entries;
use super::schemas;
use super::snapshot::{StateSnapshot, TableSnapshot};
use crate::collections::HashSet;
use crate::data::KeySpan;
use crate::error::{Error, Result};

/// One table of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerTable {
    /// Its declared name.
    pub name: String,
    /// Key group and canonical bytes of keys that have nothing in this table any more.
    pub cleared: Entries,
    /// What was written since the layer below, as in a snapshot.
    pub entries: Entries,
}

/// What has changed in an instance's keyed tables since the layer below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateLayer {
    /// Whether there is no layer below: it has all there is.
    pub whole: bool,
    /// Key group and canonical bytes of keys that have nothing in any table any more.
    pub removed: Entries,
    /// The tables.
    pub tables: Vec<LayerTable>,
}

impl StateLayer {
    /// How many entries and removals it holds.
    pub fn len(&self) -> usize {
        let tables = self.tables.iter();
        let held = tables.map(|table| table.cleared.len() + table.entries.len());
        self.removed.len() + held.sum::<usize>()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its entries and removals.
    pub fn bytes(&self) -> usize {
        let tables = self.tables.iter();
        let held = tables.flat_map(|table| [&table.cleared, &table.entries]);
        let all = std::iter::once(&self.removed).chain(held);
        all.map(|entries| entries.as_bytes().len()).sum()
    }

    fn table(&self, name: &str) -> Option<&LayerTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// Fills the tables of a snapshot that lie in layers, oldest layer first.
///
/// # Errors
/// `Corrupt` if the layers are not those of the snapshot.
pub fn merge_layers(snapshot: &mut StateSnapshot, layers: &[StateLayer]) -> Result<()> {
    let Some((base, changes)) = layers.split_first() else {
        return Ok(());
    };
    if !base.whole || changes.iter().any(|layer| layer.whole) {
        return Err(Error::corrupt(
            "the first layer of a state is not the whole of it, or not the only one",
        ));
    }
    let named = layers.iter().flat_map(|layer| &layer.tables);
    for name in named.map(|table| &table.name) {
        if snapshot.tables.iter().all(|table| table.name != *name) {
            return Err(Error::corrupt(format!(
                "a layer holds state `{name}`, of which the state itself does not know"
            )));
        }
    }
    for table in &mut snapshot.tables {
        if base.table(&table.name).is_some() {
            merge_table(table, layers)
                .map_err(|error| error.context(format!("state `{}`", table.name)))?;
        }
    }
    Ok(())
}

/// From the newest layer to the oldest: the first that says something of a key is right. Only the
/// keys of changes are remembered, not those of the whole.
fn merge_table(table: &mut TableSnapshot, layers: &[StateLayer]) -> Result<()> {
    let key = schemas::stored_key(&table.schema)
        .ok_or_else(|| Error::corrupt("a layer holds a table without keys"))?;
    let key = KeySpan::of(key)?;
    let mut known: HashSet<&[u8]> = HashSet::default();
    for layer in layers.iter().rev() {
        let held = layer.table(&table.name);
        let entries = held.into_iter().flat_map(|held| held.entries.iter());
        for (group, entry) in entries {
            let (key, _) = key.split(entry)?;
            let is_new = match layer.whole {
                true => !known.contains(key),
                false => known.insert(key),
            };
            if is_new {
                table.entries.push(group, entry);
            }
        }
        let cleared = held.into_iter().flat_map(|held| held.cleared.iter());
        known.extend(layer.removed.iter().chain(cleared).map(|(_, key)| key));
    }
    Ok(())
}

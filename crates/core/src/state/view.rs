//! State that is about to be written, whether it is encoded by now or not.

use super::bits::Bits;
use super::entries::Entries;
use super::entry_writer::EntryWriter;
use super::frozen::{FrozenEntries, FrozenSlots};
use super::layers::{LayerTable, StateLayer};
use super::snapshot::{Redistribution, StateSnapshot, StoreSnapshot, TableSnapshot};
use crate::data::Schema;
use crate::error::Result;

/// Which entries there are to write.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// None.
    None,
    /// All of a table.
    All(&'a dyn FrozenEntries),
    /// Those of some slots.
    Slots(&'a dyn FrozenSlots, &'a Bits),
    /// The keys of some slots that have no entry any more.
    Cleared(&'a dyn FrozenSlots, &'a Bits),
}

/// One state of an operator instance.
pub struct TableView<'a> {
    /// Its declared name.
    pub name: &'a str,
    /// How it moves.
    pub redistribution: Redistribution,
    /// The writer's shape.
    pub schema: &'a Schema,
    /// Its entries.
    pub content: Content<'a>,
}

/// All state of one operator instance.
pub struct StateView<'a> {
    /// One a declared state, and one a timer domain.
    pub tables: Vec<TableView<'a>>,
    /// Its stores.
    pub stores: Vec<StoreSnapshot>,
}

/// One table of a layer.
pub struct LayerTableView<'a> {
    /// Its declared name.
    pub name: &'a str,
    /// The keys that have nothing in this table any more.
    pub cleared: Content<'a>,
    /// What was written since the layer below.
    pub entries: Content<'a>,
}

/// A layer of an operator instance's keyed state.
pub struct LayerView<'a> {
    /// Whether there is no layer below: it has all there is.
    pub whole: bool,
    /// The keys that have nothing in any table any more.
    pub removed: Content<'a>,
    /// The tables.
    pub tables: Vec<LayerTableView<'a>>,
}

impl Content<'_> {
    /// Writes the entries to `next` in blocks, none of which is empty. Returns how many there are.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn write(&self, next: &mut dyn FnMut(&Entries) -> Result<()>) -> Result<usize> {
        let mut out = EntryWriter::new(next);
        match self {
            Content::None => {}
            Content::All(entries) => entries.write(&mut out)?,
            Content::Slots(table, slots) => table.write_slots(slots, &mut out)?,
            Content::Cleared(table, slots) => table.write_cleared(slots, &mut out)?,
        }
        out.finish()
    }

    /// The entries.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode(&self) -> Result<Entries> {
        let mut all = Entries::default();
        self.write(&mut |block| {
            all.append(block);
            Ok(())
        })?;
        Ok(all)
    }
}

impl StateView<'_> {
    /// The state in memory.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode(&self) -> Result<StateSnapshot> {
        let encode = |table: &TableView<'_>| {
            Ok(TableSnapshot {
                name: table.name.to_owned(),
                redistribution: table.redistribution,
                schema: table.schema.clone(),
                entries: table.content.encode()?,
            })
        };
        Ok(StateSnapshot {
            tables: self.tables.iter().map(encode).collect::<Result<_>>()?,
            stores: self.stores.clone(),
        })
    }
}

impl LayerView<'_> {
    /// The layer in memory.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode(&self) -> Result<StateLayer> {
        let encode = |table: &LayerTableView<'_>| {
            Ok(LayerTable {
                name: table.name.to_owned(),
                cleared: table.cleared.encode()?,
                entries: table.entries.encode()?,
            })
        };
        Ok(StateLayer {
            whole: self.whole,
            removed: self.removed.encode()?,
            tables: self.tables.iter().map(encode).collect::<Result<_>>()?,
        })
    }
}

impl<'a> From<&'a StateSnapshot> for StateView<'a> {
    fn from(snapshot: &'a StateSnapshot) -> Self {
        let view = |table: &'a TableSnapshot| TableView {
            name: &table.name,
            redistribution: table.redistribution,
            schema: &table.schema,
            content: Content::All(&table.entries),
        };
        StateView {
            tables: snapshot.tables.iter().map(view).collect(),
            stores: snapshot.stores.clone(),
        }
    }
}

impl<'a> From<&'a StateLayer> for LayerView<'a> {
    fn from(layer: &'a StateLayer) -> Self {
        let view = |table: &'a LayerTable| LayerTableView {
            name: &table.name,
            cleared: Content::All(&table.cleared),
            entries: Content::All(&table.entries),
        };
        LayerView {
            whole: layer.whole,
            removed: Content::All(&layer.removed),
            tables: layer.tables.iter().map(view).collect(),
        }
    }
}

//! State of which every instance of an operator has an equal copy: what came in by broadcast.

use std::any::Any;
use std::sync::Arc;

use super::entry_writer::EntryWriter;
use super::frozen::{Freezing, FrozenEntries};
use super::key_index::ErasedKeyIndex;
use super::registry::StateRegistry;
use super::slot::Slot;
use super::table::{StateTable, TableHandle};
use crate::collections::HashMap;
use crate::data::{Data, Key, Schema, from_bytes};
use crate::error::Result;
use crate::operator::{BroadcastContext, Context};

/// The entries of a broadcast state. A frozen copy shares them until the next write.
pub(super) struct BroadcastTable<K, V> {
    entries: Arc<HashMap<K, V>>,
}

impl<K, V> Default for BroadcastTable<K, V> {
    fn default() -> Self {
        BroadcastTable {
            entries: Arc::default(),
        }
    }
}

struct FrozenBroadcast<K, V>(Arc<HashMap<K, V>>);

impl<K: Key, V: Data> FrozenEntries for FrozenBroadcast<K, V> {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        let encoded = self.0.iter().map(|(key, value)| {
            let mut bytes = Vec::new();
            key.encode(&mut bytes);
            value.encode(&mut bytes);
            bytes
        });
        let mut encoded: Vec<Vec<u8>> = encoded.collect();
        // Copies are equal whatever the order in which their entries came.
        encoded.sort_unstable();
        encoded.iter().try_for_each(|bytes| out.push(None, bytes))
    }
}

impl<K: Key, V: Data> StateTable for BroadcastTable<K, V> {
    fn schema(&self) -> Schema {
        <(K, V)>::schema()
    }

    fn freeze(&mut self, _: &Freezing) -> Arc<dyn FrozenEntries> {
        Arc::new(FrozenBroadcast(self.entries.clone()))
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let (key, value) = from_bytes(entry)?;
        Arc::make_mut(&mut self.entries).insert(key, value);
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl StateRegistry {
    /// Declares a map of which every instance has an equal copy: for operators with a broadcast
    /// input.
    pub fn broadcast<K: Key, V: Data>(&mut self, name: &str) -> BroadcastState<K, V> {
        let table = BroadcastTable::<K, V>::default();
        BroadcastState::new(self.broadcast_table(name, table))
    }
}

/// A map of which every instance of an operator has an equal copy.
///
/// Only [`process_broadcast`](crate::operator::BroadcastOperator::process_broadcast) may write it:
/// every instance gets the same broadcast records, and a write that depends on anything else would
/// make copies differ. Everything may read it. It is kept in memory, and written to a checkpoint
/// once an instance.
///
/// The order of iteration is not specified.
///
/// # Examples
/// The other side has a context that cannot write:
/// ```compile_fail,E0308
/// # use thalweg_core::operator::Context;
/// # use thalweg_core::state::BroadcastState;
/// fn process(rules: &BroadcastState<u32, i64>, ctx: &mut Context) {
///     rules.insert(ctx, 1, 5);
/// }
/// ```
///
/// # Source
/// Flink `BroadcastState`.
pub struct BroadcastState<K, V> {
    table: TableHandle<BroadcastTable<K, V>>,
}

impl<K: Key, V: Data> BroadcastState<K, V> {
    pub(super) fn new(table: TableHandle<BroadcastTable<K, V>>) -> Self {
        BroadcastState { table }
    }

    fn entries<'a>(&self, ctx: &'a Context) -> &'a HashMap<K, V> {
        &ctx.states().get(&self.table).entries
    }

    fn entries_mut<'a>(&self, ctx: &'a mut BroadcastContext<'_>) -> &'a mut HashMap<K, V> {
        let table = ctx.states_mut().get_mut(&self.table);
        Arc::make_mut(&mut table.entries)
    }

    /// The value under `key`.
    pub fn get<'a>(&self, ctx: &'a Context, key: &K) -> Option<&'a V> {
        self.entries(ctx).get(key)
    }

    /// Whether there is a value under `key`.
    pub fn contains(&self, ctx: &Context, key: &K) -> bool {
        self.entries(ctx).contains_key(key)
    }

    /// The entries.
    pub fn iter<'a>(&self, ctx: &'a Context) -> impl Iterator<Item = (&'a K, &'a V)> {
        self.entries(ctx).iter()
    }

    /// How many entries there are.
    pub fn len(&self, ctx: &Context) -> usize {
        self.entries(ctx).len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self, ctx: &Context) -> bool {
        self.entries(ctx).is_empty()
    }

    /// Puts a value under `key` and returns the one before.
    pub fn insert(&self, ctx: &mut BroadcastContext<'_>, key: K, value: V) -> Option<V> {
        self.entries_mut(ctx).insert(key, value)
    }

    /// The value under `key` for changing it in place, first created by `default` if there is none.
    pub fn get_or_insert_with<'a>(
        &self,
        ctx: &'a mut BroadcastContext<'_>,
        key: K,
        default: impl FnOnce() -> V,
    ) -> &'a mut V {
        self.entries_mut(ctx).entry(key).or_insert_with(default)
    }

    /// Removes and returns the value under `key`.
    pub fn remove(&self, ctx: &mut BroadcastContext<'_>, key: &K) -> Option<V> {
        self.entries_mut(ctx).remove(key)
    }

    /// Removes all entries.
    pub fn clear(&self, ctx: &mut BroadcastContext<'_>) {
        self.entries_mut(ctx).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Content, Entries};

    fn frozen(table: &mut BroadcastTable<String, i64>) -> Entries {
        let freezing = Freezing {
            keys: None,
            max_parallelism: 1,
            now: crate::time::ProcessingTime(0),
        };
        let frozen = table.freeze(&freezing);
        Content::All(frozen.as_ref()).encode().unwrap()
    }

    fn put(table: &mut BroadcastTable<String, i64>, key: &str, value: i64) {
        Arc::make_mut(&mut table.entries).insert(key.to_owned(), value);
    }

    #[test]
    fn copies_have_equal_bytes_whatever_the_order_of_their_entries() {
        let (mut one, mut other) = (BroadcastTable::default(), BroadcastTable::default());
        for at in 0..100 {
            put(&mut one, &format!("key {at}"), at);
            put(&mut other, &format!("key {}", 99 - at), 99 - at);
        }
        assert_eq!(frozen(&mut one), frozen(&mut other));
        let mut back = BroadcastTable::<String, i64>::default();
        for (_, entry) in frozen(&mut one).iter() {
            back.restore(entry, None, &mut |_| {}).unwrap();
        }
        assert_eq!(back.entries, one.entries);
    }

    #[test]
    fn what_is_frozen_does_not_change() {
        let mut table = BroadcastTable::default();
        put(&mut table, "a", 1);
        let freezing = Freezing {
            keys: None,
            max_parallelism: 1,
            now: crate::time::ProcessingTime(0),
        };
        let before = table.freeze(&freezing);
        put(&mut table, "a", 2);
        let entries = Content::All(before.as_ref()).encode().unwrap();
        let bytes = crate::data::to_bytes(&("a".to_owned(), 1i64));
        let expected: Entries = [(None, bytes)].into_iter().collect();
        assert_eq!(entries, expected);
    }
}

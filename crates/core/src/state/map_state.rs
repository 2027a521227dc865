//! Keyed map state.

use super::handle::ValueState;
use super::keyed_state::keyed_state;
use super::registry::StateRegistry;
use super::slot_table::SlotTable;
use super::table::TableHandle;
use crate::collections::HashMap;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::operator::Context;

impl StateRegistry {
    /// Declares a map of each key.
    pub fn map<K: Key, V: Data>(&mut self, name: &str) -> MapState<K, V> {
        MapState::new(self.keyed::<HashMap<K, V>>(name))
    }
}

/// A map a key. An empty map and no map are the same.
///
/// The order of iteration is not specified, but the same for the same history.
pub struct MapState<K, V> {
    map: ValueState<HashMap<K, V>>,
}

impl<K: Key, V: Data> MapState<K, V> {
    pub(super) fn new(table: TableHandle<SlotTable<HashMap<K, V>>>) -> Self {
        MapState {
            map: ValueState::new(table),
        }
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn get<'a>(&self, ctx: &'a Context, key: &K) -> Result<Option<&'a V>> {
        Ok(self.map.get(ctx)?.and_then(|map| map.get(key)))
    }

    /// Puts a value under `key` and returns the one before.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn insert(&self, ctx: &mut Context, key: K, value: V) -> Result<Option<V>> {
        Ok(self
            .map
            .get_or_insert_with(ctx, HashMap::default)?
            .insert(key, value))
    }

    /// Removes and returns the value under `key`.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn remove(&self, ctx: &mut Context, key: &K) -> Result<Option<V>> {
        if self.map.get(ctx)?.is_none() {
            return Ok(None);
        }
        let map = self.map.get_or_insert_with(ctx, HashMap::default)?;
        let removed = map.remove(key);
        if map.is_empty() {
            self.map.clear(ctx)?;
        }
        Ok(removed)
    }

    /// The entries.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn iter<'a>(&self, ctx: &'a Context) -> Result<impl Iterator<Item = (&'a K, &'a V)>> {
        Ok(self.map.get(ctx)?.into_iter().flatten())
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn len(&self, ctx: &Context) -> Result<usize> {
        Ok(self.map.get(ctx)?.map_or(0, |map| map.len()))
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn is_empty(&self, ctx: &Context) -> Result<bool> {
        Ok(self.len(ctx)? == 0)
    }

    /// Removes the map.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.map.clear(ctx)
    }
}

keyed_state!([K: Key, V: Data] MapState<K, V>, map);

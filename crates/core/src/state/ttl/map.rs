//! Keyed map state with a time to live.

use super::handle::{TtlHandle, timed};
use super::table::Timed;
use crate::collections::HashMap;
use crate::data::{Data, Key};
use crate::error::Result;
use crate::operator::Context;
use crate::state::keyed_state::keyed_state;

/// A map a key, whose entries expire one by one. An empty map and no map are the same.
///
/// The order of iteration is not specified, but the same for the same history.
pub struct TtlMapState<K, V> {
    map: TtlHandle<HashMap<K, Timed<V>>>,
}

impl<K: Key, V: Data> TtlMapState<K, V> {
    pub(super) fn new(map: TtlHandle<HashMap<K, Timed<V>>>) -> Self {
        TtlMapState { map }
    }

    /// The value under `key`, if it is not expired.
    ///
    /// # Errors
    /// As [`crate::state::ValueState::get`].
    pub fn get<'a>(&self, ctx: &'a mut Context, key: &K) -> Result<Option<&'a V>> {
        let now_ms = ctx.now().millis();
        // Only the entry is examined: a read of one does not go over the whole map.
        let stored = self.map.stored(ctx)?.and_then(|map| map.get(key));
        if stored.is_some_and(|timed| self.map.is_hidden(timed, now_ms)) {
            self.take(ctx, key)?;
            return Ok(None);
        }
        let Some(timed) = self.map.stored(ctx)?.and_then(|map| map.get_mut(key)) else {
            return Ok(None);
        };
        self.map.read(timed, now_ms);
        Ok(Some(&timed.value))
    }

    /// Puts a value under `key`, whose life begins, and returns the one before if it is not
    /// expired.
    ///
    /// # Errors
    /// As [`TtlMapState::get`].
    pub fn insert(&self, ctx: &mut Context, key: K, value: V) -> Result<Option<V>> {
        let timed = timed(ctx, value);
        let before = self
            .map
            .stored_or(ctx, HashMap::default)?
            .insert(key, timed);
        Ok(self.unhidden(ctx, before))
    }

    /// Removes and returns the value under `key`, if it is not expired.
    ///
    /// # Errors
    /// As [`TtlMapState::get`].
    pub fn remove(&self, ctx: &mut Context, key: &K) -> Result<Option<V>> {
        let removed = self.take(ctx, key)?;
        Ok(self.unhidden(ctx, removed))
    }

    fn take(&self, ctx: &mut Context, key: &K) -> Result<Option<Timed<V>>> {
        let Some(map) = self.map.stored(ctx)? else {
            return Ok(None);
        };
        let removed = map.remove(key);
        if map.is_empty() {
            self.map.take(ctx)?;
        }
        Ok(removed)
    }

    fn unhidden(&self, ctx: &Context, timed: Option<Timed<V>>) -> Option<V> {
        let now_ms = ctx.now().millis();
        timed
            .filter(|timed| !self.map.is_hidden(timed, now_ms))
            .map(|timed| timed.value)
    }

    /// The entries that are not expired.
    ///
    /// # Errors
    /// As [`TtlMapState::get`].
    pub fn iter<'a>(&self, ctx: &'a mut Context) -> Result<impl Iterator<Item = (&'a K, &'a V)>> {
        let now_ms = ctx.now().millis();
        let mut found = self.map.visible(ctx)?;
        for timed in found.iter_mut().flat_map(|map| map.values_mut()) {
            self.map.read(timed, now_ms);
        }
        let entries = found.into_iter().flat_map(|map| map.iter());
        Ok(entries.map(|(key, timed)| (key, &timed.value)))
    }

    /// How many entries are not expired. No entry lives on because it was counted.
    ///
    /// # Errors
    /// As [`TtlMapState::get`].
    pub fn len(&self, ctx: &mut Context) -> Result<usize> {
        Ok(self.map.visible(ctx)?.map_or(0, |map| map.len()))
    }

    /// Whether all entries are expired, or there is none.
    ///
    /// # Errors
    /// As [`TtlMapState::get`].
    pub fn is_empty(&self, ctx: &mut Context) -> Result<bool> {
        Ok(self.len(ctx)? == 0)
    }

    /// Removes the map.
    ///
    /// # Errors
    /// As [`TtlMapState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.map.take(ctx).map(drop)
    }
}

keyed_state!([K: Key, V: Data] TtlMapState<K, V>, map);

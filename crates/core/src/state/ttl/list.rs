//! Keyed list state with a time to live.

use super::handle::{TtlHandle, timed};
use super::table::Timed;
use crate::data::Data;
use crate::error::Result;
use crate::operator::Context;
use crate::state::keyed_state::keyed_state;

/// A list a key, whose elements expire one by one. An empty list and no list are the same.
pub struct TtlListState<T> {
    list: TtlHandle<Vec<Timed<T>>>,
}

impl<T: Data> TtlListState<T> {
    pub(super) fn new(list: TtlHandle<Vec<Timed<T>>>) -> Self {
        TtlListState { list }
    }

    /// The elements that are not expired, in order of addition.
    ///
    /// # Errors
    /// As [`crate::state::ValueState::get`].
    pub fn get<'a>(&self, ctx: &'a mut Context) -> Result<impl Iterator<Item = &'a T>> {
        let now_ms = ctx.now().millis();
        let mut found = self.list.visible(ctx)?;
        for timed in found.iter_mut().flat_map(|list| list.iter_mut()) {
            self.list.read(timed, now_ms);
        }
        let elements = found.map_or(&[] as &[Timed<T>], |list| list.as_slice());
        Ok(elements.iter().map(|timed| &timed.value))
    }

    /// Appends an element; its life begins.
    ///
    /// # Errors
    /// As [`TtlListState::get`].
    pub fn add(&self, ctx: &mut Context, value: T) -> Result<()> {
        let timed = timed(ctx, value);
        self.list.stored_or(ctx, Vec::new)?.push(timed);
        Ok(())
    }

    /// Replaces the whole list; the life of all its elements begins.
    ///
    /// # Errors
    /// As [`TtlListState::get`].
    pub fn update(&self, ctx: &mut Context, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return self.clear(ctx);
        }
        let values = values.into_iter().map(|value| timed(ctx, value)).collect();
        self.list.set(ctx, values)
    }

    /// Removes the list.
    ///
    /// # Errors
    /// As [`TtlListState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.list.take(ctx).map(drop)
    }
}

keyed_state!([T: Data] TtlListState<T>, list);

//! Keyed value state with a time to live.

use super::handle::{TtlHandle, timed};
use super::table::Timed;
use crate::data::Data;
use crate::error::Result;
use crate::operator::Context;
use crate::state::keyed_state::keyed_state;

/// One value a key, which expires.
///
/// Reads and writes go to the current key of the context.
pub struct TtlValueState<T> {
    value: TtlHandle<Timed<T>>,
}

impl<T: Data> TtlValueState<T> {
    pub(super) fn new(value: TtlHandle<Timed<T>>) -> Self {
        TtlValueState { value }
    }

    /// The value, if one was set and is not expired.
    ///
    /// # Errors
    /// As [`crate::state::ValueState::get`].
    pub fn get<'a>(&self, ctx: &'a mut Context) -> Result<Option<&'a T>> {
        let now_ms = ctx.now().millis();
        let mut found = self.value.visible(ctx)?;
        if let Some(timed) = &mut found {
            self.value.read(timed, now_ms);
        }
        Ok(found.map(|timed| &timed.value))
    }

    /// Sets the value; its life begins.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn set(&self, ctx: &mut Context, value: T) -> Result<()> {
        let timed = timed(ctx, value);
        self.value.set(ctx, timed)
    }

    /// Removes and returns the value, if it is not expired.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn take(&self, ctx: &mut Context) -> Result<Option<T>> {
        self.value.drop_hidden(ctx)?;
        Ok(self.value.take(ctx)?.map(|timed| timed.value))
    }

    /// Removes the value.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.value.take(ctx).map(drop)
    }

    /// Changes the value, first created by `create` if there is none; its life begins anew.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn update<R>(
        &self,
        ctx: &mut Context,
        create: impl FnOnce() -> T,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R> {
        let now_ms = ctx.now().millis();
        self.value.drop_hidden(ctx)?;
        let timed = self.value.stored_or(ctx, || Timed {
            since_ms: now_ms,
            value: create(),
        })?;
        timed.since_ms = now_ms;
        Ok(change(&mut timed.value))
    }
}

keyed_state!([T: Data] TtlValueState<T>, value);

//! What all handles of state with a time to live do.

use super::config::StateTtlConfig;
use super::table::{Expiring, Timed, TtlTable};
use crate::data::Data;
use crate::error::Result;
use crate::operator::Context;
use crate::state::table::TableHandle;
use crate::state::{KeyedState, Slot, StateRegistry};

pub(super) struct TtlHandle<C> {
    table: TableHandle<TtlTable<C>>,
    config: StateTtlConfig,
}

impl<C: Expiring> KeyedState for TtlHandle<C> {
    fn position(&self) -> usize {
        self.table.index
    }

    fn slots(&self, states: &StateRegistry) -> Vec<Slot> {
        states.get(&self.table).slots.slots().collect()
    }
}

impl<C: Expiring> TtlHandle<C> {
    pub(super) fn new(table: TableHandle<TtlTable<C>>, config: StateTtlConfig) -> Self {
        TtlHandle { table, config }
    }

    /// What the current key has, expired or not.
    pub(super) fn stored<'a>(&self, ctx: &'a mut Context) -> Result<Option<&'a mut C>> {
        let slot = ctx.keyed_slot()?;
        let table = ctx.states_mut().get_mut(&self.table);
        Ok(table.access(slot).as_mut())
    }

    /// What the current key has and may be seen.
    pub(super) fn visible<'a>(&self, ctx: &'a mut Context) -> Result<Option<&'a mut C>> {
        self.drop_hidden(ctx)?;
        self.stored(ctx)
    }

    /// Drops what is expired of the current key, unless expired values may be returned.
    pub(super) fn drop_hidden(&self, ctx: &mut Context) -> Result<()> {
        let slot = ctx.keyed_slot()?;
        if !self.config.hides_expired() {
            return Ok(());
        }
        let until_ms = self.config.expired_until(ctx.now().millis());
        let states = ctx.states_mut();
        let place = states.get_mut(&self.table).slots.place(slot);
        if place.as_mut().is_some_and(|c| c.expire(until_ms)) {
            *place = None;
            states.let_go(slot);
        }
        Ok(())
    }

    /// What the current key has, expired or not, first created by `create` if there is nothing.
    pub(super) fn stored_or<'a>(
        &self,
        ctx: &'a mut Context,
        create: impl FnOnce() -> C,
    ) -> Result<&'a mut C> {
        let slot = ctx.keyed_slot()?;
        let states = ctx.states_mut();
        if states.get_mut(&self.table).slots.place(slot).is_none() {
            states.hold(slot);
        }
        let place = states.get_mut(&self.table).access(slot);
        Ok(place.get_or_insert_with(create))
    }

    pub(super) fn set(&self, ctx: &mut Context, content: C) -> Result<()> {
        let slot = ctx.keyed_slot()?;
        let states = ctx.states_mut();
        let place = states.get_mut(&self.table).access(slot);
        if place.replace(content).is_none() {
            states.hold(slot);
        }
        Ok(())
    }

    /// Removes and returns what the current key has, expired or not.
    pub(super) fn take(&self, ctx: &mut Context) -> Result<Option<C>> {
        let slot = ctx.keyed_slot()?;
        let states = ctx.states_mut();
        let taken = states.get_mut(&self.table).access(slot).take();
        if taken.is_some() {
            states.let_go(slot);
        }
        Ok(taken)
    }

    /// Whether a value is expired and may not be seen.
    pub(super) fn is_hidden<T>(&self, timed: &Timed<T>, now_ms: i64) -> bool {
        self.config.hides_expired() && self.is_expired(timed, now_ms)
    }

    /// Lets a value live on that is read, if reading does that and it is alive.
    pub(super) fn read<T>(&self, timed: &mut Timed<T>, now_ms: i64) {
        if self.config.renews_on_read() && !self.is_expired(timed, now_ms) {
            timed.since_ms = now_ms;
        }
    }

    fn is_expired<T>(&self, timed: &Timed<T>, now_ms: i64) -> bool {
        timed.since_ms <= self.config.expired_until(now_ms)
    }
}

/// A value whose life begins now.
pub(super) fn timed<T: Data>(ctx: &Context, value: T) -> Timed<T> {
    Timed {
        since_ms: ctx.now().millis(),
        value,
    }
}

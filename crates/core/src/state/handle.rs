//! Keyed value, reducing and aggregating state.

use super::keyed_state::{KeyedState, keyed_state};
use super::registry::StateRegistry;
use super::slot::Slot;
use super::slot_table::SlotTable;
use super::table::TableHandle;
use crate::data::Data;
use crate::error::Result;
use crate::operator::{AggregateFunction, Context};

impl StateRegistry {
    /// Declares a value of each key.
    pub fn value<T: Data>(&mut self, name: &str) -> ValueState<T> {
        ValueState::new(self.keyed::<T>(name))
    }

    /// Declares a value of each key that additions are folded into.
    pub fn reducing<T: Data, F>(&mut self, name: &str, reduce: F) -> ReducingState<T, F>
    where
        F: Fn(T, T) -> T,
    {
        ReducingState::new(self.keyed::<T>(name), reduce)
    }

    /// Declares an accumulator of each key.
    pub fn aggregating<A: AggregateFunction>(
        &mut self,
        name: &str,
        function: A,
    ) -> AggregatingState<A> {
        AggregatingState::new(self.keyed::<A::Accumulator>(name), function)
    }
}

/// One value a key.
///
/// Reads and writes go to the current key of the context.
pub struct ValueState<T> {
    table: TableHandle<SlotTable<T>>,
}

impl<T: Data> ValueState<T> {
    pub(super) fn new(table: TableHandle<SlotTable<T>>) -> Self {
        ValueState { table }
    }

    /// The value, if one was set.
    ///
    /// # Errors
    /// None on the heap; a backend on disk may fail with `Retryable` or `Corrupt`.
    #[inline]
    pub fn get<'a>(&self, ctx: &'a Context) -> Result<Option<&'a T>> {
        Ok(ctx.states().get(&self.table).get(ctx.slot()))
    }

    /// Sets the value.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    #[inline]
    pub fn set(&self, ctx: &mut Context, value: T) -> Result<()> {
        let slot = ctx.keyed_slot()?;
        let states = ctx.states_mut();
        if states
            .get_mut(&self.table)
            .place(slot)
            .replace(value)
            .is_none()
        {
            states.hold(slot);
        }
        Ok(())
    }

    /// Removes and returns the value.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    #[inline]
    pub fn take(&self, ctx: &mut Context) -> Result<Option<T>> {
        let slot = ctx.keyed_slot()?;
        let states = ctx.states_mut();
        let taken = states.get_mut(&self.table).place(slot).take();
        if taken.is_some() {
            states.let_go(slot);
        }
        Ok(taken)
    }

    /// Removes the value.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.take(ctx).map(drop)
    }

    /// The value for changing it in place, first created by `default` if there is none.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    #[inline]
    pub fn get_or_insert_with<'a>(
        &self,
        ctx: &'a mut Context,
        default: impl FnOnce() -> T,
    ) -> Result<&'a mut T> {
        let slot = ctx.keyed_slot()?;
        let states = ctx.states_mut();
        Ok(states.value_or_insert_with(&self.table, slot, default))
    }
}

impl<T: Data> KeyedState for ValueState<T> {
    fn position(&self) -> usize {
        self.table.index
    }

    fn slots(&self, states: &StateRegistry) -> Vec<Slot> {
        states.get(&self.table).slots().collect()
    }
}

keyed_state!([T: Data, F] ReducingState<T, F>, value);
keyed_state!([A: AggregateFunction] AggregatingState<A>, accumulator);

/// One value a key that additions are folded into.
pub struct ReducingState<T, F> {
    value: ValueState<T>,
    reduce: F,
}

impl<T: Data, F: Fn(T, T) -> T> ReducingState<T, F> {
    pub(super) fn new(table: TableHandle<SlotTable<T>>, reduce: F) -> Self {
        ReducingState {
            value: ValueState::new(table),
            reduce,
        }
    }

    /// The folded value, if anything was added.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn get<'a>(&self, ctx: &'a Context) -> Result<Option<&'a T>> {
        self.value.get(ctx)
    }

    /// Folds `value` in.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn add(&self, ctx: &mut Context, value: T) -> Result<()> {
        let folded = match self.value.take(ctx)? {
            Some(before) => (self.reduce)(before, value),
            None => value,
        };
        self.value.set(ctx, folded)
    }

    /// Removes the value.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.value.clear(ctx)
    }
}

/// One accumulator a key.
pub struct AggregatingState<A: AggregateFunction> {
    accumulator: ValueState<A::Accumulator>,
    function: A,
}

impl<A: AggregateFunction> AggregatingState<A> {
    pub(super) fn new(table: TableHandle<SlotTable<A::Accumulator>>, function: A) -> Self {
        AggregatingState {
            accumulator: ValueState::new(table),
            function,
        }
    }

    /// The aggregate of what was added so far.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn get(&self, ctx: &Context) -> Result<Option<A::Output>> {
        Ok(self
            .accumulator
            .get(ctx)?
            .map(|accumulator| self.function.result(accumulator)))
    }

    /// Adds a value.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn add(&self, ctx: &mut Context, value: A::Input) -> Result<()> {
        let accumulator = self
            .accumulator
            .get_or_insert_with(ctx, || self.function.create_accumulator())?;
        self.function.add(accumulator, value);
        Ok(())
    }

    /// Removes the accumulator.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.accumulator.clear(ctx)
    }
}

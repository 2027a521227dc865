//! Keyed reducing and aggregating state with a time to live.

use super::handle::TtlHandle;
use super::table::Timed;
use super::value::TtlValueState;
use crate::data::Data;
use crate::error::Result;
use crate::operator::{AggregateFunction, Context};
use crate::state::keyed_state::keyed_state;

/// One value a key that additions are folded into, and that expires.
pub struct TtlReducingState<T, F> {
    value: TtlValueState<T>,
    reduce: F,
}

impl<T: Data, F: Fn(T, T) -> T> TtlReducingState<T, F> {
    pub(super) fn new(value: TtlHandle<Timed<T>>, reduce: F) -> Self {
        TtlReducingState {
            value: TtlValueState::new(value),
            reduce,
        }
    }

    /// The folded value, if anything was added and it is not expired.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn get<'a>(&self, ctx: &'a mut Context) -> Result<Option<&'a T>> {
        self.value.get(ctx)
    }

    /// Folds `value` in; the life of what has come together begins anew.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
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
    /// As [`TtlValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.value.clear(ctx)
    }
}

/// One accumulator a key, which expires.
pub struct TtlAggregatingState<A: AggregateFunction> {
    accumulator: TtlValueState<A::Accumulator>,
    function: A,
}

impl<A: AggregateFunction> TtlAggregatingState<A> {
    pub(super) fn new(accumulator: TtlHandle<Timed<A::Accumulator>>, function: A) -> Self {
        TtlAggregatingState {
            accumulator: TtlValueState::new(accumulator),
            function,
        }
    }

    /// The aggregate of what was added, if it is not expired.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn get(&self, ctx: &mut Context) -> Result<Option<A::Output>> {
        let accumulator = self.accumulator.get(ctx)?;
        Ok(accumulator.map(|accumulator| self.function.result(accumulator)))
    }

    /// Adds a value; the life of the accumulator begins anew.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn add(&self, ctx: &mut Context, value: A::Input) -> Result<()> {
        let create = || self.function.create_accumulator();
        self.accumulator.update(ctx, create, |accumulator| {
            self.function.add(accumulator, value);
        })
    }

    /// Removes the accumulator.
    ///
    /// # Errors
    /// As [`TtlValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.accumulator.clear(ctx)
    }
}

keyed_state!([T: Data, F] TtlReducingState<T, F>, value);
keyed_state!([A: AggregateFunction] TtlAggregatingState<A>, accumulator);

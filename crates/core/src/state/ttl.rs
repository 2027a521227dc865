//! State with a time to live: values, elements and entries that are forgotten.
//!
//! ```text
//!   states.with_ttl(config).value("seen") ──▶ TtlValueState<T>
//!                                                 │
//!   SlotTable<Timed<T>> ◀── TtlTable ◀────────────┘
//! ```
//!
//! The kinds of state that expire are types of their own, over tables that store a time beside
//! each value: state without a time to live pays nothing.
//!
//! An expired value goes when it is read, when a snapshot is taken, or when the cleaning between
//! two batches comes by, whichever is first. The cleaning examines some values for each access,
//! in turn over all keys, so that a state to which keys are added without end does not grow
//! without end.

mod config;
mod folding;
mod handle;
mod list;
mod map;
#[cfg(test)]
mod model;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use config::{StateTtlConfig, StateVisibility, UpdateType};
pub use folding::{TtlAggregatingState, TtlReducingState};
pub use list::TtlListState;
pub use map::TtlMapState;
pub use table::Timed;
pub use value::TtlValueState;

use super::registry::StateRegistry;
use crate::collections::HashMap;
use crate::data::{Data, Key};
use crate::operator::AggregateFunction;
use handle::TtlHandle;
use table::{Expiring, TtlTable};

impl StateRegistry {
    /// Declares keyed state with a time to live, as the other methods declare state without.
    pub fn with_ttl(&mut self, config: StateTtlConfig) -> TtlStates<'_> {
        TtlStates::new(self, config)
    }
}

/// Declares state with a time to live; see [`StateRegistry::with_ttl`].
pub struct TtlStates<'a> {
    states: &'a mut StateRegistry,
    config: StateTtlConfig,
}

impl<'a> TtlStates<'a> {
    pub(super) fn new(states: &'a mut StateRegistry, config: StateTtlConfig) -> Self {
        TtlStates { states, config }
    }

    /// Declares a value of each key.
    pub fn value<T: Data>(&mut self, name: &str) -> TtlValueState<T> {
        TtlValueState::new(self.declare(name))
    }

    /// Declares a list of each key; its elements expire one by one.
    pub fn list<T: Data>(&mut self, name: &str) -> TtlListState<T> {
        TtlListState::new(self.declare(name))
    }

    /// Declares a map of each key; its entries expire one by one.
    pub fn map<K: Key, V: Data>(&mut self, name: &str) -> TtlMapState<K, V> {
        TtlMapState::new(self.declare::<HashMap<K, Timed<V>>>(name))
    }

    /// Declares a value of each key that additions are folded into.
    pub fn reducing<T: Data, F>(&mut self, name: &str, reduce: F) -> TtlReducingState<T, F>
    where
        F: Fn(T, T) -> T,
    {
        TtlReducingState::new(self.declare(name), reduce)
    }

    /// Declares an accumulator of each key.
    pub fn aggregating<A: AggregateFunction>(
        &mut self,
        name: &str,
        function: A,
    ) -> TtlAggregatingState<A> {
        TtlAggregatingState::new(self.declare(name), function)
    }

    fn declare<C: Expiring>(&mut self, name: &str) -> TtlHandle<C> {
        let table = self.states.expiring(name, TtlTable::<C>::new(self.config));
        TtlHandle::new(table, self.config)
    }
}

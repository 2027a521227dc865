//! State of an operator instance that belongs to no key: source positions, buffered requests.

use std::any::Any;
use std::sync::Arc;

use super::frozen::{Freezing, FrozenEntries};
use super::key_index::ErasedKeyIndex;
use super::registry::StateRegistry;
use super::slot::Slot;
use super::snapshot::Redistribution;
use super::table::TableHandle;
use super::table::{StateTable, written};
use crate::data::{Data, Schema, from_bytes, to_bytes};
use crate::error::Result;

pub(super) struct OperatorList<T> {
    values: Vec<T>,
}

impl<T> Default for OperatorList<T> {
    fn default() -> Self {
        OperatorList { values: Vec::new() }
    }
}

impl<T: Data> StateTable for OperatorList<T> {
    fn schema(&self) -> Schema {
        T::schema()
    }

    fn freeze(&mut self, _: &Freezing) -> Arc<dyn FrozenEntries> {
        written(|sink| {
            for value in &self.values {
                sink(None, &to_bytes(value));
            }
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        self.values.push(from_bytes(entry)?);
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
    /// Declares a list that belongs to the operator instance, not to a key.
    pub fn operator_list<T: Data>(
        &mut self,
        name: &str,
        redistribution: Redistribution,
    ) -> OperatorListState<T> {
        let table = Box::new(OperatorList::<T>::default());
        OperatorListState::new(self.declare(name, redistribution, table))
    }
}

/// A list of an operator instance. How it is dealt out when the parallelism changes was said when
/// it was declared.
pub struct OperatorListState<T> {
    table: TableHandle<OperatorList<T>>,
}

impl<T: Data> OperatorListState<T> {
    pub(super) fn new(table: TableHandle<OperatorList<T>>) -> Self {
        OperatorListState { table }
    }

    /// The elements.
    pub fn get<'a>(&self, states: &'a StateRegistry) -> &'a [T] {
        &states.get(&self.table).values
    }

    /// The elements, for changing them.
    pub fn get_mut<'a>(&self, states: &'a mut StateRegistry) -> &'a mut Vec<T> {
        &mut states.get_mut(&self.table).values
    }
}

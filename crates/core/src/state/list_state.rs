//! Keyed list state.

use super::handle::ValueState;
use super::keyed_state::keyed_state;
use super::registry::StateRegistry;
use super::slot_table::SlotTable;
use super::table::TableHandle;
use crate::data::Data;
use crate::error::Result;
use crate::operator::Context;

impl StateRegistry {
    /// Declares a list of each key.
    pub fn list<T: Data>(&mut self, name: &str) -> ListState<T> {
        ListState::new(self.keyed::<Vec<T>>(name))
    }
}

/// A list a key. An empty list and no list are the same.
pub struct ListState<T> {
    list: ValueState<Vec<T>>,
}

impl<T: Data> ListState<T> {
    pub(super) fn new(table: TableHandle<SlotTable<Vec<T>>>) -> Self {
        ListState {
            list: ValueState::new(table),
        }
    }

    /// The elements in order of addition.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn get<'a>(&self, ctx: &'a Context) -> Result<&'a [T]> {
        Ok(self.list.get(ctx)?.map_or(&[], Vec::as_slice))
    }

    /// Appends an element.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn add(&self, ctx: &mut Context, value: T) -> Result<()> {
        self.list.get_or_insert_with(ctx, Vec::new)?.push(value);
        Ok(())
    }

    /// Replaces the whole list.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn update(&self, ctx: &mut Context, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            self.clear(ctx)
        } else {
            self.list.set(ctx, values)
        }
    }

    /// Removes and returns the list.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn take(&self, ctx: &mut Context) -> Result<Vec<T>> {
        Ok(self.list.take(ctx)?.unwrap_or_default())
    }

    /// Removes the list.
    ///
    /// # Errors
    /// As [`ValueState::get`].
    pub fn clear(&self, ctx: &mut Context) -> Result<()> {
        self.list.clear(ctx)
    }
}

keyed_state!([T: Data] ListState<T>, list);

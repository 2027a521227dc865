//! The typed values of one keyed state: an array by slot.

use std::any::Any;

use super::key_index::{ErasedKeyIndex, Slot};
use super::table::{EntrySink, StateTable};
use crate::data::{Data, Schema, from_bytes};
use crate::error::{Error, Result};

/// The values of one keyed state.
pub struct SlotTable<T> {
    values: Vec<Option<T>>,
}

impl<T> Default for SlotTable<T> {
    fn default() -> Self {
        SlotTable { values: Vec::new() }
    }
}

impl<T> SlotTable<T> {
    /// The value of a slot.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.values.get(slot.index()).and_then(Option::as_ref)
    }

    /// The place of a slot's value, created empty.
    #[inline]
    pub fn place(&mut self, slot: Slot) -> &mut Option<T> {
        let index = slot.index();
        if index >= self.values.len() {
            self.values
                .resize_with((index + 1).max(self.values.len() * 2), || None);
        }
        &mut self.values[index]
    }

    /// One more than the highest slot with a place.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.values
            .iter()
            .enumerate()
            .filter_map(|(i, value)| value.as_ref().map(|value| (Slot(i as u32), value)))
    }
}

impl<T: Data> StateTable for SlotTable<T> {
    fn schema(&self) -> Schema {
        T::schema()
    }

    fn has_keys(&self) -> bool {
        true
    }

    fn snapshot(
        &self,
        keys: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
        sink: &mut EntrySink<'_>,
    ) {
        let Some(keys) = keys else {
            assert!(
                self.iter().next().is_none(),
                "keyed state is written under a key only"
            );
            return;
        };
        let mut bytes = Vec::new();
        for (slot, value) in self.iter() {
            bytes.clear();
            keys.write_key(slot, &mut bytes);
            value.encode(&mut bytes);
            sink(Some(keys.group(slot, max_parallelism)), &bytes);
        }
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        keys: Option<&mut dyn ErasedKeyIndex>,
        live: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let keys = keys.ok_or_else(|| {
            Error::corrupt("a snapshot holds keyed state, but the operator is not keyed")
        })?;
        let slot = keys.intern_bytes(&mut entry)?;
        let value = from_bytes(entry)?;
        if self.place(slot).replace(value).is_none() {
            live(slot);
        }
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

//! The typed values of one keyed state: an array by slot.

use std::any::Any;
use std::sync::Arc;

use super::bits::Bits;
use super::chunked::{Chunked, SharedChunks};
use super::entries::Entries;
use super::entry_writer::EntryWriter;
use super::frozen::{Freezing, FrozenEntries, FrozenKeys, FrozenSlots};
use super::key_index::ErasedKeyIndex;
use super::paged_table::PagedTable;
use super::slot::Slot;
use super::table::StateTable;
use crate::data::{Data, Schema, from_bytes};
use crate::error::{Error, Result};
use crate::time::ProcessingTime;

// A table of this size stays in the caches of the machine.
const CACHED_BYTES: usize = 256 << 10;
// A table that is frozen so often keeps the memory of its last snapshot for the next one.
const OFTEN_MS: i64 = 10_000;

/// The values of one keyed state.
pub struct SlotTable<T> {
    values: Chunked<T>,
    // What has changed since it was written to the store below, or to a layer of a checkpoint.
    changed: Option<Bits>,
    // When it was frozen last.
    shared_at: Option<ProcessingTime>,
}

/// The values at one moment.
struct SharedSlots<T> {
    values: SharedChunks<T>,
    keys: Arc<dyn FrozenKeys>,
    max_parallelism: u32,
}

impl<T> Default for SlotTable<T> {
    fn default() -> Self {
        SlotTable {
            values: Chunked::default(),
            changed: None,
            shared_at: None,
        }
    }
}

impl<T> SlotTable<T> {
    /// The value of a slot.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.values.get(slot.index())
    }

    /// The slots that have a value.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        let slots = (0..self.bound()).map(|index| Slot(index as u32));
        slots.filter(|slot| self.get(*slot).is_some())
    }

    /// One more than the highest slot that may have a place.
    pub(super) fn bound(&self) -> usize {
        self.values.bound()
    }
}

impl<T: Clone> SlotTable<T> {
    /// The place of a slot's value, created empty.
    #[inline]
    pub fn place(&mut self, slot: Slot) -> &mut Option<T> {
        if let Some(changed) = &mut self.changed {
            changed.insert(slot.index());
        }
        self.values.place(slot.index())
    }

    /// All values as they are now.
    pub(super) fn share(&mut self, now: ProcessingTime) -> SharedChunks<T> {
        let before = self.shared_at.replace(now);
        let since = before.map(|before| now.millis().saturating_sub(before.millis()));
        let soon = since.is_some_and(|since_ms| since_ms <= OFTEN_MS);
        self.values.share(soon)
    }
}

impl<T: Data> FrozenEntries for SharedSlots<T> {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        for (index, value) in self.values.iter() {
            self.push(Slot(index as u32), Some(value), out)?;
        }
        Ok(())
    }

    fn by_slot(&self) -> Option<&dyn FrozenSlots> {
        Some(self)
    }
}

impl<T: Data> FrozenSlots for SharedSlots<T> {
    fn write_slots(&self, slots: &Bits, out: &mut EntryWriter<'_>) -> Result<()> {
        for index in slots.iter() {
            if let Some(value) = self.values.get(index) {
                self.push(Slot(index as u32), Some(value), out)?;
            }
        }
        Ok(())
    }

    fn write_cleared(&self, slots: &Bits, out: &mut EntryWriter<'_>) -> Result<()> {
        for index in slots.iter() {
            let slot = Slot(index as u32);
            if self.values.get(index).is_none() && self.keys.contains(slot) {
                self.push(slot, None, out)?;
            }
        }
        Ok(())
    }
}

impl<T: Data> SharedSlots<T> {
    /// Appends the key of a slot, and a value behind it.
    #[inline]
    fn push(&self, slot: Slot, value: Option<&T>, out: &mut EntryWriter<'_>) -> Result<()> {
        out.push_with(|bytes| {
            let group = self.keys.write_key(slot, self.max_parallelism, bytes);
            if let Some(value) = value {
                value.encode(bytes);
            }
            Some(group)
        })
    }
}

impl<T: Data> PagedTable for SlotTable<T> {
    fn track(&mut self) {
        self.changed.get_or_insert_default();
    }

    fn load(&mut self, slot: Slot, value: &[u8]) -> Result<()> {
        *self.values.place(slot.index()) = Some(from_bytes(value)?);
        Ok(())
    }

    fn take_change(&mut self, slot: Slot) -> bool {
        let changed = self.changed.as_mut();
        changed.is_some_and(|changed| changed.remove(slot.index()))
    }

    fn take_changes(&mut self) -> Bits {
        self.changed
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn write(&self, slot: Slot, out: &mut Vec<u8>) -> bool {
        let value = self.get(slot);
        if let Some(value) = value {
            value.encode(out);
        }
        value.is_some()
    }

    fn unload(&mut self, slot: Slot) -> bool {
        self.values.place(slot.index()).take().is_some()
    }

    fn place_bytes(&self) -> usize {
        size_of::<Option<T>>()
    }

    fn has_pointers(&self) -> bool {
        std::mem::needs_drop::<T>()
    }
}

impl<T: Data> StateTable for SlotTable<T> {
    fn schema(&self) -> Schema {
        T::schema()
    }

    fn has_keys(&self) -> bool {
        true
    }

    fn paged(&mut self) -> Option<&mut dyn PagedTable> {
        Some(self)
    }

    fn look_ahead(&self, slots: &[Slot]) {
        if self.bound() * size_of::<Option<T>>() > CACHED_BYTES {
            for slot in slots {
                // A read in a loop this short does not wait for the one before.
                std::hint::black_box(self.get(*slot).is_some());
            }
        }
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        let values = self.share(freezing.now);
        let Some(keys) = freezing.keys.clone() else {
            assert!(
                values.iter().next().is_none(),
                "keyed state is written under a key only"
            );
            return Arc::new(Entries::default());
        };
        Arc::new(SharedSlots {
            values,
            keys,
            max_parallelism: freezing.max_parallelism,
        })
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

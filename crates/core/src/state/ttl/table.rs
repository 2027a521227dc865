//! Tables whose values expire.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::config::StateTtlConfig;
use crate::collections::HashMap;
use crate::data::{Data, Field, Key, Schema};
use crate::error::Result;
use crate::state::bits::Bits;
use crate::state::chunked::SharedChunks;
use crate::state::entries::Entries;
use crate::state::entry_writer::EntryWriter;
use crate::state::frozen::{Freezing, FrozenEntries, FrozenKeys, FrozenSlots};
use crate::state::key_index::ErasedKeyIndex;
use crate::state::paged_table::PagedTable;
use crate::state::schemas::TIMED;
use crate::state::slot::Slot;
use crate::state::slot_table::SlotTable;
use crate::state::table::{Cleaning, StateTable};
use crate::time::ProcessingTime;

// Values examined at a barrier, which waits for it: about a millisecond.
const EXAMINED_AT_BARRIER_MAX: i64 = 1 << 16;

/// A value and when its life began anew.
#[derive(Clone, Debug)]
pub struct Timed<T> {
    pub(super) since_ms: i64,
    pub(super) value: T,
}

impl<T: Data> Data for Timed<T> {
    fn schema() -> Schema {
        let fields = vec![
            Field::new("since", i64::schema()),
            Field::new("value", T::schema()),
        ];
        Schema::Struct(TIMED.into(), fields)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.since_ms.encode(out);
        self.value.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self> {
        Ok(Timed {
            since_ms: i64::decode(input)?,
            value: T::decode(input)?,
        })
    }
}

/// What a key has in a state whose values expire.
pub(super) trait Expiring: Data {
    /// Whether it is one value, stored behind its time.
    const ALONE: bool = false;

    /// Whether there is something as old as `until_ms` or older.
    fn is_stale(&self, until_ms: i64) -> bool;

    /// Drops what is as old as `until_ms` or older. True if nothing is left.
    fn expire(&mut self, until_ms: i64) -> bool;

    /// How many values it takes to examine it.
    fn weight(&self) -> usize;
}

impl<T: Data> Expiring for Timed<T> {
    const ALONE: bool = true;

    fn is_stale(&self, until_ms: i64) -> bool {
        self.since_ms <= until_ms
    }

    fn expire(&mut self, until_ms: i64) -> bool {
        self.since_ms <= until_ms
    }

    fn weight(&self) -> usize {
        1
    }
}

impl<T: Data> Expiring for Vec<Timed<T>> {
    fn is_stale(&self, until_ms: i64) -> bool {
        self.iter().any(|timed| timed.since_ms <= until_ms)
    }

    fn expire(&mut self, until_ms: i64) -> bool {
        self.retain(|timed| timed.since_ms > until_ms);
        self.is_empty()
    }

    fn weight(&self) -> usize {
        self.len()
    }
}

impl<K: Key, V: Data> Expiring for HashMap<K, Timed<V>> {
    fn is_stale(&self, until_ms: i64) -> bool {
        self.values().any(|timed| timed.since_ms <= until_ms)
    }

    fn expire(&mut self, until_ms: i64) -> bool {
        self.retain(|_, timed| timed.since_ms > until_ms);
        self.is_empty()
    }

    fn weight(&self) -> usize {
        self.len()
    }
}

/// The values of one keyed state, which expire.
pub(super) struct TtlTable<C> {
    pub(super) slots: SlotTable<C>,
    config: StateTtlConfig,
    // Where the cleaning goes on.
    next: usize,
    // How many values the cleaning may still examine; below 0 after it has met a large collection.
    credit: i64,
}

/// The values at one moment, of which the expired ones are not written.
struct FrozenExpiring<C> {
    values: SharedChunks<C>,
    keys: Arc<dyn FrozenKeys>,
    max_parallelism: u32,
    until_ms: i64,
}

impl<C: Expiring> FrozenEntries for FrozenExpiring<C> {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        for (index, content) in self.values.iter() {
            if let Some(content) = self.left(content) {
                self.push(Slot(index as u32), Some(&content), out)?;
            }
        }
        Ok(())
    }

    fn by_slot(&self) -> Option<&dyn FrozenSlots> {
        Some(self)
    }
}

impl<C: Expiring> FrozenSlots for FrozenExpiring<C> {
    fn write_slots(&self, slots: &Bits, out: &mut EntryWriter<'_>) -> Result<()> {
        for (slot, content) in self.at(slots) {
            if let Some(content) = content {
                self.push(slot, Some(&content), out)?;
            }
        }
        Ok(())
    }

    fn write_cleared(&self, slots: &Bits, out: &mut EntryWriter<'_>) -> Result<()> {
        for (slot, content) in self.at(slots) {
            if content.is_none() {
                self.push(slot, None, out)?;
            }
        }
        Ok(())
    }
}

impl<C: Expiring> FrozenExpiring<C> {
    /// What has not expired of a value.
    fn left(&self, content: &C) -> Option<C> {
        let mut left = content.clone();
        (!left.expire(self.until_ms)).then_some(left)
    }

    /// Those of some slots that have a key, with what is left there.
    fn at(&self, slots: &Bits) -> impl Iterator<Item = (Slot, Option<C>)> {
        let slots = slots.iter().map(|index| Slot(index as u32));
        let known = slots.filter(|slot| self.keys.contains(*slot));
        known.map(|slot| {
            let content = self.values.get(slot.index());
            (slot, content.and_then(|content| self.left(content)))
        })
    }

    /// Appends the key of a slot, and what is left behind it.
    fn push(&self, slot: Slot, content: Option<&C>, out: &mut EntryWriter<'_>) -> Result<()> {
        out.push_with(|bytes| {
            let group = self.keys.write_key(slot, self.max_parallelism, bytes);
            if let Some(content) = content {
                content.encode(bytes);
            }
            Some(group)
        })
    }
}

impl<C: Expiring> TtlTable<C> {
    pub(super) fn new(config: StateTtlConfig) -> Self {
        TtlTable {
            slots: SlotTable::default(),
            config,
            next: 0,
            credit: 0,
        }
    }

    /// The place of a slot's value, for an access.
    pub(super) fn access(&mut self, slot: Slot) -> &mut Option<C> {
        self.credit = self.credit.saturating_add(self.config.cleaned_per_access());
        self.slots.place(slot)
    }

    /// Examines one slot. Returns its weight.
    fn examine(&mut self, slot: Slot, until_ms: i64, freed: &mut dyn FnMut(Slot)) -> i64 {
        let Some(content) = self.slots.get(slot) else {
            return 1;
        };
        let weight = content.weight().max(1);
        // To look is no change: neither is a shared chunk copied nor is the slot written again.
        if content.is_stale(until_ms) {
            let place = self.slots.place(slot);
            if place.take_if(|content| content.expire(until_ms)).is_some() {
                freed(slot);
            }
        }
        i64::try_from(weight).unwrap_or(i64::MAX)
    }
}

impl<C: Expiring> PagedTable for TtlTable<C> {
    fn track(&mut self) {
        self.slots.track();
    }

    fn load(&mut self, slot: Slot, value: &[u8]) -> Result<()> {
        self.slots.load(slot, value)
    }

    fn take_change(&mut self, slot: Slot) -> bool {
        self.slots.take_change(slot)
    }

    fn take_changes(&mut self) -> Bits {
        self.slots.take_changes()
    }

    fn write(&self, slot: Slot, out: &mut Vec<u8>) -> bool {
        PagedTable::write(&self.slots, slot, out)
    }

    fn unload(&mut self, slot: Slot) -> bool {
        self.slots.unload(slot)
    }

    fn place_bytes(&self) -> usize {
        self.slots.place_bytes()
    }

    fn has_pointers(&self) -> bool {
        self.slots.has_pointers()
    }

    fn ttl(&self) -> Option<Duration> {
        C::ALONE.then(|| self.config.ttl())
    }
}

impl<C: Expiring> StateTable for TtlTable<C> {
    fn schema(&self) -> Schema {
        self.slots.schema()
    }

    fn has_keys(&self) -> bool {
        true
    }

    fn clean_up(&mut self, now: ProcessingTime, cleaning: Cleaning, freed: &mut dyn FnMut(Slot)) {
        let until_ms = self.config.expired_until(now.millis());
        let slots = self.slots.bound();
        if cleaning == Cleaning::Barrier {
            self.credit = self.credit.saturating_add(EXAMINED_AT_BARRIER_MAX);
        }
        for _ in 0..slots {
            if self.credit <= 0 {
                return;
            }
            self.next = if self.next < slots { self.next } else { 0 };
            self.credit -= self.examine(Slot(self.next as u32), until_ms, freed);
            self.next += 1;
        }
        // All has been examined: there is nothing more to do for these accesses.
        self.credit = self.credit.min(0);
    }

    fn paged(&mut self) -> Option<&mut dyn PagedTable> {
        Some(self)
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        let values = self.slots.share(freezing.now);
        let Some(keys) = freezing.keys.clone() else {
            return Arc::new(Entries::default());
        };
        Arc::new(FrozenExpiring {
            values,
            keys,
            max_parallelism: freezing.max_parallelism,
            until_ms: self.config.expired_until(freezing.now.millis()),
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        keys: Option<&mut dyn ErasedKeyIndex>,
        live: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        self.slots.restore(entry, keys, live)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

//! Keyed tables as a write-back cache of a store that is larger than memory.
//!
//! ```text
//!   keys of a batch ─▶ touch, load: what is not in memory is read, all at once
//!   records         ─▶ plain memory
//!   between batches ─▶ evict: slots not used lately are written down, if changed, and dropped
//!   barrier         ─▶ flush: all changes are written down, and the store links its files
//! ```
//!
//! A slot is *resident* when its values are in memory. The tables know which of their slots have
//! changed since they were written down.

mod open;
mod stored_keys;

pub(crate) use stored_keys::StoredKeys;

use super::bits::Bits;
use super::declared::Declared;
use super::frozen_store::FrozenStore;
use super::key_index::ErasedKeyIndex;
use super::paged_table::PagedTable;
use super::paging_spec::PagingSpec;
use super::schemas;
use super::slot::Slot;
use super::snapshot::StoredTable;
use super::store::{ByteRows, StateStore, StoreTable, WriteBatch, push_key_prefix};
use crate::error::{Error, Result};

// Changes are written down in batches of so many.
const WRITES_MAX: usize = 8192;
// What a key takes beside its value and its places: in the index, in counts and bits.
const BYTES_PER_KEY: usize = 48;
// So much stays when slots are evicted, so that it is not done after every batch.
const KEPT_PERCENT: usize = 95;
// One in so many loaded or written values is measured.
const MEASURED_PART: f64 = 1.0 / 256.0;

/// A table in a store.
struct Numbered {
    /// Its position among the declared ones.
    declared: usize,
    /// Its number in stored keys.
    number: u8,
}

/// What stands between the tables of an operator instance and their store.
pub(super) struct Paging {
    store: Box<dyn StateStore>,
    /// What its checkpoints are opened with again.
    spec: PagingSpec,
    tables: Vec<Numbered>,
    // By number, and so with the tables that are stored and no longer declared.
    of_store: Vec<StoreTable>,
    names: Vec<String>,
    checkpoints: u64,
    resident: Bits,
    residents: usize,
    // Used since the hand passed.
    recent: Bits,
    hand: usize,
    absent: Vec<Slot>,
    // A running average of what the values of a key take behind pointers.
    behind_pointers: f64,
    keys: ByteRows,
    writes: WriteBatch,
    scratch: Vec<u8>,
}

impl Paging {
    /// A record or a timer has come for a slot.
    #[inline]
    pub(super) fn touch(&mut self, slot: Slot) {
        let index = slot.index();
        self.recent.insert(index);
        if self.resident.insert(index) {
            self.residents += 1;
            self.absent.push(slot);
        }
    }

    /// Reads what is not in memory of the slots touched since the last time. `held` hears of
    /// every value.
    pub(super) fn load(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        held: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        if self.absent.is_empty() {
            return Ok(());
        }
        self.write_out()?;
        self.keys.clear();
        for slot in &self.absent {
            let group = keys.group(*slot, self.spec.max_parallelism);
            for table in &self.tables {
                self.keys.push_with(|out| {
                    push_key_prefix(out, group, table.number);
                    keys.write_key(*slot, out);
                });
            }
        }
        let (tables, absent) = (&self.tables, &self.absent);
        let average = &mut self.behind_pointers;
        self.store.get_many(&self.keys, &mut |at, value| {
            let slot = absent[at / tables.len()];
            let declared = &mut declared[tables[at % tables.len()].declared];
            let loaded = paged(declared)?.load(slot, value);
            loaded.map_err(|error| error.context(format!("state `{}`", declared.name)))?;
            measure(average, value.len());
            held(slot);
            Ok(())
        })?;
        self.absent.clear();
        Ok(())
    }

    /// Makes room: writes slots down that were not used lately, and drops their values. `freed`
    /// hears of every value.
    pub(super) fn evict(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        freed: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let room = self.residents_max(declared, keys)?;
        if self.residents <= room {
            return Ok(());
        }
        let kept = room.saturating_mul(KEPT_PERCENT) / 100;
        while self.residents > kept {
            let found = self.resident.next(self.hand);
            let Some(index) = found.or_else(|| self.resident.next(0)) else {
                break;
            };
            self.hand = index + 1;
            if self.recent.remove(index) {
                continue;
            }
            let slot = Slot(index as u32);
            self.write_slot(declared, keys, slot)?;
            for table in &self.tables {
                if paged(&mut declared[table.declared])?.unload(slot) {
                    freed(slot);
                }
            }
            self.resident.remove(index);
            self.residents -= 1;
        }
        self.write_out()
    }

    /// A slot is given back: nothing of its key is in memory any more.
    pub(super) fn release(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        slot: Slot,
    ) -> Result<()> {
        self.write_slot(declared, keys, slot)?;
        if self.resident.remove(slot.index()) {
            self.residents -= 1;
        }
        self.recent.remove(slot.index());
        Ok(())
    }

    /// Writes all changes down.
    fn write_changes(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
    ) -> Result<()> {
        for at in 0..self.tables.len() {
            let Numbered {
                declared: of,
                number,
            } = self.tables[at];
            let changes = paged(&mut declared[of])?.take_changes();
            for index in changes.iter() {
                self.write(declared, keys, (of, number), Slot(index as u32))?;
            }
        }
        self.write_out()
    }

    /// Writes all changes down, and has the store link its files.
    pub(super) fn checkpoint(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
    ) -> Result<FrozenStore> {
        self.write_changes(declared, keys)?;
        self.checkpoints += 1;
        let links = self.spec.links(self.checkpoints);
        let checkpoint = self.store.checkpoint(&links)?;
        let mut tables: Vec<StoredTable> = {
            let names = self.names.iter();
            names.map(|name| StoredTable::empty(name)).collect()
        };
        for table in &self.tables {
            let schema = schemas::entry(declared[table.declared].table.as_ref(), Some(keys));
            tables[usize::from(table.number)].schema = schema;
        }
        let of_store = self.of_store.clone();
        Ok(FrozenStore::new(
            checkpoint, tables, of_store, links, &self.spec,
        ))
    }

    /// The numbers of the tables in stored keys, by their position among the declared ones.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        self.tables
            .iter()
            .map(|table| (table.declared, table.number))
    }

    fn write_slot(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        slot: Slot,
    ) -> Result<()> {
        for at in 0..self.tables.len() {
            let Numbered {
                declared: of,
                number,
            } = self.tables[at];
            if paged(&mut declared[of])?.take_change(slot) {
                self.write(declared, keys, (of, number), slot)?;
            }
        }
        Ok(())
    }

    /// Writes what a table has of a slot, in a batch.
    fn write(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        (of, number): (usize, u8),
        slot: Slot,
    ) -> Result<()> {
        let group = keys.group(slot, self.spec.max_parallelism);
        let key = |out: &mut Vec<u8>| {
            push_key_prefix(out, group, number);
            keys.write_key(slot, out);
        };
        self.scratch.clear();
        if paged(&mut declared[of])?.write(slot, &mut self.scratch) {
            measure(&mut self.behind_pointers, self.scratch.len());
            let value = &self.scratch;
            self.writes
                .put_with(key, |out| out.extend_from_slice(value));
        } else {
            self.writes.delete_with(key);
        }
        if self.writes.len() >= WRITES_MAX {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        if !self.writes.is_empty() {
            self.store.write(&self.writes)?;
            self.writes.clear();
        }
        Ok(())
    }

    /// How many slots there is room for.
    fn residents_max(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
    ) -> Result<usize> {
        let mut bytes = BYTES_PER_KEY + keys.place_bytes();
        let mut pointers = keys.has_pointers();
        for table in &self.tables {
            let table = paged(&mut declared[table.declared])?;
            bytes += table.place_bytes();
            pointers |= table.has_pointers();
            // What was never stored was never measured.
            if table.has_pointers() && self.hand & 63 == 0 {
                self.scratch.clear();
                if let Some(index) = self.resident.next(self.hand)
                    && table.write(Slot(index as u32), &mut self.scratch)
                {
                    measure(&mut self.behind_pointers, self.scratch.len());
                }
            }
        }
        if pointers {
            // Twice the encoded length: allocators round up, and collections keep room.
            bytes += 2 * self.behind_pointers as usize;
        }
        Ok((self.spec.cache.share_bytes() / bytes).max(1))
    }
}

impl Drop for Paging {
    fn drop(&mut self) {
        self.spec.cache.leave();
    }
}

fn measure(average: &mut f64, bytes: usize) {
    *average += (bytes as f64 - *average) * MEASURED_PART;
}

fn paged(declared: &mut Declared) -> Result<&mut dyn PagedTable> {
    let table = declared.table.paged();
    table.ok_or_else(|| Error::internal("a table that has no number is not in a store"))
}

//! The rows of a join side at one moment, and the form in which they are stored.
//!
//! An entry has up to [`ENTRY_ROWS_MAX`] rows of one key group:
//!
//! ```text
//!   matches │ length of the row, and whether a time follows │ time │ row │ matches │ …
//!   u32     │ u32, the highest bit                          │ i64  │     │
//! ```

use arrow_array::ArrayRef;
use thalweg_columnar::{EncodedRows, Pages, RowLog, hash_columns};
use thalweg_core::data::{Data, take_bytes};
use thalweg_core::error::Result;
use thalweg_core::key_group::key_group;
use thalweg_core::state::{EntryWriter, FrozenEntries};

use crate::exec::keyed::lifetime::SharedLifetime;

const ENTRY_ROWS_MAX: usize = 512;
const TIMED: u32 = 1 << 31;

/// The rows at one moment, to be written on another thread.
pub struct FrozenSide {
    /// The key columns.
    pub keys: Vec<usize>,
    /// The rows.
    pub log: RowLog,
    /// Which of them do not live.
    pub dead: Pages<bool>,
    /// How many rows of the other side match each, if they are counted.
    pub matches: Option<Pages<u32>>,
    /// Since when each lives, if it expires.
    pub lifetime: Option<SharedLifetime>,
    /// How many key groups there are.
    pub max_parallelism: u32,
}

impl FrozenSide {
    fn lives(&self, number: u32) -> bool {
        let dead = (number as usize) < self.dead.len() && *self.dead.get(number);
        let expired = self.lifetime.as_ref().is_some_and(|l| l.is_expired(number));
        !dead && !expired
    }

    fn write_row(&self, number: u32, bytes: &[u8], entry: &mut Vec<u8>) {
        let matches = self.matches.as_ref().map(|all| *all.get(number));
        matches.unwrap_or(0).encode(entry);
        let updated = self.lifetime.as_ref().and_then(|l| l.updated(number));
        let timed = if updated.is_some() { TIMED } else { 0 };
        (bytes.len() as u32 | timed).encode(entry);
        if let Some(updated) = updated {
            updated.encode(entry);
        }
        entry.extend_from_slice(bytes);
    }
}

impl FrozenEntries for FrozenSide {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        let mut open = vec![(Vec::new(), 0); self.max_parallelism as usize];
        let (mut hashes, mut encoded) = (Vec::new(), EncodedRows::default());
        for (first, columns, rows) in self.log.batches() {
            hashes.clear();
            let keys = self.keys.iter().map(|key| columns[*key].clone());
            hash_columns(&keys.collect::<Vec<ArrayRef>>(), &mut hashes)?;
            encoded.encode(&columns, rows)?;
            for (row, bytes) in encoded.iter().enumerate() {
                let number = first + row as u32;
                if !self.lives(number) {
                    continue;
                }
                let hash = hashes.get(row);
                let group = hash.map_or(0, |hash| key_group(*hash, self.max_parallelism));
                let (entry, rows) = &mut open[group as usize];
                self.write_row(number, bytes, entry);
                *rows += 1;
                if *rows == ENTRY_ROWS_MAX {
                    out.push(Some(group), entry)?;
                    entry.clear();
                    *rows = 0;
                }
            }
        }
        for (group, (entry, _)) in open.iter().enumerate() {
            if !entry.is_empty() {
                out.push(Some(group as u32), entry)?;
            }
        }
        Ok(())
    }
}

/// The rows of an entry.
pub struct StoredRows<'a> {
    /// How many rows of the other side match each.
    pub matches: Vec<u32>,
    /// Since when each lives, in milliseconds, if that was kept.
    pub updated_ms: Vec<Option<i64>>,
    /// Their canonical bytes.
    pub rows: Vec<&'a [u8]>,
}

impl<'a> StoredRows<'a> {
    /// Reads an entry.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are none.
    pub fn read(mut entry: &'a [u8]) -> Result<Self> {
        let mut stored = StoredRows {
            matches: Vec::new(),
            updated_ms: Vec::new(),
            rows: Vec::new(),
        };
        while !entry.is_empty() {
            stored.matches.push(u32::decode(&mut entry)?);
            let len = u32::decode(&mut entry)?;
            let updated = match len & TIMED {
                0 => None,
                _ => Some(i64::decode(&mut entry)?),
            };
            stored.updated_ms.push(updated);
            let row = take_bytes(&mut entry, (len & !TIMED) as usize)?;
            stored.rows.push(row);
        }
        Ok(stored)
    }
}

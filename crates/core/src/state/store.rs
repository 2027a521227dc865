//! The contract of stores that keep keyed state outside the typed tables: on disk, larger than
//! memory.
//!
//! ```text
//!   typed tables (a write-back cache)          StateBackend      one a slot: options, memory
//!        │ get_many      ▲ found                    │ open       one store an operator instance
//!        │ write         │                          ▼
//!        └──────────▶ StateStore ──checkpoint──▶ StoreCheckpoint: immutable files, by name
//!                         ▲                              │ uploaded once, kept by reference
//!                         └────────── open ◀─────────────┘ also of other instances: rescale
//! ```
//!
//! Everything goes through in batches: a store on disk is read once a batch of records and
//! written once a batch of evicted or dirty entries. A store knows bytes only; types, schemas and
//! their evolution stay above it.
//!
//! ```text
//!   stored key     key group (u16, big endian) ‖ table number (u8) ‖ canonical bytes of the key
//!   stored value   canonical bytes of the value; in a table with a time to live, behind the
//!                  time (i64, little endian, ms) of its last renewal
//! ```
//!
//! Big endian groups stand in order, so that the state of a range of key groups is one range of
//! keys. `docs/decisions/0020-rocksdb-for-larger-than-memory-state.md` says why it is so.

mod batch;
mod checkpoint;
mod key;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use batch::{ByteRows, WriteBatch, WriteOperation};
pub use checkpoint::{StoreCheckpoint, StoreFile};
pub use key::{MAX_KEY_GROUPS, StoredKey, group_range, push_key_prefix, table_range};

use super::KeyGroups;
use crate::error::Result;
use crate::host::Clock;

/// Takes what a lookup found: the position of the key in its batch, and the value.
pub type Found<'a> = dyn FnMut(usize, &[u8]) -> Result<()> + 'a;

/// Takes an entry of a scan, key and value, and says whether the scan goes on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + 'a;

/// What the store of one operator instance can do.
///
/// ```text
///   open ─▶ ( get_many | write | scan | checkpoint )*  ─▶ drop
/// ```
///
/// A read sees every write that returned before it. Nothing that was written after the last
/// checkpoint needs to survive the process: the checkpoint is the log. After an error of `write`
/// or `checkpoint` the store may refuse everything else; the task fails and restores.
pub trait StateStore: Send {
    /// Looks `keys` up, all at once. `found` gets the position of each key that has a value, and
    /// the value, in any order; a key that stands in `keys` twice is found twice.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, if stored bytes are damaged; `Retryable` if they cannot be
    /// read; what `found` returns.
    fn get_many(&mut self, keys: &ByteRows, found: &mut Found<'_>) -> Result<()>;

    /// Writes a batch. Of several writes to one key the last counts.
    ///
    /// # Errors
    /// `Retryable` if there is no room or no right to write.
    fn write(&mut self, batch: &WriteBatch) -> Result<()>;

    /// Visits the entries with keys in `start..end` in the order of their keys, until `visit`
    /// breaks off. [`group_range`] and [`table_range`] give bounds.
    ///
    /// # Errors
    /// As [`StateStore::get_many`]; what `visit` returns.
    fn scan(&mut self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()>;

    /// Makes all that was written durable and links its files into the new directory `links`.
    ///
    /// Nothing else happens before it returns: reading and storing the files elsewhere is the
    /// caller's, at any later time, after which the caller deletes `links`. The store does not
    /// change a file that it has linked.
    ///
    /// # Errors
    /// `Retryable` if `links` exists, or there is no room or no right to write.
    fn checkpoint(&mut self, links: &Path) -> Result<StoreCheckpoint>;

    /// Bytes of the state as it is stored, what is overwritten and not yet dropped included.
    fn approximate_bytes(&self) -> u64;

    /// Bytes of memory held by the stores of this backend: their caches, indexes and buffers.
    fn memory_bytes(&self) -> u64;
}

/// Opens stores: what `state.backend.type` names.
///
/// The stores of one backend share its memory, as the operators of a slot share the slot's.
pub trait StateBackend: Send + Sync {
    /// The value of `state.backend.type`.
    fn name(&self) -> &'static str;

    /// The memory that all open stores of the backend may hold together, in bytes.
    fn memory_budget_bytes(&self) -> u64;

    /// Opens the store of an operator instance.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, if one to restore from is damaged or missing; `Retryable` if
    /// the directory cannot be written; `Unsupported` for a checkpoint of another backend.
    fn open(&self, store: OpenStore<'_>) -> Result<Box<dyn StateStore>>;

    /// Deletes the links of a checkpoint, or the directory of a store that is gone. What cannot be
    /// deleted stays, and costs room.
    fn release(&self, directory: &Path);
}

/// What a store is opened with.
pub struct OpenStore<'a> {
    /// The working directory. It is the store's alone: what an earlier attempt left is deleted.
    /// It stays behind when the store is dropped, for whoever chose it to delete.
    pub directory: &'a Path,
    /// Stands in the names of the files this store writes. Unique among all stores of the job,
    /// those of earlier attempts included: equal names mean equal files.
    pub id: &'a str,
    /// The key groups of the instance. Everything else in `restore` is left behind.
    pub key_groups: KeyGroups,
    /// The tables, by their number in stored keys.
    pub tables: &'a [StoreTable],
    /// What time it is for values with a time to live; asked from the store's own threads too.
    pub clock: Arc<dyn Clock>,
    /// Checkpoints of one or several instances, of disjoint key groups; none for an empty store.
    /// Their files stay the caller's: the store links or copies what it needs.
    pub restore: &'a [StoreCheckpoint],
}

/// A table as a store knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreTable {
    /// How long an entry lives after its last renewal, which stands before its value as an `i64`
    /// in ms, little endian. The store may drop an entry once it is that old, at any time or
    /// never; until then it returns it. Entries of tables without never expire.
    pub ttl: Option<Duration>,
}

impl StoreTable {
    /// Whether an entry may be dropped. A value too short to hold its time is kept: the reader
    /// above reports it as damaged.
    pub fn is_expired(&self, value: &[u8], now_ms: i64) -> bool {
        let Some((since, _)) = value.split_first_chunk::<8>() else {
            return false;
        };
        self.ttl.is_some_and(|ttl| {
            let until_ms = now_ms.saturating_sub(crate::time::duration_millis(ttl));
            i64::from_le_bytes(*since) <= until_ms
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_expired_once_it_is_as_old_as_its_time_to_live() {
        let table = StoreTable {
            ttl: Some(Duration::from_millis(10)),
        };
        let value = [&100i64.to_le_bytes()[..], b"rest"].concat();
        assert!(!table.is_expired(&value, 109));
        assert!(table.is_expired(&value, 110));
        assert!(!table.is_expired(&value[..7], 110), "no time: kept");
        assert!(!StoreTable::default().is_expired(&value, i64::MAX));
    }
}

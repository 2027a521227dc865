//! The state of one operator instance in one database.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, ReadOptions};
use thalweg_core::error::Result;
use thalweg_core::state::KeyGroups;
use thalweg_core::state::store::{
    ByteRows, Found, StateStore, StoreCheckpoint, StoreFile, Visit, WriteBatch, WriteOperation,
};

use crate::failure::{failed, on_path};
use crate::memory::Memory;
use crate::restore::Inherited;
use crate::{NAME, tuning};

/// How the names of sorted files end, which are written once and never changed.
pub(crate) const SORTED_FILE: &str = ".sst";

// The blocks of so many keys are held at once, beside the cache if it is full.
const LOOKUP_KEYS_MAX: usize = 256;

/// What files are called in checkpoints.
pub(crate) struct Naming {
    pub(crate) id: String,
    pub(crate) inherited: Inherited,
    pub(crate) incremental: bool,
}

impl Naming {
    /// Local names are numbers, which another attempt uses again for other contents: the id of
    /// the store that wrote the file tells them apart.
    fn of(&self, local: &str) -> String {
        match self.inherited.get(local) {
            Some(name) => name.clone(),
            None if local.ends_with(SORTED_FILE) => format!("{}-{local}", self.id),
            None => local.to_owned(),
        }
    }
}

/// State in a database of RocksDB.
pub struct RocksDbStore {
    db: DB,
    memory: Arc<Memory>,
    key_groups: KeyGroups,
    naming: Naming,
    // The positions of the keys of a lookup, in the order of the keys.
    sorted: Vec<u32>,
}

impl RocksDbStore {
    pub(crate) fn new(db: DB, memory: Arc<Memory>, key_groups: KeyGroups, naming: Naming) -> Self {
        RocksDbStore {
            db,
            memory,
            key_groups,
            naming,
            sorted: Vec::new(),
        }
    }

    /// Merges all files into one run, and drops what is overwritten, deleted or expired. Takes as
    /// long as it takes to read and write the whole state.
    pub fn compact(&mut self) {
        self.db.compact_range(None::<&[u8]>, None::<&[u8]>);
    }

    fn property(&self, name: &str) -> u64 {
        // A property that is not known to this version of RocksDB counts as nothing.
        self.db.property_int_value(name).ok().flatten().unwrap_or(0)
    }

    fn linked_files(&self, links: &Path) -> Result<Vec<StoreFile>> {
        let mut files = Vec::new();
        for entry in on_path(fs::read_dir(links), "list", links)? {
            let entry = on_path(entry, "list", links)?;
            let local = entry.file_name().to_string_lossy().into_owned();
            let bytes = on_path(entry.metadata(), "read", &entry.path())?.len();
            // The log is empty, and the options are those of whoever opens the store.
            if local.ends_with(".log") || local.starts_with("OPTIONS") {
                continue;
            }
            files.push(StoreFile {
                name: self.naming.of(&local),
                bytes,
                path: entry.path(),
                shared: self.naming.incremental && local.ends_with(SORTED_FILE),
            });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }
}

impl StateStore for RocksDbStore {
    fn get_many(&mut self, keys: &ByteRows, found: &mut Found<'_>) -> Result<()> {
        // Neighbours share blocks: sorted, each block is searched once.
        self.sorted.clear();
        self.sorted.extend(0..keys.len() as u32);
        self.sorted
            .sort_unstable_by(|a, b| keys.row(*a as usize).cmp(keys.row(*b as usize)));
        let Some(family) = self.db.cf_handle(rocksdb::DEFAULT_COLUMN_FAMILY_NAME) else {
            return Err(thalweg_core::Error::internal("no default column family"));
        };
        let reads = ReadOptions::default();
        for part in self.sorted.chunks(LOOKUP_KEYS_MAX) {
            let rows = part.iter().map(|at| keys.row(*at as usize));
            let values = self.db.batched_multi_get_cf_opt(family, rows, true, &reads);
            for (at, value) in part.iter().zip(values) {
                match value {
                    Ok(Some(value)) => found(*at as usize, &value)?,
                    Ok(None) => {}
                    Err(error) => return Err(failed("be read", error)),
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &WriteBatch) -> Result<()> {
        let part_bytes = self.memory.write_buffer_bytes / 4;
        let writes = tuning::writes();
        let mut part =
            rocksdb::WriteBatch::with_capacity_bytes(part_bytes.min(batch.total_bytes()));
        let mut sorted: Vec<WriteOperation<'_>> = batch.iter().collect();
        // Stable: of several writes to a key the last stays the last.
        sorted.sort_by_key(WriteOperation::key);
        for operation in sorted {
            match operation {
                WriteOperation::Put { key, value } => part.put(key, value),
                WriteOperation::Delete { key } => part.delete(key),
            }
            // A batch goes into one write buffer, however large it is.
            if part.size_in_bytes() >= part_bytes {
                let full = std::mem::take(&mut part);
                self.db
                    .write_opt(full, &writes)
                    .map_err(|error| failed("be written", error))?;
            }
        }
        self.db
            .write_opt(part, &writes)
            .map_err(|error| failed("be written", error))
    }

    fn scan(&mut self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        let mut reads = ReadOptions::default();
        reads.set_iterate_lower_bound(start);
        reads.set_iterate_upper_bound(end);
        // What is read once would drive out what is read often.
        reads.fill_cache(false);
        let mut entries = self.db.raw_iterator_opt(reads);
        entries.seek_to_first();
        while let Some((key, value)) = entries.item() {
            if visit(key, value)? == ControlFlow::Break(()) {
                return Ok(());
            }
            entries.next();
        }
        entries.status().map_err(|error| failed("be read", error))
    }

    fn checkpoint(&mut self, links: &Path) -> Result<StoreCheckpoint> {
        Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(links))
            .map_err(|error| {
                failed("take a checkpoint", error).context(format!("`{}`", links.display()))
            })?;
        Ok(StoreCheckpoint {
            backend: NAME.to_owned(),
            key_groups: self.key_groups.clone(),
            files: self.linked_files(links)?,
        })
    }

    fn approximate_bytes(&self) -> u64 {
        self.property("rocksdb.live-sst-files-size")
            + self.property("rocksdb.cur-size-all-mem-tables")
    }

    fn memory_bytes(&self) -> u64 {
        self.memory.used_bytes() + self.property("rocksdb.estimate-table-readers-mem")
    }
}

impl Drop for RocksDbStore {
    fn drop(&mut self) {
        // Merges that nobody will read the result of.
        self.db.cancel_all_background_work(true);
    }
}

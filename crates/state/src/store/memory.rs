//! A store in memory: a sorted map. For tests and the simulator, and what a store should be
//! compared with.
//!
//! At a checkpoint it writes a file a key group, under a new name if the group was written to
//! since the last one: files are as immutable here as anywhere.
//!
//! ```text
//!   file     checksum of the rest (u64, xxh3) ‖ ( length (u32) ‖ key ‖ length (u32) ‖ value )*
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind as IoKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use thalweg_core::data::{Data, take_bytes, take_len};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::state::KeyGroups;
use thalweg_core::state::store::{
    ByteRows, Found, MAX_KEY_GROUPS, OpenStore, StateBackend, StateStore, StoreCheckpoint,
    StoreFile, StoredKey, Visit, WriteBatch, WriteOperation, group_range,
};

const NAME: &str = "memory";

/// Keeps state in memory, without a bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBackend;

impl StateBackend for MemoryBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn memory_budget_bytes(&self) -> u64 {
        u64::MAX
    }

    fn open(&self, open: OpenStore<'_>) -> Result<Box<dyn StateStore>> {
        Ok(Box::new(MemoryStore::open(open)?))
    }

    fn release(&self, directory: &Path) {
        // What cannot be deleted costs room only.
        let _ = fs::remove_dir_all(directory);
    }
}

/// State in a sorted map.
pub struct MemoryStore {
    directory: PathBuf,
    id: String,
    key_groups: KeyGroups,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: u64,
    // Written to since the last checkpoint.
    changed: BTreeSet<u32>,
    files: BTreeMap<u32, StoreFile>,
    checkpoints: u64,
}

impl MemoryStore {
    fn open(open: OpenStore<'_>) -> Result<Self> {
        match fs::remove_dir_all(open.directory) {
            Err(error) if error.kind() != IoKind::NotFound => {
                return Err(failed("empty", open.directory, error));
            }
            _ => {}
        }
        fs::create_dir_all(open.directory)
            .map_err(|error| failed("create", open.directory, error))?;
        let mut store = MemoryStore {
            directory: open.directory.to_owned(),
            id: open.id.to_owned(),
            key_groups: open.key_groups.clone(),
            entries: BTreeMap::new(),
            bytes: 0,
            changed: BTreeSet::new(),
            files: BTreeMap::new(),
            checkpoints: 0,
        };
        let now_ms = open.clock.now().millis();
        for from in open.restore {
            if from.backend != NAME {
                return Err(Error::unsupported(format!(
                    "the checkpoint is of the state backend `{}`, which `{NAME}` cannot read",
                    from.backend
                )));
            }
            for file in &from.files {
                store.restore(file, &open, now_ms)?;
            }
        }
        Ok(store)
    }

    fn restore(&mut self, file: &StoreFile, open: &OpenStore<'_>, now_ms: i64) -> Result<()> {
        let named = |error: Error| error.context(format!("file `{}`", file.path.display()));
        let bytes = fs::read(&file.path).map_err(|error| match error.kind() {
            IoKind::NotFound => Error::corrupt(format!("`{}` does not exist", file.path.display())),
            _ => failed("read", &file.path, error),
        })?;
        let entries = decode(&bytes).map_err(named)?;
        let (start, end) = group_range(&self.key_groups);
        let mut kept = None;
        let mut whole = true;
        for (key, value) in entries {
            let stored = StoredKey::parse(key).map_err(named)?;
            let table = open.tables.get(usize::from(stored.table));
            if key < &start[..] || key >= &end[..] {
                continue;
            }
            if table.is_some_and(|table| table.is_expired(value, now_ms)) {
                whole = false;
                continue;
            }
            self.put(key, value);
            kept = Some(stored.group);
        }
        if let Some(group) = kept.filter(|_| whole) {
            // The file goes on to belong to the checkpoints, from a place of the store's own.
            let path = self.directory.join(&file.name);
            fs::copy(&file.path, &path).map_err(|error| failed("copy", &file.path, error))?;
            self.changed.remove(&group);
            self.files.insert(
                group,
                StoreFile {
                    path,
                    ..file.clone()
                },
            );
        }
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.bytes += (key.len() + value.len()) as u64;
        self.note_change(key);
        if let Some(before) = self.entries.insert(key.to_vec(), value.to_vec()) {
            self.bytes -= (key.len() + before.len()) as u64;
        }
    }

    fn delete(&mut self, key: &[u8]) {
        self.note_change(key);
        if let Some(before) = self.entries.remove(key) {
            self.bytes -= (key.len() + before.len()) as u64;
        }
    }

    fn note_change(&mut self, key: &[u8]) {
        if let Ok(stored) = StoredKey::parse(key) {
            self.changed.insert(stored.group);
        }
    }

    /// Writes the groups that changed into new files.
    fn write_changed(&mut self) -> Result<()> {
        while let Some(group) = self.changed.first().copied() {
            if let Some(old) = self.files.remove(&group) {
                fs::remove_file(&old.path).map_err(|error| failed("delete", &old.path, error))?;
            }
            let (start, end) = group_range(&(group..(group + 1).min(MAX_KEY_GROUPS)));
            let mut body = Vec::new();
            for (key, value) in self.entries.range(start.to_vec()..end.to_vec()) {
                for part in [key, value] {
                    (part.len() as u32).encode(&mut body);
                    body.extend_from_slice(part);
                }
            }
            if body.is_empty() {
                self.changed.remove(&group);
                continue;
            }
            let bytes = [&stable_hash_bytes(&body).to_le_bytes()[..], &body].concat();
            let name = format!("{}-{}-{group}.entries", self.id, self.checkpoints);
            let path = self.directory.join(&name);
            fs::write(&path, &bytes).map_err(|error| failed("write", &path, error))?;
            let file = StoreFile {
                name,
                bytes: bytes.len() as u64,
                path,
                shared: true,
            };
            self.files.insert(group, file);
            self.changed.remove(&group);
        }
        self.checkpoints += 1;
        Ok(())
    }
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    let message = format!("cannot {what} `{}`", path.display());
    Error::new(ErrorKind::Retryable, message).with_source(error)
}

fn decode(bytes: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let mut rest = bytes;
    let checksum = u64::decode(&mut rest)?;
    if checksum != stable_hash_bytes(rest) {
        return Err(Error::corrupt("the checksum does not match"));
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let len = take_len(&mut rest, 1)?;
        let key = take_bytes(&mut rest, len)?;
        let len = take_len(&mut rest, 1)?;
        entries.push((key, take_bytes(&mut rest, len)?));
    }
    Ok(entries)
}

impl StateStore for MemoryStore {
    fn get_many(&mut self, keys: &ByteRows, found: &mut Found<'_>) -> Result<()> {
        for (at, key) in keys.iter().enumerate() {
            if let Some(value) = self.entries.get(key) {
                found(at, value)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &WriteBatch) -> Result<()> {
        for operation in batch.iter() {
            match operation {
                WriteOperation::Put { key, value } => self.put(key, value),
                WriteOperation::Delete { key } => self.delete(key),
            }
        }
        Ok(())
    }

    fn scan(&mut self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        for (key, value) in self.entries.range(start.to_vec()..end.to_vec()) {
            if visit(key, value)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, links: &Path) -> Result<StoreCheckpoint> {
        self.write_changed()?;
        fs::create_dir(links).map_err(|error| failed("create", links, error))?;
        let mut files = Vec::new();
        for file in self.files.values() {
            let path = links.join(&file.name);
            fs::hard_link(&file.path, &path).map_err(|error| failed("link", &path, error))?;
            files.push(StoreFile {
                path,
                ..file.clone()
            });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(StoreCheckpoint {
            backend: NAME.to_owned(),
            key_groups: self.key_groups.clone(),
            files,
        })
    }

    fn approximate_bytes(&self) -> u64 {
        self.bytes
    }

    fn memory_bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    crate::store_conformance!(MemoryBackend);

    /// Opens stores that are wrong in one way.
    struct Wrong(
        fn(&mut OpenStore<'_>),
        fn(Box<dyn StateStore>) -> Box<dyn StateStore>,
    );

    impl StateBackend for Wrong {
        fn name(&self) -> &'static str {
            "wrong"
        }

        fn memory_budget_bytes(&self) -> u64 {
            u64::MAX
        }

        fn release(&self, directory: &Path) {
            MemoryBackend.release(directory);
        }

        fn open(&self, mut open: OpenStore<'_>) -> Result<Box<dyn StateStore>> {
            self.0(&mut open);
            Ok(self.1(MemoryBackend.open(open)?))
        }
    }

    #[test]
    #[should_panic(expected = "has other bytes")]
    fn the_suite_notices_names_that_are_used_twice() {
        let wrong = Wrong(|open| open.id = "same", |store| store);
        let test = conformance::incremental_files_keep_their_names;
        conformance::run("thalweg-store-planted-names", &wrong, test);
    }

    #[test]
    #[should_panic(expected = "seed 0")]
    fn the_suite_notices_key_groups_that_are_left_behind() {
        let wrong = Wrong(
            |open| open.restore = &open.restore[..open.restore.len().min(1)],
            |store| store,
        );
        let test = conformance::key_groups_move_from_one_to_two_to_three_to_one;
        conformance::run("thalweg-store-planted-rescale", &wrong, test);
    }

    /// Forgets deletes.
    struct Keeping(Box<dyn StateStore>);

    impl StateStore for Keeping {
        fn get_many(&mut self, keys: &ByteRows, found: &mut Found<'_>) -> Result<()> {
            self.0.get_many(keys, found)
        }

        fn write(&mut self, batch: &WriteBatch) -> Result<()> {
            let mut puts = WriteBatch::default();
            for operation in batch.iter() {
                if let WriteOperation::Put { key, value } = operation {
                    puts.put(key, value);
                }
            }
            self.0.write(&puts)
        }

        fn scan(&mut self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
            self.0.scan(start, end, visit)
        }

        fn checkpoint(&mut self, links: &Path) -> Result<StoreCheckpoint> {
            self.0.checkpoint(links)
        }

        fn approximate_bytes(&self) -> u64 {
            self.0.approximate_bytes()
        }

        fn memory_bytes(&self) -> u64 {
            self.0.memory_bytes()
        }
    }

    #[test]
    #[should_panic(expected = "seed 0")]
    fn the_suite_notices_deletes_that_are_forgotten() {
        let wrong = Wrong(|_| (), |store| Box::new(Keeping(store)));
        conformance::run(
            "thalweg-store-planted-deletes",
            &wrong,
            conformance::a_store_reads_like_a_sorted_map,
        );
    }
}

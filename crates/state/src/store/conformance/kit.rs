//! A backend under test, its directories, and the naive model it is compared with.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thalweg_core::error::Result;
use thalweg_core::host::{ManualClock, Random};
use thalweg_core::state::KeyGroups;
use thalweg_core::state::store::{
    ByteRows, OpenStore, StateBackend, StateStore, StoreCheckpoint, StoreTable, WriteBatch,
    push_key_prefix,
};

pub(super) const GROUPS: u32 = 16;
pub(super) const ALL: KeyGroups = 0..GROUPS;

pub(super) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a test gets.
pub struct Subject<'a> {
    pub(super) backend: &'a dyn StateBackend,
    pub(super) clock: Arc<ManualClock>,
    scratch: PathBuf,
    // Numbers directories, and stores for their ids.
    next: Cell<u32>,
}

/// Deletes the directory of a test, however the test ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // The test's own panic is the one to report.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a test in a directory of its own, which goes afterwards.
pub fn run(name: &str, backend: &dyn StateBackend, test: fn(&Subject<'_>)) {
    let process = std::process::id();
    let scratch = format!("{}-{process}", name.replace("::", "-"));
    let scratch = std::env::temp_dir().join(scratch);
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).unwrap();
    let scratch = Scratch(scratch);
    test(&Subject {
        backend,
        clock: Arc::new(ManualClock::at(1000)),
        scratch: scratch.0.clone(),
        next: Cell::new(0),
    });
}

impl Subject<'_> {
    /// A path in the scratch directory where nothing is.
    pub(super) fn fresh(&self, what: &str) -> PathBuf {
        self.next.set(self.next.get() + 1);
        self.scratch.join(format!("{what}-{}", self.next.get()))
    }

    pub(super) fn try_open(
        &self,
        directory: &Path,
        key_groups: KeyGroups,
        tables: &[StoreTable],
        restore: &[StoreCheckpoint],
    ) -> Result<Box<dyn StateStore>> {
        self.next.set(self.next.get() + 1);
        self.backend.open(OpenStore {
            directory,
            id: &format!("attempt-{}", self.next.get()),
            key_groups,
            tables,
            clock: self.clock.clone(),
            restore,
        })
    }

    pub(super) fn open(
        &self,
        key_groups: KeyGroups,
        restore: &[StoreCheckpoint],
    ) -> Box<dyn StateStore> {
        let tables = [StoreTable::default(); 3];
        self.try_open(&self.fresh("store"), key_groups, &tables, restore)
            .unwrap()
    }

    pub(super) fn checkpoint(&self, store: &mut dyn StateStore) -> StoreCheckpoint {
        store.checkpoint(&self.fresh("links")).unwrap()
    }
}

/// A stored key of a small domain, so that keys are hit again.
pub(super) fn key(group: u32, table: u8, number: u32) -> Vec<u8> {
    let mut key = Vec::new();
    push_key_prefix(&mut key, group, table);
    // Keys of different lengths, the empty one included, whose beginnings are equal.
    key.extend(std::iter::repeat_n(b'k', number as usize % 4));
    if number > 3 {
        key.extend_from_slice(&number.to_le_bytes());
    }
    key
}

pub(super) fn value(random: &mut Random) -> Vec<u8> {
    let len = random.below(40) as usize;
    (0..len).map(|_| random.below(256) as u8).collect()
}

/// A batch of puts and deletes in `groups`, done to the model as well.
pub(super) fn write_at_random(
    store: &mut dyn StateStore,
    model: &mut Entries,
    groups: &KeyGroups,
    random: &mut Random,
) {
    let mut batch = WriteBatch::default();
    for _ in 0..random.below(120) {
        let group = groups.start + random.below(u64::from(groups.end - groups.start)) as u32;
        let key = key(group, random.below(3) as u8, random.below(60) as u32);
        if random.below(4) == 0 {
            batch.delete(&key);
            model.remove(&key);
        } else {
            let value = value(random);
            batch.put(&key, &value);
            model.insert(key, value);
        }
    }
    store.write(&batch).unwrap();
}

/// All entries with keys in `start..end`, which must come in order.
pub(super) fn scanned(store: &mut dyn StateStore, start: &[u8], end: &[u8]) -> Result<Entries> {
    let mut entries = Entries::new();
    store.scan(start, end, &mut |key, value| {
        let in_order = entries
            .last_key_value()
            .is_none_or(|(last, _)| &last[..] < key);
        assert!(in_order, "a scan goes back to {key:?}");
        entries.insert(key.to_vec(), value.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}

pub(super) fn all(store: &mut dyn StateStore) -> Result<Entries> {
    let (start, end) = thalweg_core::state::store::group_range(&ALL);
    scanned(store, &start, &end)
}

/// What a lookup finds, by position.
pub(super) fn looked_up(
    store: &mut dyn StateStore,
    keys: &ByteRows,
) -> Result<Vec<Option<Vec<u8>>>> {
    let mut values = vec![None; keys.len()];
    store.get_many(keys, &mut |at, value| {
        assert!(values[at].is_none(), "key {at} is found twice");
        values[at] = Some(value.to_vec());
        Ok(())
    })?;
    Ok(values)
}

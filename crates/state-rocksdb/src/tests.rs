//! The conformance suite, and what only this backend promises.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, iter};

use thalweg_core::error::ErrorKind;
use thalweg_core::host::{ManualClock, Random};
use thalweg_core::state::store::{
    ByteRows, OpenStore, StateStore, StoreCheckpoint, StoreTable, WriteBatch, push_key_prefix,
};

use crate::{CompactionStyle, RocksDbBackend, RocksDbOptions, RocksDbStore};

const MEMORY_BYTES: u64 = 16 << 20;

/// Small files and little memory, so that a test of some seconds has many files.
fn backend(compaction_style: CompactionStyle) -> RocksDbBackend {
    let options = RocksDbOptions {
        compaction_style,
        target_file_bytes: 1 << 20,
        ..RocksDbOptions::default()
    };
    RocksDbBackend::new(options, MEMORY_BYTES).unwrap()
}

mod universal {
    thalweg_state::store_conformance!(super::backend(crate::CompactionStyle::Universal));
}

mod level {
    thalweg_state::store_conformance!(super::backend(crate::CompactionStyle::Level));
}

mod whole_indexes {
    thalweg_state::store_conformance!({
        let options = crate::RocksDbOptions {
            partitioned_index_filters: false,
            ..crate::RocksDbOptions::default()
        };
        crate::RocksDbBackend::new(options, super::MEMORY_BYTES).unwrap()
    });
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = format!("thalweg-rocksdb-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(path);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn open(
        &self,
        backend: &RocksDbBackend,
        name: &str,
        tables: &[StoreTable],
        clock: &Arc<ManualClock>,
        restore: &[StoreCheckpoint],
    ) -> RocksDbStore {
        let open = OpenStore {
            directory: &self.0.join(name),
            id: name,
            key_groups: 0..128,
            tables,
            clock: clock.clone(),
            restore,
        };
        backend.open_store(open).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(number: u64, table: u8) -> Vec<u8> {
    let mut key = Vec::new();
    push_key_prefix(&mut key, (number % 128) as u32, table);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn numbers(store: &mut dyn StateStore, table: u8) -> usize {
    let mut count = 0;
    let visit = &mut |key: &[u8], _: &[u8]| {
        count += usize::from(key[2] == table);
        Ok(ControlFlow::Continue(()))
    };
    store.scan(&[0], &[1], visit).unwrap();
    count
}

#[test]
fn merging_files_drops_what_is_expired_and_nothing_else() {
    let scratch = Scratch::new("expiry");
    let clock = Arc::new(ManualClock::at(0));
    let ttl = Some(Duration::from_secs(1));
    let tables = [StoreTable::default(), StoreTable { ttl }];
    let backend = backend(CompactionStyle::Universal);
    let mut store = scratch.open(&backend, "store", &tables, &clock, &[]);
    let mut batch = WriteBatch::default();
    for number in 0..1000u64 {
        // Renewed at 0, 1, 2 … ms.
        let value = (number as i64).to_le_bytes();
        batch.put(&key(number, 0), &value);
        batch.put(&key(number, 1), &value);
    }
    store.write(&batch).unwrap();
    clock.set(999);
    store.compact();
    assert_eq!(numbers(&mut store, 1), 1000);
    clock.set(1499);
    store.compact();
    // 0 to 499 ms are a second ago or more.
    assert_eq!(numbers(&mut store, 1), 500);
    assert_eq!(numbers(&mut store, 0), 1000);
}

#[test]
fn two_stores_share_one_memory() {
    let scratch = Scratch::new("shared");
    let clock = Arc::new(ManualClock::at(0));
    let backend = backend(CompactionStyle::Universal);
    let mut stores = ["a", "b", "c"]
        .map(|name| scratch.open(&backend, name, &[StoreTable::default()], &clock, &[]));
    let random = &mut Random::new(1);
    let mut batch = WriteBatch::default();
    let mut keys = ByteRows::default();
    let mut most = 0;
    for round in 0..120u64 {
        for store in &mut stores {
            batch.clear();
            keys.clear();
            for number in 0..1000 {
                let value: Vec<u8> = iter::repeat_with(|| random.next_u64().to_le_bytes())
                    .take(16)
                    .flatten()
                    .collect();
                batch.put(&key(round * 1000 + number, 0), &value);
                keys.push(&key(random.below(round * 1000 + 1000), 0));
            }
            store.write(&batch).unwrap();
            let mut found = 0;
            let count = &mut |_, _: &[u8]| {
                found += 1;
                Ok(())
            };
            store.get_many(&keys, count).unwrap();
            assert_eq!(found, keys.len());
            most = most.max(store.memory_bytes());
        }
    }
    let stored: u64 = stores.iter().map(StateStore::approximate_bytes).sum();
    assert!(stored > 2 * MEMORY_BYTES, "{stored} bytes stored");
    assert!(most <= MEMORY_BYTES, "{most} of {MEMORY_BYTES} bytes");
}

#[test]
fn a_change_of_one_key_in_a_hundred_makes_a_small_checkpoint() {
    let scratch = Scratch::new("incremental");
    let clock = Arc::new(ManualClock::at(0));
    let backend = backend(CompactionStyle::Universal);
    let mut store = scratch.open(&backend, "store", &[StoreTable::default()], &clock, &[]);
    let random = &mut Random::new(2);
    let count = 200_000u64;
    let put = |batch: &mut WriteBatch, number: u64, random: &mut Random| {
        let value: Vec<u8> = iter::repeat_with(|| random.next_u64().to_le_bytes())
            .take(12)
            .flatten()
            .collect();
        batch.put(&key(number, 0), &value);
    };
    let mut batch = WriteBatch::default();
    for number in 0..count {
        put(&mut batch, number, random);
    }
    store.write(&batch).unwrap();
    store.compact();
    let full = store.checkpoint(&scratch.0.join("full")).unwrap();
    let known: Vec<_> = full.files.iter().map(|file| &file.name).collect();
    batch.clear();
    for _ in 0..count / 100 {
        put(&mut batch, random.below(count), random);
    }
    store.write(&batch).unwrap();
    let next = store.checkpoint(&scratch.0.join("next")).unwrap();
    let new = next.files.iter();
    let new = new.filter(|file| !file.shared || !known.contains(&&file.name));
    let new: u64 = new.map(|file| file.bytes).sum();
    let percent = 100.0 * new as f64 / full.total_bytes() as f64;
    assert!(percent < 3.0, "{percent} % of the state");
}

#[test]
fn without_incremental_checkpoints_no_file_is_shared() {
    let scratch = Scratch::new("whole");
    let clock = Arc::new(ManualClock::at(0));
    let options = [("state.backend.incremental", "false")];
    let options = RocksDbOptions::from_options(options).unwrap();
    let backend = RocksDbBackend::new(options, MEMORY_BYTES).unwrap();
    let mut store = scratch.open(&backend, "store", &[StoreTable::default()], &clock, &[]);
    let mut batch = WriteBatch::default();
    batch.put(&key(1, 0), b"value");
    store.write(&batch).unwrap();
    let taken = store.checkpoint(&scratch.0.join("links")).unwrap();
    assert!(taken.files.iter().all(|file| !file.shared));
    let mut restored = scratch.open(&backend, "next", &[StoreTable::default()], &clock, &[taken]);
    assert_eq!(numbers(&mut restored, 0), 1);
}

#[test]
fn too_little_memory_is_refused_with_the_key_to_raise() {
    let Err(error) = RocksDbBackend::new(RocksDbOptions::default(), 1 << 20) else {
        panic!("a store in a megabyte");
    };
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(
        error.to_string().contains("memory.fixed-per-slot"),
        "{error}"
    );
}

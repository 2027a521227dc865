//! Opens a store, takes two checkpoints and restores half of the key groups: `store <directory>`.

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use thalweg_core::error::{Error, Result};
use thalweg_core::host::ManualClock;
use thalweg_core::state::store::{
    ByteRows, OpenStore, StoreCheckpoint, StoreTable, WriteBatch, push_key_prefix,
};
use thalweg_state_rocksdb::RocksDbOptions;

fn main() -> Result<()> {
    let directory = env::args()
        .nth(1)
        .ok_or_else(|| Error::user("store <directory>"))?;
    let directory = Path::new(&directory);
    let set = [("state.backend.rocksdb.memory.fixed-per-slot", "16 mb")];
    let backend = thalweg_state_rocksdb::backend(RocksDbOptions::from_options(set)?, 64 << 20)?;
    let open = |id: &str, key_groups, restore: &[StoreCheckpoint]| {
        backend.open(OpenStore {
            directory: &directory.join(id),
            id,
            key_groups,
            tables: &[StoreTable::default()],
            clock: Arc::new(ManualClock::at(0)),
            restore,
        })
    };

    let mut store = open("attempt-1", 0..128, &[])?;
    for (number, groups) in [(1, 0..128), (2, 5..6)] {
        let mut batch = WriteBatch::default();
        for group in groups {
            batch.put_with(
                |key| push_key_prefix(key, group, 0),
                |value| value.extend_from_slice(b"some value"),
            );
        }
        store.write(&batch)?;
        let taken = store.checkpoint(&directory.join(format!("chk-{number}")))?;
        println!("checkpoint {number}:");
        for file in &taken.files {
            println!("  {} shared={}", file.name, file.shared);
        }
        if number == 2 {
            let mut half = open("attempt-2", 0..64, &[taken])?;
            let mut keys = ByteRows::default();
            keys.push_with(|key| push_key_prefix(key, 5, 0));
            keys.push_with(|key| push_key_prefix(key, 64, 0));
            half.get_many(&keys, &mut |at, value| {
                println!("key {at}: {}", String::from_utf8_lossy(value));
                Ok(())
            })?;
        }
    }
    drop(store);
    fs::remove_dir_all(directory)?;
    Ok(())
}

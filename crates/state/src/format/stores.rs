//! Which files of a store belong to a snapshot, in bytes.

use std::path::PathBuf;

use thalweg_core::data::{Data, take_len};
use thalweg_core::error::Result;
use thalweg_core::state::store::{StoreCheckpoint, StoreFile};
use thalweg_core::state::{StoreSnapshot, StoredTable};

use super::schema;

/// Appends the stores of a snapshot.
pub(super) fn write(stores: &[StoreSnapshot], out: &mut Vec<u8>) {
    (stores.len() as u32).encode(out);
    for store in stores {
        let StoreCheckpoint {
            backend,
            key_groups,
            files,
        } = &store.checkpoint;
        backend.encode(out);
        key_groups.start.encode(out);
        key_groups.end.encode(out);
        (store.tables.len() as u32).encode(out);
        for table in &store.tables {
            table.name.encode(out);
            schema::write(&table.schema, out);
        }
        (files.len() as u32).encode(out);
        for file in files {
            file.name.encode(out);
            file.bytes.encode(out);
            file.shared.encode(out);
        }
    }
}

/// Reads the stores of a snapshot; where their files are is still to be found out.
pub(super) fn read(input: &mut &[u8]) -> Result<Vec<StoreSnapshot>> {
    (0..take_len(input, 16)?)
        .map(|_| read_store(input))
        .collect()
}

fn read_store(input: &mut &[u8]) -> Result<StoreSnapshot> {
    let backend = String::decode(input)?;
    let key_groups = u32::decode(input)?..u32::decode(input)?;
    let mut tables = Vec::new();
    for _ in 0..take_len(input, 5)? {
        tables.push(StoredTable {
            name: String::decode(input)?,
            schema: schema::read(input)?,
        });
    }
    let mut files = Vec::new();
    for _ in 0..take_len(input, 13)? {
        files.push(StoreFile {
            name: String::decode(input)?,
            bytes: u64::decode(input)?,
            shared: bool::decode(input)?,
            path: PathBuf::new(),
        });
    }
    Ok(StoreSnapshot {
        checkpoint: StoreCheckpoint {
            backend,
            key_groups,
            files,
        },
        tables,
    })
}

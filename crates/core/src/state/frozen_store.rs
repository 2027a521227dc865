//! The part of a frozen state that lies in the files of a store.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::entry_writer::EntryWriter;
use super::frozen::FrozenEntries;
use super::paging_spec::PagingSpec;
use super::snapshot::StoredTable;
use super::store::{OpenStore, StateStore, StoreCheckpoint, StoreTable, StoredKey, table_range};
use crate::error::Result;

/// The files of a store at a barrier. They are linked until this is dropped.
pub struct FrozenStore {
    /// The files.
    pub checkpoint: StoreCheckpoint,
    /// The tables in it, by number.
    pub tables: Vec<StoredTable>,
    of_store: Vec<StoreTable>,
    links: PathBuf,
    spec: PagingSpec,
}

impl FrozenStore {
    pub(super) fn new(
        checkpoint: StoreCheckpoint,
        tables: Vec<StoredTable>,
        of_store: Vec<StoreTable>,
        links: PathBuf,
        spec: &PagingSpec,
    ) -> Self {
        FrozenStore {
            checkpoint,
            tables,
            of_store,
            links,
            spec: spec.clone(),
        }
    }

    /// Visits all entries of a table.
    fn scan(&self, number: u8, out: &mut EntryWriter<'_>) -> Result<()> {
        let directory = self.links.with_extension(format!("read-{number}"));
        let store = self.spec.backend.open(OpenStore {
            directory: &directory,
            id: "read",
            key_groups: self.checkpoint.key_groups.clone(),
            tables: &self.of_store,
            clock: self.spec.clock.clone(),
            restore: std::slice::from_ref(&self.checkpoint),
        });
        let scanned = store.and_then(|mut store| self.scan_open(store.as_mut(), number, out));
        self.spec.backend.release(&directory);
        scanned
    }

    fn scan_open(
        &self,
        store: &mut dyn StateStore,
        number: u8,
        out: &mut EntryWriter<'_>,
    ) -> Result<()> {
        let table = self.of_store[usize::from(number)];
        let now_ms = self.spec.clock.now().millis();
        for group in self.checkpoint.key_groups.clone() {
            let (start, end) = table_range(group, number);
            store.scan(&start, &end, &mut |key, value| {
                let parts = StoredKey::parse(key)?;
                if !table.is_expired(value, now_ms) {
                    out.push_with(|bytes| {
                        bytes.extend_from_slice(parts.key);
                        bytes.extend_from_slice(value);
                        Some(group)
                    })?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }
}

impl Drop for FrozenStore {
    fn drop(&mut self) {
        self.spec.backend.release(&self.links);
    }
}

/// The entries of one table in the files of a store.
pub(super) struct StoredEntries {
    pub(super) store: Arc<FrozenStore>,
    pub(super) number: u8,
}

impl FrozenEntries for StoredEntries {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        self.store.scan(self.number, out)
    }
}

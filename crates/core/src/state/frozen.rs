//! State at one moment, to be encoded later and on another thread.
//!
//! At a barrier a task only shares what it has; what it changes afterwards it copies first
//! ([`super::Chunked`]). So the task waits for a pointer a chunk, not for its state.

use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use super::entries::Entries;
use super::frozen_store::FrozenStore;
use super::key_index::Slot;
use super::snapshot::{Redistribution, StateSnapshot, StoreSnapshot, TableSnapshot};
use crate::data::{Data, Schema};
use crate::error::Result;
use crate::time::ProcessingTime;

/// The keys of an operator instance at one moment.
pub trait FrozenKeys: Send + Sync {
    /// Appends the canonical bytes of a slot's key.
    fn write_key(&self, slot: Slot, out: &mut Vec<u8>);

    /// The key group of a slot's key.
    fn group(&self, slot: Slot, max_parallelism: u32) -> u32;
}

/// The entries of a table at one moment.
pub trait FrozenEntries: Send + Sync {
    /// Appends all of them.
    ///
    /// # Errors
    /// None for what is in memory; what a store fails with.
    fn write(&self, out: &mut Entries) -> Result<()>;
}

impl FrozenEntries for Entries {
    fn write(&self, out: &mut Entries) -> Result<()> {
        out.append(self);
        Ok(())
    }
}

/// What a table is frozen with.
pub struct Freezing {
    /// The keys of the operator instance, if it is keyed.
    pub keys: Option<Arc<dyn FrozenKeys>>,
    /// How many key groups there are.
    pub max_parallelism: u32,
    /// What time it is: expired values are left out.
    pub now: ProcessingTime,
}

/// One state of an operator instance, frozen.
#[derive(Clone)]
pub struct FrozenTable {
    /// Its declared name.
    pub name: String,
    /// How it moves.
    pub redistribution: Redistribution,
    /// The writer's shape.
    pub schema: Schema,
    /// The entries.
    pub entries: Arc<dyn FrozenEntries>,
    /// Whether they lie in the files of the store.
    pub in_store: bool,
}

/// All state of one operator instance, frozen. Cloning shares it.
#[derive(Clone, Default)]
pub struct FrozenState {
    /// One a declared state, and one a timer domain.
    pub tables: Vec<FrozenTable>,
    /// The files of the store, if there is one.
    pub store: Option<Arc<FrozenStore>>,
}

impl Debug for FrozenState {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let names = self.tables.iter().map(|table| &table.name);
        f.debug_list().entries(names).finish()
    }
}

impl FrozenTable {
    /// Writes the entries.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode(&self) -> Result<TableSnapshot> {
        let mut entries = Entries::default();
        self.entries.write(&mut entries)?;
        Ok(TableSnapshot {
            name: self.name.clone(),
            redistribution: self.redistribution,
            schema: self.schema.clone(),
            entries,
        })
    }
}

impl FrozenState {
    /// Writes every state, whatever it is kept in: any backend can read it.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode(&self) -> Result<StateSnapshot> {
        let tables: Result<_> = self.tables.iter().map(FrozenTable::encode).collect();
        Ok(StateSnapshot {
            tables: tables?,
            stores: Vec::new(),
        })
    }

    /// Writes the states that are not in a store, and names the files of the store.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode_beside_store(&self) -> Result<StateSnapshot> {
        let beside = self.tables.iter().filter(|table| !table.in_store);
        let tables: Result<_> = beside.map(FrozenTable::encode).collect();
        let store = self.store.iter().map(|store| StoreSnapshot {
            checkpoint: store.checkpoint.clone(),
            tables: store.tables.clone(),
        });
        Ok(StateSnapshot {
            tables: tables?,
            stores: store.collect(),
        })
    }
}

impl From<TableSnapshot> for FrozenTable {
    fn from(table: TableSnapshot) -> Self {
        FrozenTable {
            name: table.name,
            redistribution: table.redistribution,
            schema: table.schema,
            entries: Arc::new(table.entries),
            in_store: false,
        }
    }
}

/// The timers of one time domain.
pub(super) struct FrozenTimers {
    /// By instant, in the order in which they fire.
    pub(super) timers: Vec<(i64, Vec<Slot>)>,
    pub(super) keys: Option<Arc<dyn FrozenKeys>>,
    pub(super) max_parallelism: u32,
}

impl FrozenEntries for FrozenTimers {
    fn write(&self, out: &mut Entries) -> Result<()> {
        for (time, slots) in &self.timers {
            for slot in slots {
                let keys = self.keys.as_ref().filter(|_| *slot != Slot::NONE);
                let group = keys.map(|keys| keys.group(*slot, self.max_parallelism));
                out.push_with(group, |bytes| {
                    time.encode(bytes);
                    if let Some(keys) = keys {
                        keys.write_key(*slot, bytes);
                    }
                });
            }
        }
        Ok(())
    }
}

//! State at one moment, to be encoded later and on another thread.
//!
//! At a barrier a task only shares what it has; what it changes afterwards it copies first
//! ([`super::Chunked`]). So the task waits for a pointer a chunk, not for its state.

use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use super::changes::{Changes, FrozenChanges};
use super::entries::Entries;
use super::frozen_store::FrozenStore;
use super::key_index::Slot;
use super::layers::{LayerTable, StateLayer};
use super::paging::Bits;
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

    /// Whether a slot has a key.
    fn contains(&self, slot: Slot) -> bool;
}

/// The entries of a table at one moment.
pub trait FrozenEntries: Send + Sync {
    /// Appends all of them.
    ///
    /// # Errors
    /// None for what is in memory; what a store fails with.
    fn write(&self, out: &mut Entries) -> Result<()>;

    /// The entries by slot, if a part of them can be written.
    fn by_slot(&self) -> Option<&dyn FrozenSlots> {
        None
    }
}

/// The entries of a keyed table at one moment, each under its slot.
pub trait FrozenSlots {
    /// Appends the entries of some slots to `out`, and the keys of those that have none to `cleared`.
    /// Slots without a key are passed over.
    fn write_slots(&self, slots: &Bits, cleared: &mut Entries, out: &mut Entries);
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
    /// What has changed lately, if somebody notes it.
    pub(super) changes: Option<Arc<FrozenChanges>>,
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

    /// Which freezing of its instance this is, counted from 1; `None` if no changes are noted.
    pub fn generation(&self) -> Option<u64> {
        self.changes.as_ref().map(|changes| changes.generation)
    }

    /// What has changed since an earlier freezing; `None` if that is not known any more.
    pub fn changes_since(&self, generation: u64) -> Option<Changes> {
        self.changes.as_ref()?.since(generation)
    }

    /// Writes the tables whose changes are noted: all of them, or changes only.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode_layer(&self, changes: Option<&Changes>) -> Result<StateLayer> {
        let mut layer = StateLayer {
            whole: changes.is_none(),
            removed: changes.map_or_else(Entries::default, |changes| changes.removed.clone()),
            tables: Vec::new(),
        };
        for (at, table) in self.layered() {
            let mut written = LayerTable {
                name: table.name.clone(),
                ..LayerTable::default()
            };
            let LayerTable {
                cleared, entries, ..
            } = &mut written;
            match (changes, table.entries.by_slot()) {
                (Some(changes), Some(slots)) => {
                    slots.write_slots(&changes.slots[at], cleared, entries);
                }
                _ => table.entries.write(entries)?,
            }
            layer.tables.push(written);
        }
        Ok(layer)
    }

    /// Writes all else: tables that lie in layers have no entries in it.
    ///
    /// # Errors
    /// As [`FrozenEntries::write`].
    pub fn encode_beside_layers(&self) -> Result<StateSnapshot> {
        let mut beside = self.clone();
        for (_, layered) in self.layered() {
            for table in &mut beside.tables {
                if table.name == layered.name {
                    table.entries = Arc::new(Entries::default());
                }
            }
        }
        beside.encode_beside_store()
    }

    /// The tables that can be written in layers, with their numbers among the tracked ones.
    fn layered(&self) -> impl Iterator<Item = (usize, &FrozenTable)> {
        let tracked = self.changes.iter().flat_map(|changes| &changes.tables);
        tracked.enumerate().filter_map(|(at, position)| {
            let table = self.tables.get(*position)?;
            table.entries.by_slot().is_some().then_some((at, table))
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

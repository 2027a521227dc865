//! All state of an operator instance at one moment, and which part of it is written where.

use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use super::changes::{Changes, FrozenChanges};
use super::entry_writer::EntryWriter;
use super::frozen::{FrozenEntries, FrozenKeys};
use super::frozen_store::FrozenStore;
use super::slot::Slot;
use super::snapshot::{Redistribution, StoreSnapshot, TableSnapshot};
use super::view::{Content, LayerTableView, LayerView, StateView, TableView};
use crate::data::{Data, Schema};
use crate::error::Result;

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
    fn view(&self) -> TableView<'_> {
        TableView {
            name: &self.name,
            redistribution: self.redistribution,
            schema: &self.schema,
            content: Content::All(self.entries.as_ref()),
        }
    }
}

impl FrozenState {
    /// Every state, whatever it is kept in: any backend can read it.
    pub fn whole(&self) -> StateView<'_> {
        StateView {
            tables: self.tables.iter().map(FrozenTable::view).collect(),
            stores: Vec::new(),
        }
    }

    /// The states that are not in a store, and the files of the store.
    pub fn beside_store(&self) -> StateView<'_> {
        let beside = self.tables.iter().filter(|table| !table.in_store);
        let store = self.store.iter().map(|store| StoreSnapshot {
            checkpoint: store.checkpoint.clone(),
            tables: store.tables.clone(),
        });
        StateView {
            tables: beside.map(FrozenTable::view).collect(),
            stores: store.collect(),
        }
    }

    /// All that no layer holds: tables that lie in layers have no entries in it.
    pub fn beside_layers(&self) -> StateView<'_> {
        let mut beside = self.beside_store();
        for (_, layered) in self.layered() {
            for table in &mut beside.tables {
                if table.name == layered.name {
                    table.content = Content::None;
                }
            }
        }
        beside
    }

    /// The tables whose changes are noted: all of them, or changes only.
    pub fn layer<'a>(&'a self, changes: Option<&'a Changes>) -> LayerView<'a> {
        let table = |(at, table): (usize, &'a FrozenTable)| {
            let slots = table.entries.by_slot();
            let (cleared, entries) = match (changes, slots) {
                (Some(changes), Some(slots)) => {
                    let bits = &changes.slots[at];
                    (Content::Cleared(slots, bits), Content::Slots(slots, bits))
                }
                _ => (Content::None, Content::All(table.entries.as_ref())),
            };
            LayerTableView {
                name: &table.name,
                cleared,
                entries,
            }
        };
        LayerView {
            whole: changes.is_none(),
            removed: changes.map_or(Content::None, |changes| Content::All(&changes.removed)),
            tables: self.layered().map(table).collect(),
        }
    }

    /// Which freezing of its instance this is, counted from 1; `None` if no changes are noted.
    pub fn generation(&self) -> Option<u64> {
        self.changes.as_ref().map(|changes| changes.generation)
    }

    /// What has changed since an earlier freezing; `None` if that is not known any more.
    pub fn changes_since(&self, generation: u64) -> Option<Changes> {
        self.changes.as_ref()?.since(generation)
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
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        for (time, slots) in &self.timers {
            for slot in slots {
                let keys = self.keys.as_ref().filter(|_| *slot != Slot::NONE);
                out.push_with(|bytes| {
                    time.encode(bytes);
                    keys.map(|keys| keys.write_key(*slot, self.max_parallelism, bytes))
                })?;
            }
        }
        Ok(())
    }
}

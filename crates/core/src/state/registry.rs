//! All state of one operator instance: what its factory declared, and which keys are live.

mod key_visit;

use std::any::TypeId;
use std::sync::Arc;

use super::changes::Tracking;
use super::declared::Declared;
use super::frozen::{Freezing, FrozenEntries};
use super::frozen_state::{FrozenState, FrozenTable, FrozenTimers};
use super::frozen_store::StoredEntries;
use super::key_index::{ErasedKeyIndex, KeyIndex};
use super::paging::Paging;
use super::paging_spec::PagingSpec;
use super::schemas;
use super::slot::Slot;
use super::slot_table::SlotTable;
use super::snapshot::{Redistribution, StateSnapshot, StoreSnapshot, TableSnapshot};
use super::table::{Cleaning, StateTable, TableHandle};
use crate::data::{Data, Key, KeySpan};
use crate::error::{Error, Result};
use crate::time::ProcessingTime;

// Entries that are restored before room is made.
const RESTORED_AT_ONCE: usize = 8192;

/// Timers by instant, in the order in which they fire.
pub type InstantSlots = Vec<(i64, Vec<Slot>)>;

/// The state of one operator instance.
#[derive(Default)]
pub struct StateRegistry {
    declared: Vec<Declared>,
    keys: Option<Box<dyn ErasedKeyIndex>>,
    key_type: Option<TypeId>,
    // The tables that were declared with a time to live.
    expiring: Vec<usize>,
    // How many states and timers hold each slot.
    live: Vec<u32>,
    // Slots whose count fell to 0 since the last sweep.
    idle: Vec<Slot>,
    // What stands between the tables and a store, if there is one.
    paging: Option<Box<Paging>>,
    // What has changed from one freezing to the next, if somebody wants to know.
    tracking: Option<Box<Tracking>>,
}

impl StateRegistry {
    pub(super) fn expiring<T: StateTable>(&mut self, name: &str, table: T) -> TableHandle<T> {
        let handle = self.table(name, table);
        self.expiring.push(handle.index);
        handle
    }

    /// Declares a table of the operator's own making.
    pub fn table<T: StateTable>(&mut self, name: &str, table: T) -> TableHandle<T> {
        self.declare(name, Redistribution::KeyGroup, Box::new(table))
    }

    /// Declares a table of the operator's own making that forgets what is expired: it is told to at
    /// every barrier ([`StateTable::clean_up`]), and by the operator itself.
    pub fn table_with_lifetime<T: StateTable>(&mut self, name: &str, table: T) -> TableHandle<T> {
        self.expiring(name, table)
    }

    /// Declares a table of which every instance holds the same entries: its input is broadcast.
    pub fn broadcast_table<T: StateTable>(&mut self, name: &str, table: T) -> TableHandle<T> {
        self.declare(name, Redistribution::Broadcast, Box::new(table))
    }

    pub(super) fn keyed<T: Data>(&mut self, name: &str) -> TableHandle<SlotTable<T>> {
        self.declare(
            name,
            Redistribution::KeyGroup,
            Box::new(SlotTable::<T>::default()),
        )
    }

    pub(super) fn declare<T: StateTable>(
        &mut self,
        name: &str,
        redistribution: Redistribution,
        table: Box<T>,
    ) -> TableHandle<T> {
        assert!(
            self.declared.iter().all(|declared| declared.name != name),
            "state `{name}` is declared twice"
        );
        let declared = Declared::new(name.to_owned(), redistribution, table);
        self.declared.push(declared);
        TableHandle::new(self.declared.len() - 1)
    }

    /// Makes the operator keyed by `K`.
    pub fn keyed_by<K: Key>(&mut self) {
        self.keys = Some(Box::new(KeyIndex::<K>::default()));
        self.key_type = Some(TypeId::of::<KeyIndex<K>>());
    }

    /// The live keys; `Internal` if the operator is not keyed by `K`.
    ///
    /// # Errors
    /// `Internal` if the operator is keyed by another type or not at all.
    pub fn keys_mut<K: Key>(&mut self) -> Result<&mut KeyIndex<K>> {
        self.keys
            .as_mut()
            .and_then(|keys| keys.as_any_mut().downcast_mut())
            .ok_or_else(|| Error::internal("the operator is not keyed by this type"))
    }

    /// The key in a slot, if the operator is keyed by `K`.
    pub fn key<K: Key>(&self, slot: Slot) -> Option<&K> {
        self.keys
            .as_ref()
            .and_then(|keys| keys.as_any().downcast_ref::<KeyIndex<K>>())
            .and_then(|keys| keys.key(slot))
    }

    /// A declared table.
    #[inline]
    pub fn get<T: StateTable>(&self, handle: &TableHandle<T>) -> &T {
        self.declared[handle.index].typed()
    }

    /// A declared table, for writing.
    #[inline]
    pub fn get_mut<T: StateTable>(&mut self, handle: &TableHandle<T>) -> &mut T {
        self.declared[handle.index].typed_mut()
    }

    /// The value of a slot, first created by `default`; a new value holds the slot. One lookup of
    /// the table, where `get_mut` and [`StateRegistry::hold`] would be two.
    #[inline]
    pub(super) fn value_or_insert_with<T: Data>(
        &mut self,
        handle: &TableHandle<SlotTable<T>>,
        slot: Slot,
        default: impl FnOnce() -> T,
    ) -> &mut T {
        let place = self.declared[handle.index]
            .typed_mut::<SlotTable<T>>()
            .place(slot);
        if place.is_none() {
            hold(&mut self.live, slot);
        }
        place.get_or_insert_with(default)
    }

    /// Counts one more holder of a slot.
    #[inline]
    pub fn hold(&mut self, slot: Slot) {
        hold(&mut self.live, slot);
    }

    /// Counts one holder of a slot less.
    #[inline]
    pub fn let_go(&mut self, slot: Slot) {
        let_go(&mut self.live, &mut self.idle, slot);
    }

    /// Notes that a slot was looked up, so that a sweep finds it if nothing was stored, and
    /// [`StateRegistry::fetch`] if its values are not in memory.
    #[inline]
    pub fn touch(&mut self, slot: Slot) {
        let index = slot.index();
        if let Some(paging) = &mut self.paging {
            paging.touch(slot);
        }
        if self.live.get(index).is_none_or(|count| *count == 0) {
            self.idle.push(slot);
        }
    }

    /// Drops expired values of state with a time to live. Called between batches, and before a
    /// snapshot for all of it.
    pub fn clean_up(&mut self, now: ProcessingTime, cleaning: Cleaning) {
        for at in 0..self.expiring.len() {
            let table = &mut self.declared[self.expiring[at]].table;
            let (live, idle) = (&mut self.live, &mut self.idle);
            table.clean_up(now, cleaning, &mut |slot| let_go(live, idle, slot));
        }
    }

    /// Brings the values of touched slots into memory, all at once.
    ///
    /// # Errors
    /// What the store fails with.
    #[inline]
    pub fn fetch(&mut self) -> Result<()> {
        let (Some(paging), Some(keys)) = (&mut self.paging, &self.keys) else {
            return Ok(());
        };
        let live = &mut self.live;
        paging.load(&mut self.declared, keys.as_ref(), &mut |slot| {
            hold(live, slot)
        })
    }

    /// Has the machine fetch the places of slots that are about to be used, all at once.
    pub fn look_ahead(&self, slots: &[Slot]) {
        for declared in &self.declared {
            declared.table.look_ahead(slots);
        }
    }

    /// Gives back the slots that nothing holds, and makes room. Called between batches, when no
    /// record's slot is still in use.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn sweep(&mut self) -> Result<()> {
        self.make_room()?;
        let Some(keys) = &mut self.keys else {
            return Ok(());
        };
        for slot in self.idle.drain(..) {
            if self.live.get(slot.index()).is_none_or(|count| *count == 0) {
                if let Some(paging) = &mut self.paging {
                    paging.release(&mut self.declared, keys.as_ref(), slot)?;
                }
                if let Some(tracking) = &mut self.tracking {
                    tracking.release(&mut self.declared, keys.as_ref(), slot, self.live.len());
                }
                keys.release(slot);
            }
        }
        Ok(())
    }

    /// Keeps keyed state in a store from now on, and takes over what is in `stores`. Called once,
    /// when everything is declared. Does nothing for an operator that has no keyed state, or keeps
    /// it in tables of its own making.
    ///
    /// # Errors
    /// What the store fails with; as [`StateRegistry::restore`].
    pub fn page(&mut self, spec: PagingSpec, stores: &[StoreSnapshot]) -> Result<()> {
        let paging = Paging::open(spec, &mut self.declared, self.keys.as_deref(), stores)?;
        self.paging = paging.map(Box::new);
        Ok(())
    }

    /// Notes from now on what changes, so that frozen states can be written as changes. Called once,
    /// when everything is declared. A store below does that itself; layers tell keys by their bytes,
    /// which takes a type that does not contain itself.
    pub fn track_changes(&mut self, max_parallelism: u32) {
        let keys = self.keys.as_ref().filter(|_| self.paging.is_none());
        if keys.is_some_and(|keys| KeySpan::of(&keys.schema()).is_ok()) {
            let tracking = Tracking::begin(&mut self.declared, max_parallelism);
            self.tracking = Some(Box::new(tracking));
        }
    }

    /// Every state as it is now, to be encoded later; `timers` are the operator's timers by name of
    /// their domain. Changes of what lies in a store are written down first.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn freeze(
        &mut self,
        max_parallelism: u32,
        now: ProcessingTime,
        timers: Vec<(&'static str, InstantSlots)>,
    ) -> Result<FrozenState> {
        let store = match (&mut self.paging, &self.keys) {
            (Some(paging), Some(keys)) => {
                let store = paging.checkpoint(&mut self.declared, keys.as_ref())?;
                Some(Arc::new(store))
            }
            _ => None,
        };
        let freezing = Freezing {
            keys: self.keys.as_mut().map(|keys| keys.freeze()),
            max_parallelism,
            now,
        };
        let keys = self.keys.as_deref();
        let stored = |position: usize| {
            let store = store.as_ref()?;
            let mut numbers = self.paging.as_ref()?.numbers();
            let (_, number) = numbers.find(|(declared, _)| *declared == position)?;
            let store = store.clone();
            Some(Arc::new(StoredEntries { store, number }) as Arc<dyn FrozenEntries>)
        };
        let freeze = |(position, declared): (usize, &mut Declared)| {
            let stored = stored(position);
            FrozenTable {
                name: declared.name.clone(),
                redistribution: declared.redistribution,
                schema: schemas::entry(declared.table.as_ref(), keys),
                in_store: stored.is_some(),
                entries: stored.unwrap_or_else(|| declared.table.freeze(&freezing)),
            }
        };
        let declared = self.declared.iter_mut().enumerate();
        let mut tables: Vec<FrozenTable> = declared.map(freeze).collect();
        tables.extend(timers.into_iter().map(|(name, timers)| FrozenTable {
            name: name.to_owned(),
            redistribution: Redistribution::Timers,
            schema: schemas::timer(keys),
            entries: Arc::new(FrozenTimers {
                timers,
                keys: freezing.keys.clone(),
                max_parallelism,
            }),
            in_store: false,
        }));
        let changes = self.tracking.as_mut().map(|tracking| {
            let changes = tracking.freeze(&mut self.declared);
            Arc::new(changes)
        });
        Ok(FrozenState {
            tables,
            store,
            changes,
        })
    }

    /// Takes back what [`StateRegistry::freeze`] has kept. Returns the timers by domain.
    ///
    /// # Errors
    /// `Corrupt` for damaged entries; `User` for a state that the operator does not declare, or
    /// whose stored shape cannot be read as the declared one: [`crate::data::Rewrite`] says which
    /// can.
    pub fn restore(&mut self, snapshot: &StateSnapshot) -> Result<Vec<(String, i64, Slot)>> {
        if let Some(store) = snapshot.stores.first().filter(|_| self.paging.is_none()) {
            return Err(Error::user(format!(
                "the snapshot was taken with `state.backend.type` = `{}`, and now there is another; \
                 a savepoint can be read by any",
                store.checkpoint.backend
            )));
        }
        let mut timers = Vec::new();
        for table in &snapshot.tables {
            if table.redistribution == Redistribution::Timers {
                table.restore_timers(self.keys.as_deref_mut(), &mut timers)?;
                continue;
            }
            let mut declared = self.declared.iter();
            let position = declared.position(|declared| declared.name == table.name);
            let Some(position) = position else {
                if table.entries.is_empty() {
                    continue;
                }
                return Err(undeclared(&table.name));
            };
            self.restore_table(position, table)
                .map_err(|error| error.context(format!("state `{}`", table.name)))?;
        }
        for (_, _, slot) in &timers {
            if *slot != Slot::NONE {
                self.hold(*slot);
            }
        }
        Ok(timers)
    }

    /// Reads the entries of one table, so many at a time as a store below it takes in one go.
    fn restore_table(&mut self, position: usize, stored: &TableSnapshot) -> Result<()> {
        let declared = &self.declared[position];
        let keys = self.keys.as_deref();
        let rewrite = schemas::rewrite(&stored.schema, declared.table.as_ref(), keys)?;
        let mut held = Vec::new();
        let mut entries = stored.entries.iter().peekable();
        while entries.peek().is_some() {
            for (_, entry) in entries.by_ref().take(RESTORED_AT_ONCE) {
                let rewritten;
                let bytes = match &rewrite {
                    None => entry,
                    Some(rewrite) => {
                        rewritten = rewrite.apply(entry)?;
                        rewritten.as_slice()
                    }
                };
                let keys: Option<&mut dyn ErasedKeyIndex> = match &mut self.keys {
                    Some(keys) => Some(keys.as_mut()),
                    None => None,
                };
                let table = &mut self.declared[position].table;
                table.restore(bytes, keys, &mut |slot| held.push(slot))?;
            }
            for slot in held.drain(..) {
                self.hold(slot);
                if let Some(paging) = &mut self.paging {
                    paging.touch(slot);
                }
            }
            // What other states have of these keys may have been evicted since.
            self.fetch()?;
            self.sweep()?;
        }
        Ok(())
    }

    fn make_room(&mut self) -> Result<()> {
        let (Some(paging), Some(keys)) = (&mut self.paging, &self.keys) else {
            return Ok(());
        };
        let (live, idle) = (&mut self.live, &mut self.idle);
        let freed = &mut |slot| let_go(live, idle, slot);
        paging.evict(&mut self.declared, keys.as_ref(), freed)
    }
}

pub(super) fn undeclared(name: &str) -> Error {
    Error::user(format!(
        "the snapshot holds state `{name}`, which the operator does not declare"
    ))
}

#[inline]
fn hold(live: &mut Vec<u32>, slot: Slot) {
    let index = slot.index();
    if index >= live.len() {
        live.resize((index + 1).max(live.len() * 2), 0);
    }
    live[index] += 1;
}

#[inline]
fn let_go(live: &mut [u32], idle: &mut Vec<Slot>, slot: Slot) {
    let count = &mut live[slot.index()];
    *count -= 1;
    if *count == 0 {
        idle.push(slot);
    }
}

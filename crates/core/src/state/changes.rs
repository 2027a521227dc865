//! What has changed in an instance's keyed tables from one freezing to the next.
//!
//! ```text
//!   freezing      3            4            5            6
//!   change sets     ├─ set 4 ──┤── set 5 ──┤── set 6 ──┤
//! ```
//!
//! A frozen state carries the last few sets, so that whoever stores it can write what has changed
//! since any of the last freezings: the one that turned out to be durable. The task need not know
//! which that is, and a checkpoint that came to nothing or a savepoint in between disturbs nobody.
//!
//! INVARIANT: if a key had an entry at freezing `g` and is released later, a set behind `g` names it
//! as removed. Its value was taken through the table, which marks the slot in the set of that time;
//! a release looks for the mark in all sets that are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bits::Bits;
use super::declared::Declared;
use super::entries::Entries;
use super::key_index::ErasedKeyIndex;
use super::slot::Slot;

// Sets that are kept: so many checkpoints in a row may come to nothing before all is written again.
const SETS_MAX: usize = 4;
// Up to so many removed keys are remembered however few keys there are.
const REMOVED_MIN: usize = 4096;

/// What changed between two freezings.
pub(super) struct ChangeSet {
    /// The changed slots of each tracked table.
    slots: Vec<Bits>,
    /// Key group and canonical bytes of keys that hold nothing any more.
    removed: Entries,
}

/// The last change sets of a frozen state.
pub(super) struct FrozenChanges {
    /// The freezing.
    pub(super) generation: u64,
    /// The places of the tracked tables among all.
    pub(super) tables: Vec<usize>,
    sets: Vec<Arc<ChangeSet>>,
}

/// Notes changes between freezings.
#[derive(Default)]
pub(super) struct Tracking {
    max_parallelism: u32,
    tables: Vec<usize>,
    generation: u64,
    sets: VecDeque<Arc<ChangeSet>>,
    /// `None` once there were too many.
    removed: Option<Entries>,
}

impl Tracking {
    /// Begins with those declared tables that can say what changes.
    pub(super) fn begin(declared: &mut [Declared], max_parallelism: u32) -> Self {
        let mut tables = Vec::new();
        for (position, declared) in declared.iter_mut().enumerate() {
            if let Some(table) = declared.table.paged() {
                table.track();
                tables.push(position);
            }
        }
        Tracking {
            max_parallelism,
            tables,
            ..Tracking::default()
        }
    }

    /// A key that nothing holds may be about to be forgotten. `keys_max` is how many there were at once.
    pub(super) fn release(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        slot: Slot,
        keys_max: usize,
    ) {
        // A slot may be idle for two reasons, and is let go once.
        if !keys.contains(slot) {
            return;
        }
        let mut changed = false;
        for position in &self.tables {
            let table = declared[*position].table.paged();
            changed |= table.is_some_and(|table| table.take_change(slot));
        }
        let mut earlier = self.sets.iter().flat_map(|set| &set.slots);
        if !changed && !earlier.any(|slots| slots.contains(slot.index())) {
            return;
        }
        if let Some(removed) = &mut self.removed {
            removed.push_with(|bytes| {
                keys.write_key(slot, bytes);
                Some(keys.group(slot, self.max_parallelism))
            });
            // To write all is cheaper then, and what is remembered must have an end.
            if removed.len() > REMOVED_MIN.max(keys_max / 2) {
                self.removed = None;
            }
        }
    }

    /// The state is frozen.
    pub(super) fn freeze(&mut self, declared: &mut [Declared]) -> FrozenChanges {
        let slots = self.tables.iter().map(|position| {
            let table = declared[*position].table.paged();
            table.map(|table| table.take_changes()).unwrap_or_default()
        });
        let slots: Vec<Bits> = slots.collect();
        self.generation += 1;
        match self.removed.replace(Entries::default()) {
            Some(removed) => self.sets.push_back(Arc::new(ChangeSet { slots, removed })),
            // Nobody knows what has changed since the freezings before this one.
            None => self.sets.clear(),
        }
        if self.sets.len() > SETS_MAX {
            self.sets.pop_front();
        }
        FrozenChanges {
            generation: self.generation,
            tables: self.tables.clone(),
            sets: self.sets.iter().cloned().collect(),
        }
    }
}

/// What has changed from one freezing to a later one.
pub struct Changes {
    /// The changed slots of each tracked table.
    pub(super) slots: Vec<Bits>,
    /// The keys that hold nothing any more.
    pub(super) removed: Entries,
}

impl Changes {
    /// How many entries a layer of them holds, at most.
    pub fn len(&self) -> usize {
        let slots = self.slots.iter().map(|slots| slots.iter().count());
        self.removed.len() + slots.sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FrozenChanges {
    /// What has changed since a freezing; `None` if that is not known any more.
    pub(super) fn since(&self, since: u64) -> Option<Changes> {
        let count = usize::try_from(self.generation.checked_sub(since)?).ok()?;
        let sets = &self.sets[self.sets.len().checked_sub(count)?..];
        let mut changes = Changes {
            slots: vec![Bits::default(); self.tables.len()],
            removed: Entries::default(),
        };
        for set in sets {
            for (union, slots) in changes.slots.iter_mut().zip(&set.slots) {
                for index in slots.iter() {
                    union.insert(index);
                }
            }
            changes.removed.append(&set.removed);
        }
        Some(changes)
    }
}

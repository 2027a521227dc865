//! How often each group has met each value, in each of several calls: for values that are taken
//! back and for groups that come and go.
//!
//! All groups share one hash table. With a table a group, finding a value would take a look at
//! the group's table, at its control bytes and at its bucket, each a cache miss where groups are
//! many; here it takes the last two. The values of a group form a list through an arena, so that
//! a group can be written, merged and emptied without looking at others.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use thalweg_columnar::Pages;

const HASHER: FixedState = FixedState::with_seed(0x6469_7374_696e_6374);

// The end of a list.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    value: i64,
    group: u32,
    place: u32,
}

#[derive(Clone, Copy)]
struct Kept {
    value: i64,
    previous: u32,
    next: u32,
}

/// Whether a value came to a group or left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is there, or not, as before.
    Same,
    /// It was not there before.
    Appeared,
    /// It is no longer there.
    Vanished,
}

/// The sets.
pub struct CountedSets {
    table: HashTable<Slot>,
    arena: Pages<Kept>,
    /// `stride` counts for each place of the arena.
    counts: Pages<i64>,
    calls: usize,
    /// Counts of a place: as many as there are calls, rounded up, so that none lie on two pages.
    stride: usize,
    heads: Pages<u32>,
    free: Vec<u32>,
}

fn hash(group: u32, value: i64) -> u64 {
    HASHER.hash_one((group, value))
}

impl CountedSets {
    /// Empty sets that count for so many calls.
    pub fn new(calls: usize) -> Self {
        CountedSets {
            table: HashTable::new(),
            arena: Pages::new(),
            counts: Pages::new(),
            calls,
            stride: calls.next_power_of_two(),
            heads: Pages::new(),
            free: Vec::new(),
        }
    }

    /// The same sets, to be read, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self) -> Self {
        CountedSets {
            table: HashTable::new(),
            arena: self.arena.share(),
            counts: self.counts.share(),
            calls: self.calls,
            stride: self.stride,
            heads: self.heads.share(),
            free: Vec::new(),
        }
    }

    /// Makes room for groups `0..groups`.
    pub fn resize(&mut self, groups: usize) {
        self.heads.grow(groups, NONE);
    }

    /// Whether a group has no value.
    pub fn is_empty(&self, group: u32) -> bool {
        *self.heads.get(group) == NONE
    }

    /// Changes the counts of a value, one a call. A value whose counts are all 0 is not there.
    #[inline]
    pub fn change<T>(
        &mut self,
        group: u32,
        value: i64,
        change: impl FnOnce(&mut [i64]) -> T,
    ) -> (T, Presence) {
        let found = |slot: &Slot| slot.value == value && slot.group == group;
        let rehash = |slot: &Slot| hash(slot.group, slot.value);
        match self.table.entry(hash(group, value), found, rehash) {
            Entry::Occupied(slot) => {
                let place = slot.get().place;
                let counts = self
                    .counts
                    .range_mut(place as usize * self.stride, self.calls);
                let result = change(counts);
                if counts.iter().any(|count| *count != 0) {
                    return (result, Presence::Same);
                }
                slot.remove();
                self.unlink(group, place);
                (result, Presence::Vanished)
            }
            Entry::Vacant(vacant) => {
                let place = match self.free.last() {
                    Some(place) => *place,
                    None => {
                        let place = self.arena.push(Kept {
                            value,
                            previous: NONE,
                            next: NONE,
                        });
                        self.counts.grow(self.arena.len() * self.stride, 0);
                        self.free.push(place);
                        place
                    }
                };
                let counts = self
                    .counts
                    .range_mut(place as usize * self.stride, self.calls);
                let result = change(counts);
                if counts.iter().all(|count| *count == 0) {
                    return (result, Presence::Same);
                }
                vacant.insert(Slot {
                    value,
                    group,
                    place,
                });
                self.free.pop();
                self.link(group, place, value);
                (result, Presence::Appeared)
            }
        }
    }

    fn link(&mut self, group: u32, place: u32, value: i64) {
        let next = std::mem::replace(self.heads.get_mut(group), place);
        *self.arena.get_mut(place) = Kept {
            value,
            previous: NONE,
            next,
        };
        if next != NONE {
            self.arena.get_mut(next).previous = place;
        }
    }

    fn unlink(&mut self, group: u32, place: u32) {
        let Kept { previous, next, .. } = *self.arena.get(place);
        if previous == NONE {
            *self.heads.get_mut(group) = next;
        } else {
            self.arena.get_mut(previous).next = next;
        }
        if next != NONE {
            self.arena.get_mut(next).previous = previous;
        }
        self.free.push(place);
    }

    /// The values of a group with their counts, the latest first.
    pub fn iter(&self, group: u32) -> impl Iterator<Item = (i64, &[i64])> + '_ {
        let place = |place: u32| (place != NONE).then_some(place);
        let first = place(*self.heads.get(group));
        std::iter::successors(first, move |last| place(self.arena.get(*last).next)).map(|at| {
            let counts = self.counts.range(at as usize * self.stride, self.calls);
            (self.arena.get(at).value, counts)
        })
    }

    /// Empties a group, telling its values.
    pub fn clear(&mut self, group: u32, mut each: impl FnMut(i64)) {
        let mut place = std::mem::replace(self.heads.get_mut(group), NONE);
        while place != NONE {
            let Kept { value, next, .. } = *self.arena.get(place);
            let found = |slot: &Slot| slot.value == value && slot.group == group;
            if let Ok(slot) = self.table.find_entry(hash(group, value), found) {
                slot.remove();
            }
            // Free places have no counts.
            let counts = self
                .counts
                .range_mut(place as usize * self.stride, self.calls);
            counts.fill(0);
            self.free.push(place);
            each(value);
            place = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sorted(sets: &CountedSets, group: u32) -> Vec<(i64, Vec<i64>)> {
        let values = sets.iter(group);
        let mut all: Vec<_> = values
            .map(|(value, counts)| (value, counts.to_vec()))
            .collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn sets_are_those_of_a_map_a_group(
            steps in prop::collection::vec((0u32..3, 0i64..5, 0usize..2, -2i64..3), 0..200),
        ) {
            let mut sets = CountedSets::new(2);
            sets.resize(3);
            let mut model: Vec<BTreeMap<i64, Vec<i64>>> = vec![BTreeMap::new(); 3];
            for (group, value, call, change) in steps {
                let map = &mut model[group as usize];
                if change == 0 && call == 0 {
                    let mut told = Vec::new();
                    sets.clear(group, |value| told.push(value));
                    told.sort_unstable();
                    prop_assert_eq!(told, map.keys().copied().collect::<Vec<_>>());
                    map.clear();
                    continue;
                }
                let was = map.contains_key(&value);
                let counts = map.entry(value).or_insert_with(|| vec![0; 2]);
                counts[call] += change;
                let expected = counts[call];
                map.retain(|_, counts| counts.iter().any(|count| *count != 0));
                let presence = match (was, map.contains_key(&value)) {
                    (false, true) => Presence::Appeared,
                    (true, false) => Presence::Vanished,
                    _ => Presence::Same,
                };
                let changed = sets.change(group, value, |counts| {
                    counts[call] += change;
                    counts[call]
                });
                prop_assert_eq!(changed, (expected, presence));
            }
            for (group, map) in model.iter().enumerate() {
                let expected: Vec<_> = map.iter().map(|(v, c)| (*v, c.clone())).collect();
                prop_assert_eq!(sorted(&sets, group as u32), expected);
                prop_assert_eq!(sets.is_empty(group as u32), map.is_empty());
            }
        }
    }
}

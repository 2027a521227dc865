//! A set of integers for each of many groups, in one hash table.
//!
//! With a table a group, finding a value would take a look at the group's table, at its control
//! bytes and at its bucket, each a cache miss where groups are many; here it takes the last two.
//! The values of a group form a list through an arena, so that a group can be written, merged and
//! cleared without looking at others.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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
    count: i64,
    previous: u32,
    next: u32,
}

/// The sets.
pub struct IntegerSets {
    table: HashTable<Slot>,
    arena: Vec<Kept>,
    heads: Vec<u32>,
    free: Vec<u32>,
    // Whether a value is counted, so that it can be taken back.
    counts: bool,
}

fn hash(group: u32, value: i64) -> u64 {
    HASHER.hash_one((group, value))
}

impl IntegerSets {
    /// No sets; `counts` if values may be taken out again.
    pub fn new(counts: bool) -> Self {
        IntegerSets {
            table: HashTable::new(),
            arena: Vec::new(),
            heads: Vec::new(),
            free: Vec::new(),
            counts,
        }
    }

    /// Makes room for groups `0..groups`.
    pub fn resize(&mut self, groups: usize) {
        self.heads.resize(groups, NONE);
    }

    /// Adds a value so many times, or takes it out as often if negative. Returns its count before
    /// and after; without counting every value that is there has the count 1.
    #[inline]
    pub fn add(&mut self, group: u32, value: i64, change: i64) -> (i64, i64) {
        let found = |slot: &Slot| slot.value == value && slot.group == group;
        let rehash = |slot: &Slot| hash(slot.group, slot.value);
        let place = self.table.entry(hash(group, value), found, rehash);
        match place {
            Entry::Occupied(_) if !self.counts => (1, 1),
            Entry::Occupied(slot) => {
                let place = slot.get().place;
                let kept = &mut self.arena[place as usize];
                let before = kept.count;
                kept.count += change;
                if kept.count == 0 {
                    slot.remove();
                    self.unlink(group, place);
                }
                (before, before + change)
            }
            Entry::Vacant(vacant) => {
                let next = std::mem::replace(&mut self.heads[group as usize], NONE);
                let kept = Kept {
                    value,
                    count: change,
                    previous: NONE,
                    next,
                };
                let place = match self.free.pop() {
                    Some(place) => {
                        self.arena[place as usize] = kept;
                        place
                    }
                    None => {
                        self.arena.push(kept);
                        (self.arena.len() - 1) as u32
                    }
                };
                if next != NONE {
                    self.arena[next as usize].previous = place;
                }
                self.heads[group as usize] = place;
                vacant.insert(Slot {
                    value,
                    group,
                    place,
                });
                (0, change)
            }
        }
    }

    fn unlink(&mut self, group: u32, place: u32) {
        let Kept { previous, next, .. } = self.arena[place as usize];
        if previous == NONE {
            self.heads[group as usize] = next;
        } else {
            self.arena[previous as usize].next = next;
        }
        if next != NONE {
            self.arena[next as usize].previous = previous;
        }
        self.free.push(place);
    }

    /// The values of a group with their counts.
    pub fn iter(&self, group: u32) -> impl Iterator<Item = (i64, i64)> + '_ {
        let kept = |place: u32| (place != NONE).then(|| self.arena[place as usize]);
        let first = kept(self.heads[group as usize]);
        std::iter::successors(first, move |last| kept(last.next)).map(|k| (k.value, k.count))
    }

    /// Empties a group.
    pub fn clear(&mut self, group: u32) {
        let mut place = std::mem::replace(&mut self.heads[group as usize], NONE);
        while place != NONE {
            let Kept { value, next, .. } = self.arena[place as usize];
            let found = |slot: &Slot| slot.value == value && slot.group == group;
            if let Ok(slot) = self.table.find_entry(hash(group, value), found) {
                slot.remove();
            }
            self.free.push(place);
            place = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sorted(sets: &IntegerSets, group: u32) -> Vec<(i64, i64)> {
        let mut all: Vec<(i64, i64)> = sets.iter(group).collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn sets_are_those_of_a_map_a_group(
            steps in prop::collection::vec((0u32..3, 0i64..5, -2i64..3), 0..200),
        ) {
            let mut sets = IntegerSets::new(true);
            sets.resize(3);
            let mut model: Vec<BTreeMap<i64, i64>> = vec![BTreeMap::new(); 3];
            for (group, value, change) in steps {
                let map = &mut model[group as usize];
                if change == 0 {
                    sets.clear(group);
                    map.clear();
                    continue;
                }
                let before = map.get(&value).copied().unwrap_or(0);
                prop_assert_eq!(sets.add(group, value, change), (before, before + change));
                map.insert(value, before + change);
                map.retain(|_, count| *count != 0);
            }
            for (group, map) in model.iter().enumerate() {
                let expected: Vec<(i64, i64)> = map.iter().map(|(v, c)| (*v, *c)).collect();
                prop_assert_eq!(sorted(&sets, group as u32), expected);
            }
        }
    }

    #[test]
    fn without_counting_a_value_is_there_once() {
        let mut sets = IntegerSets::new(false);
        sets.resize(1);
        assert_eq!(sets.add(0, 7, 1), (0, 1));
        assert_eq!(sets.add(0, 7, 1), (1, 1));
        assert_eq!(sorted(&sets, 0), [(7, 1)]);
    }
}

//! 32 bits for each of many pairs of a group and a number, in a hash table that grows by pages.
//!
//! Extendible hashing: a directory leads from the first bits of a hash to a page of slots, and a
//! page that is full is split in two.
//!
//! ```text
//! directory, by first bits   00 ──▶ page        01 ──▶ page        10 ─┬▶ page, not yet split
//!                                                                  11 ─┘
//! ```
//!
//! A table that doubles as a whole would touch twice the memory it ends up with, which costs more
//! than all look-ups where memory is fresh, and the row that makes it grow would wait until
//! everything has moved. Here growing moves a page, which fits the cache.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use thalweg_columnar::CowVec;

use super::prefetch::prefetch;

const HASHER: FixedState = FixedState::with_seed(0x6469_7374_696e_6374);

const PAGE_SLOTS_MIN: usize = 16;
const PAGE_SLOTS_MAX: usize = 4096;

// A page at this depth doubles instead: a directory is never larger than its pages.
const DEPTH_MAX: u32 = 24;

/// The number, then group and bits in one. A slot without bits is free.
///
/// Plain integers: pages of zeros come from the system without being written.
type Slot = [u64; 2];

fn slot(group: u32, number: i64, bits: u32) -> Slot {
    [number as u64, u64::from(group) << 32 | u64::from(bits)]
}

fn parts([number, rest]: Slot) -> (u32, i64, u32) {
    ((rest >> 32) as u32, number as i64, rest as u32)
}

/// The hash of a pair.
#[inline]
pub fn hash(group: u32, number: i64) -> u64 {
    HASHER.hash_one((group, number))
}

struct Page {
    slots: CowVec<Slot>,
    used: usize,
    /// How many first bits the hashes of its pairs share.
    depth: u32,
}

impl Page {
    fn new(slots: usize, depth: u32) -> Self {
        Page {
            slots: CowVec::Owned(vec![[0; 2]; slots]),
            used: 0,
            depth,
        }
    }

    // INVARIANT: a page always has a free slot, at which a search ends. Fuller pages were slower:
    // a search that goes on past the first cache line costs more than the memory it saves.
    fn is_full(&self) -> bool {
        self.used * 3 > self.slots.as_slice().len() * 2
    }

    /// Sets bits of a pair; returns those that it had.
    #[inline]
    fn set(&mut self, hash: u64, new: Slot) -> u32 {
        let slots = self.slots.make_mut();
        let last = slots.len() - 1;
        let mut at = hash as usize & last;
        loop {
            let known = &mut slots[at];
            let bits = known[1] as u32;
            if bits == 0 {
                *known = new;
                self.used += 1;
                return 0;
            }
            if known[0] == new[0] && known[1] >> 32 == new[1] >> 32 {
                known[1] |= new[1];
                return bits;
            }
            at = (at + 1) & last;
        }
    }

    fn put(&mut self, slot: Slot) {
        let (group, number, _) = parts(slot);
        self.set(hash(group, number), slot);
    }

    fn in_use(&self) -> impl Iterator<Item = Slot> + '_ {
        let slots = self.slots.as_slice().iter();
        slots.filter(|slot| slot[1] as u32 != 0).copied()
    }
}

/// The table.
pub struct BlockTable {
    directory: Vec<u32>,
    /// How many first bits of a hash the directory looks at.
    depth: u32,
    pages: Vec<Page>,
}

impl BlockTable {
    /// Without pairs.
    pub fn new() -> Self {
        BlockTable {
            directory: vec![0],
            depth: 0,
            pages: vec![Page::new(PAGE_SLOTS_MIN, 0)],
        }
    }

    /// The same table, to be read, whatever becomes of this.
    #[must_use]
    pub fn share(&mut self) -> Self {
        let share = |page: &mut Page| Page {
            slots: page.slots.share(),
            used: page.used,
            depth: page.depth,
        };
        BlockTable {
            directory: self.directory.clone(),
            depth: self.depth,
            pages: self.pages.iter_mut().map(share).collect(),
        }
    }

    #[inline]
    fn page_of(&self, hash: u64) -> usize {
        // Two shifts, because one by 64 is none.
        self.directory[(hash >> 1 >> (63 - self.depth)) as usize] as usize
    }

    /// Brings the place into the cache where a pair of this hash most likely is.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let slots = self.pages[self.page_of(hash)].slots.as_slice();
        prefetch(&slots[hash as usize & (slots.len() - 1)]);
    }

    /// Sets bits, at least one, of the pair of this hash; returns those that it had.
    #[inline]
    pub fn set(&mut self, hash: u64, group: u32, number: i64, bits: u32) -> u32 {
        let at = self.page_of(hash);
        let page = &mut self.pages[at];
        let before = page.set(hash, slot(group, number, bits));
        if before == 0 && page.is_full() {
            self.make_room(at, hash);
        }
        before
    }

    /// All pairs with their bits.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64, u32)> + '_ {
        self.pages.iter().flat_map(Page::in_use).map(parts)
    }

    /// Takes out all pairs of a group, at the price of a look at every slot.
    pub fn remove_group(&mut self, group: u32, mut each: impl FnMut(i64, u32)) {
        for page in &mut self.pages {
            if page.in_use().all(|slot| parts(slot).0 != group) {
                continue;
            }
            let kept = Page::new(page.slots.as_slice().len(), page.depth);
            let old = std::mem::replace(page, kept);
            for slot in old.in_use() {
                match parts(slot) {
                    (of, number, bits) if of == group => each(number, bits),
                    _ => page.put(slot),
                }
            }
        }
    }

    #[cold]
    fn make_room(&mut self, at: usize, hash: u64) {
        let page = &mut self.pages[at];
        let (slots, depth) = (page.slots.as_slice().len(), page.depth);
        if slots < PAGE_SLOTS_MAX || depth == DEPTH_MAX {
            let old = std::mem::replace(page, Page::new(slots * 2, depth));
            old.in_use().for_each(|slot| page.put(slot));
            return;
        }
        let moving: Vec<Slot> = page.in_use().collect();
        page.slots = CowVec::Owned(vec![[0; 2]; slots]);
        page.used = 0;
        page.depth += 1;
        let other = self.pages.len();
        self.pages.push(Page::new(slots, depth + 1));
        self.point(hash >> 1 >> (63 - depth), depth, other as u32);
        for slot in moving {
            let (group, number, _) = parts(slot);
            let hash = self::hash(group, number);
            let page = self.page_of(hash);
            self.pages[page].set(hash, slot);
        }
    }

    /// Gives the page `other` those hashes that begin with the `depth` bits `prefix` and a 1.
    fn point(&mut self, prefix: u64, depth: u32, other: u32) {
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|page| [*page; 2]).collect();
            self.depth += 1;
        }
        let width = 1 << (self.depth - depth - 1);
        let first = (prefix * 2 + 1) as usize * width;
        self.directory[first..first + width].fill(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn sorted(table: &BlockTable) -> BTreeMap<(u32, i64), u32> {
        let pairs = table
            .iter()
            .map(|(group, number, bits)| ((group, number), bits));
        pairs.collect()
    }

    #[test]
    fn pairs_survive_growing_pages_and_splits() {
        let mut table = BlockTable::new();
        let mut model = BTreeMap::new();
        // Twice over the same pairs, enough of them for a few hundred pages.
        for round in 0..2 {
            for i in 0..400_000_i64 {
                let (group, number) = ((i % 7) as u32, i * 1_000_003 - 5);
                let bits = 1 << (i % 31 + round);
                let had = table.set(hash(group, number), group, number, bits);
                let known = model.entry((group, number)).or_insert(0);
                assert_eq!(had, *known);
                *known |= bits;
            }
        }
        assert!(table.pages.len() > 100 && table.depth > 6);
        assert_eq!(table.iter().count(), model.len());
        assert!(sorted(&table) == model);
    }

    #[test]
    fn a_group_leaves_without_the_others() {
        let mut table = BlockTable::new();
        for i in 0..20_000_i64 {
            let group = (i % 3) as u32;
            table.set(hash(group, i), group, i, 5);
        }
        let mut removed = Vec::new();
        table.remove_group(1, |number, bits| removed.push((number, bits)));
        removed.sort_unstable();
        let expected: Vec<_> = (0..20_000).filter(|i| i % 3 == 1).map(|i| (i, 5)).collect();
        assert_eq!(removed, expected);
        assert_eq!(table.iter().count(), 20_000 - removed.len());
        // What is left is found, what has left is not.
        assert_eq!(table.set(hash(2, 2), 2, 2, 1), 5);
        assert_eq!(table.set(hash(1, 1), 1, 1, 1), 0);
    }
}

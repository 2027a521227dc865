//! Row numbers by key code: chains of rows, found through an open hash table.
//!
//! ```text
//!   code ──hash──▶ slot (code, newest row) ──▶ next[newest] ──▶ … ──▶ oldest row of the code
//! ```
//!
//! A slot has 16 bytes and is found in one cache line mostly; a chain's newest row comes first, so
//! that adding a row writes the slot and the end of `next` only.

use super::join_codes::KeyCodes;

/// No row.
pub const NONE: u32 = u32::MAX;
// A slot whose rows have all gone: its code still leads to codes behind it.
const DRAINED: u32 = u32::MAX - 1;
const SLOTS_MIN: usize = 64;

#[derive(Clone, Copy)]
struct Slot {
    code: i64,
    newest: u32,
}

const EMPTY: Slot = Slot {
    code: 0,
    newest: NONE,
};

/// The index. Slots are a power of two and at most half full.
pub struct RowIndex {
    slots: Vec<Slot>,
    used: usize,
    // By row number: the next older row of the same code.
    next: Vec<u32>,
    // The newest row without a code.
    nulls: u32,
    lowest: i64,
    highest: i64,
}

impl Default for RowIndex {
    fn default() -> Self {
        RowIndex {
            slots: Vec::new(),
            used: 0,
            next: Vec::new(),
            nulls: NONE,
            lowest: i64::MAX,
            highest: i64::MIN,
        }
    }
}

#[inline]
fn spread(code: i64) -> u64 {
    let product = u128::from(code.cast_unsigned() ^ 0x2d35_8dcc_aa6c_78a5)
        * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (product >> 64) as u64 ^ product as u64
}

impl RowIndex {
    /// The index of a batch's rows, numbered from 0.
    pub fn of(keys: &KeyCodes) -> Self {
        let mut index = RowIndex::default();
        index.insert_all(keys, 0);
        index
    }

    /// Adds the rows of a batch, numbered from `first`.
    pub fn insert_all(&mut self, keys: &KeyCodes, first: u32) {
        self.reserve(keys.values.len());
        for row in 0..keys.values.len() {
            self.insert(keys, row, first + row as u32);
        }
    }

    /// Adds row `row` of a batch as number `number`: the newest of its code.
    #[inline]
    pub fn insert(&mut self, keys: &KeyCodes, row: usize, number: u32) {
        let older = if keys.is_valid(row) {
            self.reserve(1);
            let code = keys.values[row];
            self.lowest = self.lowest.min(code);
            self.highest = self.highest.max(code);
            let at = self.find(code);
            let slot = &mut self.slots[at];
            if slot.newest == NONE {
                slot.code = code;
                self.used += 1;
            }
            std::mem::replace(&mut slot.newest, number)
        } else {
            std::mem::replace(&mut self.nulls, number)
        };
        if self.next.len() <= number as usize {
            self.next.resize(number as usize + 1, NONE);
        }
        self.next[number as usize] = if older == DRAINED { NONE } else { older };
    }

    #[inline]
    fn reserve(&mut self, more: usize) {
        let needed = (self.used + more) * 2;
        if needed <= self.slots.len() {
            return;
        }
        let len = needed.next_power_of_two().max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; len]);
        self.used = 0;
        for slot in old.into_iter().filter(|slot| slot.newest < DRAINED) {
            let at = self.find(slot.code);
            self.slots[at] = slot;
            self.used += 1;
        }
    }

    /// The slot of a code, or the empty one it would take. There must be an empty slot.
    #[inline]
    fn find(&self, code: i64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = spread(code) as usize & mask;
        while self.slots[at].newest != NONE && self.slots[at].code != code {
            at = (at + 1) & mask;
        }
        at
    }

    /// Appends the rows of a batch that match something, and the newest row that each matches.
    pub fn probe(&self, keys: &KeyCodes, rows: &mut Vec<u32>, newest: &mut Vec<u32>) {
        if self.used == 0 || keys.lowest > self.highest || keys.highest < self.lowest {
            return;
        }
        for (row, code) in keys.values.iter().enumerate() {
            if *code < self.lowest || *code > self.highest {
                continue;
            }
            let found = self.slots[self.find(*code)].newest;
            if found < DRAINED && keys.is_valid(row) {
                rows.push(row as u32);
                newest.push(found);
            }
        }
    }

    /// The newest row of a code.
    #[inline]
    pub fn newest(&self, code: i64) -> Option<u32> {
        if self.used == 0 {
            return None;
        }
        let newest = self.slots[self.find(code)].newest;
        (newest < DRAINED).then_some(newest)
    }

    /// Appends a chain to `rows`, oldest first.
    #[inline]
    pub fn chain(&self, newest: u32, rows: &mut Vec<u32>) {
        let start = rows.len();
        let mut at = newest;
        while at != NONE {
            rows.push(at);
            at = self.next[at as usize];
        }
        if rows.len() > start + 1 {
            rows[start..].reverse();
        }
    }

    /// Takes the newest row for which `wanted` holds out of the chain of a batch's row.
    ///
    /// # Errors
    /// What `wanted` fails with.
    pub fn remove<E>(
        &mut self,
        keys: &KeyCodes,
        row: usize,
        mut wanted: impl FnMut(u32) -> Result<bool, E>,
    ) -> Result<Option<u32>, E> {
        let slot = match (keys.is_valid(row), self.slots.is_empty()) {
            (true, true) => return Ok(None),
            (true, false) => Some(self.find(keys.values[row])),
            (false, _) => None,
        };
        let mut newer = NONE;
        let mut at = slot.map_or(self.nulls, |slot| self.slots[slot].newest);
        while at < DRAINED {
            let older = self.next[at as usize];
            if wanted(at)? {
                match (newer, slot) {
                    (NONE, Some(slot)) => {
                        let drained = older == NONE;
                        self.slots[slot].newest = if drained { DRAINED } else { older };
                    }
                    (NONE, None) => self.nulls = older,
                    (newer, _) => self.next[newer as usize] = older,
                }
                return Ok(Some(at));
            }
            newer = at;
            at = older;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};
    use std::convert::Infallible;
    use std::sync::Arc;

    fn keys(values: Vec<Option<i64>>) -> KeyCodes {
        let rows = values.len();
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        KeyCodes::new(&[column], rows).unwrap()
    }

    fn found(index: &RowIndex, key: i64) -> Vec<u32> {
        let (mut rows, mut newest, mut chain) = (vec![], vec![], vec![]);
        index.probe(&keys(vec![Some(key)]), &mut rows, &mut newest);
        newest.into_iter().for_each(|row| index.chain(row, &mut chain));
        chain
    }

    #[test]
    fn rows_of_a_key_come_oldest_first_and_null_keys_match_nothing() {
        let mut index = RowIndex::of(&keys(vec![Some(7), None, Some(0), Some(7)]));
        index.insert_all(&keys(vec![Some(7), None]), 4);
        assert_eq!(found(&index, 7), [0, 3, 4]);
        assert_eq!(found(&index, 0), [2]);
        assert_eq!(found(&index, 1), []);
        let (mut rows, mut newest) = (vec![], vec![]);
        index.probe(&keys(vec![None, Some(7)]), &mut rows, &mut newest);
        assert_eq!(rows, [1]);
    }

    #[test]
    fn rows_come_and_go_as_in_a_map_of_lists() {
        let mut index = RowIndex::default();
        let mut model: std::collections::BTreeMap<Option<i64>, Vec<u32>> = Default::default();
        let mut random = 7u64;
        for number in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = (random >> 40) as i64 % 300;
            let key = (key % 10 != 0).then_some(key - 150);
            let one = keys(vec![key]);
            if (random >> 60) % 2 == 0 {
                index.insert(&one, 0, number);
                model.entry(key).or_default().push(number);
            } else {
                let gone = index.remove(&one, 0, |_| Ok::<_, Infallible>(true)).unwrap();
                assert_eq!(gone, model.entry(key).or_default().pop());
            }
        }
        for (key, rows) in model {
            if let Some(key) = key {
                assert_eq!(found(&index, key), rows);
            }
        }
    }
}

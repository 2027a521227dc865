//! Row numbers by key code: chains of rows.
//!
//! ```text
//!   code ──▶ newest row ──▶ next[newest] ──▶ … ──▶ oldest row of the code
//! ```
//!
//! A chain's newest row comes first, so that adding a row writes its head and the end of `next`
//! only.

use super::join_codes::{KeyCodes, Range};
use super::join_heads::{Heads, NONE};

/// The index.
pub struct RowIndex {
    heads: Heads,
    // By row number: the next older row of the same code.
    next: Vec<u32>,
    // The newest row without a code.
    nulls: u32,
}

impl Default for RowIndex {
    fn default() -> Self {
        RowIndex {
            heads: Heads::default(),
            next: Vec::new(),
            nulls: NONE,
        }
    }
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
        let rows = keys.rows();
        self.heads.make_room(keys.tight(), rows);
        let end = first as usize + rows;
        if self.next.len() < end {
            self.next.resize(end, NONE);
        }
        for (row, code) in keys.values().iter().enumerate() {
            let number = first + row as u32;
            self.next[number as usize] = if keys.is_valid(row) {
                self.heads.replace(*code, number)
            } else {
                std::mem::replace(&mut self.nulls, number)
            };
        }
    }

    /// Adds row `row` of a batch as number `number`: the newest of its code.
    pub fn insert(&mut self, keys: &KeyCodes, row: usize, number: u32) {
        if self.next.len() <= number as usize {
            self.next.resize(number as usize + 1, NONE);
        }
        let code = keys.values()[row];
        self.next[number as usize] = if keys.is_valid(row) {
            self.heads.make_room(Range::of(&[code]), 1);
            self.heads.replace(code, number)
        } else {
            std::mem::replace(&mut self.nulls, number)
        };
    }

    /// Appends the rows of a batch that match something, and the newest row that each matches.
    pub fn probe(&self, keys: &KeyCodes, rows: &mut Vec<u32>, newest: &mut Vec<u32>) {
        self.heads.probe(keys, rows, newest);
    }

    /// The newest row of a code.
    #[inline]
    pub fn newest(&self, code: i64) -> Option<u32> {
        let newest = self.heads.newest(code);
        (newest != NONE).then_some(newest)
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
        let code = keys.is_valid(row).then_some(keys.values()[row]);
        let mut newer = NONE;
        let mut at = code.map_or(self.nulls, |code| self.heads.newest(code));
        while at != NONE {
            let older = self.next[at as usize];
            if wanted(at)? {
                match (newer, code) {
                    (NONE, Some(code)) if older == NONE => self.heads.drain(code),
                    (NONE, Some(code)) => {
                        self.heads.replace(code, older);
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
        KeyCodes::new(&[thalweg_columnar::BatchColumn::new(column)], rows).unwrap()
    }

    fn found(index: &RowIndex, key: i64) -> Vec<u32> {
        let (mut rows, mut newest, mut chain) = (vec![], vec![], vec![]);
        index.probe(&keys(vec![Some(key)]), &mut rows, &mut newest);
        newest
            .into_iter()
            .for_each(|row| index.chain(row, &mut chain));
        chain
    }

    #[test]
    fn rows_of_a_key_come_oldest_first_and_null_keys_match_nothing() {
        let mut index = RowIndex::of(&keys(vec![Some(7), None, Some(0), Some(7)]));
        index.insert_all(&keys(vec![Some(7), None]), 4);
        assert_eq!(found(&index, 7), [0, 3, 4]);
        assert_eq!(found(&index, 0), [2]);
        assert!(found(&index, 1).is_empty());
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
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (random >> 40) as i64 % 300;
            let key =
                (key % 10 != 0).then_some((key - 150) * if number > 9000 { 1 << 50 } else { 1 });
            let one = keys(vec![key]);
            if (random >> 60).is_multiple_of(2) {
                index.insert(&one, 0, number);
                model.entry(key).or_default().push(number);
            } else {
                let gone = index
                    .remove(&one, 0, |_| Ok::<_, Infallible>(true))
                    .unwrap();
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

//! The newest row of every key code.
//!
//! Codes that lie close together, as numbers given out in order do, index an array; others are
//! looked up in an open hash table, at most half full, whose slots of 16 bytes are found in one
//! cache line mostly. An array becomes a table when a code comes that lies too far away.

use super::join_codes::{KeyCodes, Range};

/// No row.
pub const NONE: u32 = u32::MAX;
// A slot whose rows have all gone: it still leads to the slots behind it.
const DRAINED: u32 = u32::MAX - 1;
const SLOTS_MIN: usize = 64;
// How many entries of an array a row may cost.
const SPAN_A_ROW: u64 = 8;
const SPAN_MIN: u64 = 1024;

/// Rows by code.
pub struct Heads {
    form: Form,
    range: Range,
    rows: u64,
}

enum Form {
    // The entry of code `base + i` is at `i`.
    Near { base: i64, newest: Vec<u32> },
    Far { slots: Vec<Slot>, used: usize },
}

#[derive(Clone, Copy)]
struct Slot {
    code: i64,
    newest: u32,
}

impl Default for Heads {
    fn default() -> Self {
        Heads {
            form: Form::Near {
                base: 0,
                newest: Vec::new(),
            },
            range: Range::EMPTY,
            rows: 0,
        }
    }
}

/// How far `high` is above `low`, which is not above it.
#[inline]
fn distance(low: i64, high: i64) -> u64 {
    high.wrapping_sub(low).cast_unsigned()
}

#[inline]
fn spread(code: i64) -> u64 {
    let product = u128::from(code.cast_unsigned() ^ 0x2d35_8dcc_aa6c_78a5)
        * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (product >> 64) as u64 ^ product as u64
}

/// The slot of a code, or the empty one it would take.
#[inline]
fn find(slots: &[Slot], code: i64) -> usize {
    let mask = slots.len() - 1;
    let mut at = spread(code) as usize & mask;
    while slots[at].newest != NONE && slots[at].code != code {
        at = (at + 1) & mask;
    }
    at
}

impl Heads {
    /// Prepares for some more rows with codes in a range. Must come before they are set.
    pub fn make_room(&mut self, range: Range, rows: usize) {
        if rows == 0 {
            return;
        }
        self.range = self.range.with(range);
        let Range { lowest, highest } = self.range;
        self.rows += rows as u64;
        if let Form::Near { base, newest } = &mut self.form {
            if distance(lowest, highest) < self.rows * SPAN_A_ROW + SPAN_MIN {
                widen(base, newest, lowest, highest);
                return;
            }
            let (base, newest) = (*base, std::mem::take(newest));
            self.form = Form::Far {
                slots: Vec::new(),
                used: 0,
            };
            let taken = newest.iter().filter(|newest| **newest != NONE).count();
            self.reserve(taken + rows);
            for (at, newest) in newest.into_iter().enumerate() {
                if newest != NONE {
                    self.replace(base.wrapping_add_unsigned(at as u64), newest);
                }
            }
        }
        self.reserve(rows);
    }

    fn reserve(&mut self, more: usize) {
        let Form::Far { slots, used } = &mut self.form else {
            return;
        };
        let needed = (*used + more) * 2;
        if needed <= slots.len() {
            return;
        }
        let len = needed.next_power_of_two().max(SLOTS_MIN);
        let empty = Slot {
            code: 0,
            newest: NONE,
        };
        let old = std::mem::replace(slots, vec![empty; len]);
        *used = 0;
        for slot in old.into_iter().filter(|slot| slot.newest < DRAINED) {
            let at = find(slots, slot.code);
            slots[at] = slot;
            *used += 1;
        }
    }

    /// Sets the newest row of a code that there is room for. Returns the one before, or `NONE`.
    #[inline]
    pub fn replace(&mut self, code: i64, row: u32) -> u32 {
        match &mut self.form {
            Form::Near { base, newest } => {
                std::mem::replace(&mut newest[distance(*base, code) as usize], row)
            }
            Form::Far { slots, used } => {
                let at = find(slots, code);
                let slot = &mut slots[at];
                if slot.newest == NONE {
                    slot.code = code;
                    *used += 1;
                }
                let before = std::mem::replace(&mut slot.newest, row);
                if before == DRAINED { NONE } else { before }
            }
        }
    }

    /// Takes away the last row of a code that has one.
    pub fn drain(&mut self, code: i64) {
        match &mut self.form {
            Form::Near { base, newest } => newest[distance(*base, code) as usize] = NONE,
            Form::Far { slots, .. } => {
                let at = find(slots, code);
                slots[at].newest = DRAINED;
            }
        }
    }

    /// The newest row of a code, or `NONE`.
    #[inline]
    pub fn newest(&self, code: i64) -> u32 {
        match &self.form {
            Form::Near { base, newest } => near(*base, newest, code),
            Form::Far { slots, .. } if slots.is_empty() => NONE,
            Form::Far { slots, .. } => match slots[find(slots, code)].newest {
                DRAINED => NONE,
                newest => newest,
            },
        }
    }

    /// Appends the rows of a batch whose code has a row, and that row.
    pub fn probe(&self, keys: &KeyCodes, rows: &mut Vec<u32>, found: &mut Vec<u32>) {
        if !self.range.overlaps(keys.loose()) {
            return;
        }
        let Form::Near { base, newest } = &self.form else {
            for (row, code) in keys.values().iter().enumerate() {
                if !self.range.contains(*code) {
                    continue;
                }
                let newest = self.newest(*code);
                if newest != NONE && keys.is_valid(row) {
                    rows.push(row as u32);
                    found.push(newest);
                }
            }
            return;
        };
        // All rows are written and only hits are kept: whether a row hits is hard to foretell.
        let start = rows.len();
        rows.resize(start + keys.rows(), 0);
        found.resize(start + keys.rows(), 0);
        let mut end = start;
        let nulls = keys.has_nulls();
        for (row, code) in keys.values().iter().enumerate() {
            let newest = near(*base, newest, *code);
            rows[end] = row as u32;
            found[end] = newest;
            let matches = (newest != NONE) & (!nulls || keys.is_valid(row));
            end += usize::from(matches);
        }
        rows.truncate(end);
        found.truncate(end);
    }
}

#[inline]
fn near(base: i64, newest: &[u32], code: i64) -> u32 {
    // A code below the base is far above it without its sign.
    let at = usize::try_from(distance(base, code)).unwrap_or(usize::MAX);
    newest.get(at).copied().unwrap_or(NONE)
}

fn widen(base: &mut i64, newest: &mut Vec<u32>, lowest: i64, highest: i64) {
    if newest.is_empty() {
        *base = lowest;
    }
    if lowest < *base {
        // Twice as much room at least, so that falling codes do not move the array each time.
        let more = distance(lowest, *base).max(newest.len() as u64);
        let lower = base.saturating_sub_unsigned(more);
        let more = distance(lower, *base) as usize;
        newest.splice(0..0, std::iter::repeat_n(NONE, more));
        *base = lower;
    }
    let needed = distance(*base, highest) as usize + 1;
    if newest.len() < needed {
        newest.resize(needed, NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(heads: &mut Heads, code: i64, row: u32) -> u32 {
        let range = Range {
            lowest: code,
            highest: code,
        };
        heads.make_room(range, 1);
        heads.replace(code, row)
    }

    #[test]
    fn an_array_grows_at_both_ends_and_becomes_a_table() {
        let mut heads = Heads::default();
        let codes = [5, 1, -400, 700, i64::MAX, i64::MIN, 0];
        for (row, code) in codes.into_iter().enumerate() {
            assert_eq!(set(&mut heads, code, row as u32), NONE, "{code}");
            for (known, code) in codes.iter().enumerate().take(row + 1) {
                assert_eq!(heads.newest(*code), known as u32, "{code}");
            }
            assert_eq!(heads.newest(code ^ 2), NONE);
        }
        assert!(matches!(heads.form, Form::Far { .. }));
        assert_eq!(set(&mut heads, 5, 9), 0);
        heads.drain(5);
        assert_eq!(heads.newest(5), NONE);
        assert_eq!(set(&mut heads, 5, 10), NONE);
        assert_eq!(heads.newest(5), 10);
    }

    #[test]
    fn codes_at_the_ends_of_the_range_need_no_array_beyond_it() {
        for code in [i64::MIN, i64::MAX] {
            let mut heads = Heads::default();
            set(&mut heads, code, 3);
            assert_eq!((heads.newest(code), heads.newest(!code)), (3, NONE));
        }
    }
}

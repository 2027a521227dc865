//! Rows of a join side that nobody has looked up often enough to index them.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Why      | indexing a row costs some ten times what scanning its key does, and many rows |
//! |          | are never looked up at all                                                    |
//! | Skipping | a batch whose range of keys is not that of the looked-up keys costs nothing   |
//! | Scanning | otherwise its keys are looked up in an index of the few that are wanted       |
//! | Indexing | a batch that was scanned [`SCANS_MAX`] times, or has too many matches to hold |
//! |          | them at once, goes to the index                                               |

use super::join_codes::{KeyCodes, Range};
use super::join_index::RowIndex;

/// How often a batch is scanned before it is indexed.
const SCANS_MAX: u32 = 4;
/// A batch of fewer rows is indexed at once: its own range would cost more than it saves.
const ROWS_MIN: usize = 128;
const ZONE_BATCHES_MAX: usize = 64;

/// The rows, in zones of batches.
#[derive(Default)]
pub struct Backlog {
    zones: Vec<Zone>,
}

/// Some batches and a range of codes that holds theirs.
struct Zone {
    range: Range,
    waiting: Vec<Waiting>,
}

struct Waiting {
    keys: KeyCodes,
    first: u32,
    scans: u32,
}

impl Backlog {
    /// Takes a batch whose rows are numbered from `first`, unless it is for the index.
    #[must_use]
    pub fn push(&mut self, keys: &KeyCodes, first: u32) -> bool {
        if keys.rows() < ROWS_MIN {
            return false;
        }
        let full = |zone: &Zone| zone.waiting.len() >= ZONE_BATCHES_MAX;
        if self.zones.last().is_none_or(full) {
            self.zones.push(Zone {
                range: Range::EMPTY,
                waiting: Vec::new(),
            });
        }
        if let Some(zone) = self.zones.last_mut() {
            zone.range = zone.range.with(keys.loose());
            zone.waiting.push(Waiting {
                keys: keys.clone(),
                first,
                scans: 0,
            });
        }
        true
    }

    /// Moves all rows to the index.
    pub fn drain(&mut self, index: &mut RowIndex) {
        for waiting in self.zones.drain(..).flat_map(|zone| zone.waiting) {
            index.insert_all(&waiting.keys, waiting.first);
        }
    }

    /// Finds the pairs of wanted rows and waiting rows, or moves the waiting rows to the index,
    /// where they will be found. One batch gives `pairs_max` pairs at most, beside one a row.
    pub fn meet(
        &mut self,
        wanted: &KeyCodes,
        pairs_max: usize,
        index: &mut RowIndex,
        pairs: &mut Vec<(u32, u32)>,
    ) {
        let loose = wanted.loose();
        let mut by_code = None;
        let mut moved = false;
        for zone in &mut self.zones {
            if !zone.range.overlaps(loose) || !zone.range.overlaps(wanted.tight()) {
                continue;
            }
            zone.waiting.retain_mut(|waiting| {
                // The loose range first: to know the tight one, the column is filtered.
                let wanted_range = wanted.tight();
                if !waiting.keys.loose().overlaps(wanted_range)
                    || !waiting.keys.tight().overlaps(wanted_range)
                {
                    return true;
                }
                waiting.scans += 1;
                let by_code = by_code.get_or_insert_with(|| RowIndex::of(wanted));
                let before = pairs.len();
                if waiting.scans > SCANS_MAX || !waiting.scan(wanted, by_code, pairs_max, pairs) {
                    pairs.truncate(before);
                    index.insert_all(&waiting.keys, waiting.first);
                    moved = true;
                    return false;
                }
                true
            });
        }
        if moved {
            self.zones.retain(|zone| !zone.waiting.is_empty());
        }
    }
}

impl Waiting {
    /// Whether all pairs could be taken.
    fn scan(
        &self,
        wanted: &KeyCodes,
        by_code: &RowIndex,
        pairs_max: usize,
        pairs: &mut Vec<(u32, u32)>,
    ) -> bool {
        const CHUNK: usize = 32;
        let limit = pairs.len() + pairs_max + self.keys.rows();
        let range = wanted.tight();
        let within = |code: i64| range.contains(code);
        let mut rows = Vec::new();
        for (chunk_at, chunk) in self.keys.values().chunks(CHUNK).enumerate() {
            if !chunk.iter().fold(false, |any, code| any | within(*code)) {
                continue;
            }
            for (at, code) in chunk.iter().enumerate() {
                let row = chunk_at * CHUNK + at;
                if !within(*code) || !self.keys.is_valid(row) {
                    continue;
                }
                let Some(newest) = by_code.newest(*code) else {
                    continue;
                };
                rows.clear();
                by_code.chain(newest, &mut rows);
                let number = self.first + row as u32;
                pairs.extend(rows.iter().map(|wanted| (*wanted, number)));
                if pairs.len() > limit {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    fn keys(values: impl IntoIterator<Item = i64>) -> KeyCodes {
        let column = Int64Array::from_iter_values(values);
        let rows = arrow_array::Array::len(&column);
        let column: ArrayRef = Arc::new(column);
        KeyCodes::new(&[thalweg_columnar::BatchColumn::new(column)], rows).unwrap()
    }

    fn probed(index: &RowIndex, wanted: &KeyCodes) -> usize {
        let (mut rows, mut newest) = (vec![], vec![]);
        index.probe(wanted, &mut rows, &mut newest);
        rows.len()
    }

    #[test]
    fn a_batch_is_skipped_scanned_and_at_last_indexed() {
        let (mut backlog, mut index) = (Backlog::default(), RowIndex::default());
        assert!(!backlog.push(&keys(0..5), 0));
        assert!(backlog.push(&keys(0..200), 0));
        assert!(backlog.push(&keys(1000..1200), 200));
        let wanted = keys([1100]);
        for _ in 0..SCANS_MAX {
            let mut pairs = vec![];
            backlog.meet(&wanted, 100, &mut index, &mut pairs);
            assert_eq!(pairs, [(0, 300)]);
            assert_eq!(probed(&index, &wanted), 0);
        }
        let mut pairs = vec![];
        backlog.meet(&wanted, 100, &mut index, &mut pairs);
        assert_eq!((pairs, probed(&index, &wanted)), (vec![], 1));
        assert_eq!(probed(&index, &keys([100])), 0, "the other batch waits on");
        backlog.drain(&mut index);
        assert_eq!(probed(&index, &keys([100])), 1);
    }

    #[test]
    fn a_batch_with_too_many_matches_goes_to_the_index() {
        let (mut backlog, mut index) = (Backlog::default(), RowIndex::default());
        assert!(backlog.push(&keys([7; 200]), 0));
        let (wanted, mut pairs) = (keys([7, 7]), vec![]);
        backlog.meet(&wanted, 100, &mut index, &mut pairs);
        assert_eq!((pairs, probed(&index, &wanted)), (vec![], 2));
    }
}

//! Which numbered records an instance makes, and how far it is.
//!
//! Records are numbered from 0 and cut into blocks; block `b` belongs to instance `b mod p`. An
//! instance keeps its blocks as several residue classes, so that there is something to deal out
//! when a job is restored with more instances, and always takes the earliest record of them all.
//!
//! ```text
//!   p = 2, size 4     instance 0: 0..4      8..12       16..20
//!                     instance 1:      4..8       12..16       20..24
//! ```
//!
//! INVARIANT: the classes of all instances together hold every record that is not yet made, once.

use std::ops::Range;

use thalweg_core::Data;

/// Residue classes over all instances, about: so many instances can share what is left.
const CLASSES: u64 = 64;

/// The records that are left of one residue class of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub struct Progress {
    /// The next record.
    next: u64,
    /// Blocks from one of the class to the next.
    stride: u64,
}

/// Numbered records in blocks.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// Records of a block.
    pub size: u64,
    /// Exclusive; `u64::MAX` for no end.
    pub end: u64,
}

impl Blocks {
    /// What instance `index` of `parallelism` has to do at the start.
    pub fn deal(&self, index: u32, parallelism: u32) -> Vec<Progress> {
        let (index, parallelism) = (u64::from(index), u64::from(parallelism.max(1)));
        let classes = CLASSES.div_ceil(parallelism);
        (0..classes)
            .map(|class| Progress {
                next: (class * parallelism + index).saturating_mul(self.size),
                stride: classes * parallelism,
            })
            .filter(|progress| progress.next < self.end)
            .collect()
    }

    /// The earliest records that are left, at most up to the end of their block, and whose they
    /// are.
    pub fn earliest(&self, left: &[Progress]) -> Option<(usize, Range<u64>)> {
        let (at, first) = left
            .iter()
            .enumerate()
            .min_by_key(|(_, progress)| progress.next)?;
        let block_end = (first.next / self.size + 1).saturating_mul(self.size);
        Some((at, first.next..block_end.min(self.end)))
    }

    /// Notes that the records of `made`, which begins as [`Blocks::earliest`] said, are made.
    pub fn advance(&self, left: &mut Vec<Progress>, at: usize, made: Range<u64>) {
        let block = made.start / self.size;
        let block_end = (block + 1).saturating_mul(self.size);
        let progress = &mut left[at];
        progress.next = if made.end < block_end {
            made.end
        } else {
            block
                .saturating_add(progress.stride)
                .saturating_mul(self.size)
        };
        if progress.next >= self.end {
            left.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(blocks: Blocks, mut left: Vec<Progress>, step: u64) -> Vec<u64> {
        let mut made = Vec::new();
        while let Some((at, range)) = blocks.earliest(&left) {
            let range = range.start..range.end.min(range.start + step);
            made.extend(range.clone());
            blocks.advance(&mut left, at, range);
        }
        made
    }

    #[test]
    fn every_record_is_made_once_and_an_instance_makes_its_own_in_order() {
        for (size, end, parallelism, step) in [(4, 1003, 3, 3), (1, 200, 70, 1), (16, 5, 2, 9)] {
            let blocks = Blocks { size, end };
            let mut made = Vec::new();
            for index in 0..parallelism {
                let own = all(blocks, blocks.deal(index, parallelism), step);
                assert!(own.is_sorted());
                let of = |n: &u64| (n / size) % u64::from(parallelism) == u64::from(index);
                assert!(own.iter().all(of));
                made.extend(own);
            }
            made.sort_unstable();
            assert_eq!(made, (0..end).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn records_without_end_do_not_overflow() {
        let blocks = Blocks {
            size: 4096,
            end: u64::MAX,
        };
        let mut left = vec![Progress {
            next: u64::MAX - 5,
            stride: 64,
        }];
        let (at, range) = blocks.earliest(&left).unwrap();
        assert_eq!(range, u64::MAX - 5..u64::MAX);
        blocks.advance(&mut left, at, range);
        assert!(left.is_empty());
    }
}

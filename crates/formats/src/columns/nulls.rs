//! Which values of a column are NULL: runs of rows while they are decoded, bits when they are done.
//!
//! A column that lags behind its batch catches up by one run, however many rows that is. Fields of
//! a ROW that is NULL have just the runs of their ROW, so all of them share its bits.

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

/// The rows that are NULL.
///
/// INVARIANT: runs are not empty, stand in order, and do not touch each other.
#[derive(Debug, Default)]
pub(super) struct Nulls {
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    from: usize,
    /// Exclusive.
    to: usize,
}

/// The runs of a finished column and their bits.
#[derive(Debug, Default)]
pub(super) struct Finished {
    runs: Vec<Run>,
    bits: Option<NullBuffer>,
}

impl Nulls {
    /// The rows from `from` up to `to` (exclusive), behind all others, are NULL.
    #[inline]
    pub fn add(&mut self, from: usize, to: usize) {
        match self.runs.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => self.runs.push(Run { from, to }),
        }
    }

    /// Forgets `row` and later ones.
    pub fn truncate(&mut self, row: usize) {
        while let Some(last) = self.runs.last_mut() {
            if last.from < row {
                last.to = last.to.min(row);
                break;
            }
            self.runs.pop();
        }
    }

    /// The bits of `len` values, the same as those of `around` if these are the same rows. Nothing
    /// is NULL afterwards.
    pub fn take(&mut self, len: usize, around: &Finished) -> Option<NullBuffer> {
        if self.runs.is_empty() {
            return None;
        }
        let bits = match &around.bits {
            Some(bits) if bits.len() == len && around.runs == self.runs => bits.clone(),
            _ => self.bits(len),
        };
        self.runs.clear();
        Some(bits)
    }

    /// As [`take`](Self::take), for a column around others.
    pub fn take_around(&mut self, len: usize, around: &Finished) -> Finished {
        let runs = self.runs.clone();
        let bits = self.take(len, around);
        Finished { runs, bits }
    }

    fn bits(&self, len: usize) -> NullBuffer {
        let mut bytes = vec![0xff_u8; len.div_ceil(8)];
        let mut count = 0;
        for run in &self.runs {
            count += run.to - run.from;
            clear(&mut bytes, run.from, run.to);
        }
        let bits = BooleanBuffer::new(Buffer::from_vec(bytes), 0, len);
        debug_assert_eq!(count, len - bits.count_set_bits());
        NullBuffer::new(bits)
    }
}

impl Finished {
    /// The bits.
    pub fn bits(&self) -> Option<&NullBuffer> {
        self.bits.as_ref()
    }
}

/// Makes the bits from `from` up to `to` (exclusive) zero.
fn clear(bytes: &mut [u8], from: usize, to: usize) {
    // In the first and in the last byte some bits stay.
    let (below, above) = (!(0xff << (from % 8)), !(0xff_u8 >> ((8 - to % 8) % 8)));
    match bytes.get_mut(from / 8..to.div_ceil(8)) {
        None | Some([]) => {}
        Some([only]) => *only &= below | above,
        Some([first, middle @ .., last]) => {
            *first &= below;
            middle.fill(0);
            *last &= above;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_those_of_a_list_of_flags(
            steps in prop::collection::vec((any::<bool>(), 0usize..40, 0usize..30), 0..30),
        ) {
            let (mut nulls, mut model) = (Nulls::default(), Vec::new());
            for (null, more, cut) in steps {
                let from = model.len();
                model.resize(from + more, !null);
                if null && more > 0 {
                    nulls.add(from, from + more);
                }
                if cut < 8 {
                    model.truncate(model.len().saturating_sub(cut));
                    nulls.truncate(model.len());
                }
            }
            let around = Finished::default();
            let expected = model.contains(&false).then(|| NullBuffer::from(model.clone()));
            prop_assert_eq!(nulls.take(model.len(), &around), expected);
            prop_assert_eq!(nulls.take(model.len(), &around), None);
        }
    }

    #[test]
    fn fields_that_are_null_where_their_row_is_share_its_bits() {
        let (mut row, mut same, mut other) = (Nulls::default(), Nulls::default(), Nulls::default());
        row.add(2, 5);
        same.add(2, 4);
        same.add(4, 5);
        other.add(2, 6);
        let around = row.take_around(9, &Finished::default());
        let shared = same.take(9, &around).expect("nulls");
        let bits = around.bits().expect("nulls");
        assert!(bits.inner().inner().ptr_eq(shared.inner().inner()));
        assert_eq!(
            other.take(9, &around).map(|bits| bits.null_count()),
            Some(4)
        );
    }
}

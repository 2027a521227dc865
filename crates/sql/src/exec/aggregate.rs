//! Grouped accumulators: the state of one aggregate call for many groups, updated a batch at a
//! time.
//!
//! A group is a number; what it stands for (a key, a key of a window, a session) is the
//! operator's affair. Additions and retractions come with the row kinds. State leaves and enters
//! as Arrow columns, which serves merging of windows, two-phase aggregation and snapshots alike.

mod accumulators;
mod count;
mod distinct;
mod extreme;
mod factory;
mod list;
mod positional;
mod states;
mod sum;
mod text_extreme;
mod value;
mod variance;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use thalweg_core::error::Result;

pub use accumulators::{Accumulators, Changes, evaluate_calls};
pub use factory::{AggregateCall, AggregateKind, EvaluatedCall};
pub use value::{Value, value_at, values_to_array};

/// One batch for an accumulator.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The group of every row.
    pub groups: &'a [u32],
    /// The call's arguments.
    pub args: &'a [ArrayRef],
    /// The call's `FILTER (WHERE …)`, without NULLs.
    pub filter: Option<&'a BooleanArray>,
    /// Row kinds as numbers; `None` if all rows are additions.
    pub kinds: Option<&'a [u8]>,
}

impl Input<'_> {
    /// Whether a row takes part: it passes the filter and its first argument is not NULL.
    #[inline]
    pub fn takes_part(&self, row: usize) -> bool {
        self.filter.is_none_or(|filter| filter.value(row))
            && self.args.first().is_none_or(|arg| arg.is_valid(row))
    }

    /// +1 for an addition, -1 for a retraction.
    #[inline]
    pub fn sign(&self, row: usize) -> i64 {
        match self.kinds {
            // Odd kinds are -U and -D.
            Some(kinds) => 1 - 2 * i64::from(kinds[row] & 1),
            None => 1,
        }
    }

    /// Whether every row is an addition that takes part.
    pub fn is_plain(&self) -> bool {
        self.filter.is_none()
            && self.kinds.is_none()
            && self.args.first().is_none_or(|arg| arg.null_count() == 0)
    }

    /// Calls `each` with every row that takes part, its group and its sign.
    #[inline]
    pub fn for_each(&self, mut each: impl FnMut(usize, u32, i64)) {
        for (row, group) in self.groups.iter().enumerate() {
            if self.takes_part(row) {
                each(row, *group, self.sign(row));
            }
        }
    }
}

/// The state of one aggregate call.
pub trait Accumulator: Send + Sync {
    /// Makes room for groups `0..groups`; new ones are empty.
    fn resize(&mut self, groups: usize);

    /// Adds and retracts rows.
    ///
    /// # Errors
    /// `User` for a value the aggregate cannot take; `Unsupported` for a retraction it cannot.
    fn update(&mut self, input: &Input<'_>) -> Result<()>;

    /// The state of some groups as columns of [`Accumulator::state_types`].
    ///
    /// # Errors
    /// `Internal` if a column cannot be built.
    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>>;

    /// Adds states, one a group in `groups` (a group may come several times).
    ///
    /// # Errors
    /// `Corrupt` if the columns are no states.
    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()>;

    /// The types of the state's columns.
    fn state_types(&self) -> Vec<DataType>;

    /// The aggregate of some groups.
    ///
    /// # Errors
    /// `Internal` if a column cannot be built.
    fn result(&self, groups: &[u32]) -> Result<ArrayRef>;

    /// Empties a group, so that its number can be used again.
    fn clear(&mut self, group: u32);

    /// The same state, whatever becomes of this: a snapshot reads it on another thread.
    fn share(&mut self) -> Box<dyn Accumulator>;
}

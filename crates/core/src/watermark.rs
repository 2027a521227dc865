//! Watermarks: the statement that no element with a timestamp at or before `w` will follow.

use crate::time::EventTime;

/// No more elements with `timestamp <= self`. An element that breaks it is *late*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Nothing is known yet.
    pub const MIN: Watermark = Watermark(i64::MIN);
    /// The input has ended: every window closes.
    pub const MAX: Watermark = Watermark(i64::MAX);

    /// Whether an element of this timestamp comes too late.
    pub const fn has_passed(self, time: EventTime) -> bool {
        time.0 <= self.0
    }
}

/// Whether an input takes part in the minimum over inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatermarkStatus {
    /// Its watermark counts.
    Active,
    /// It has nothing to say for now and holds nobody back.
    Idle,
}

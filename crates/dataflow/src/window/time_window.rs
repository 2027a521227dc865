//! What a window is: an interval of time, or everything.

use thalweg_core::data::Key;
use thalweg_core::time::EventTime;

/// A piece of a stream, known by its value.
pub trait Window: Key {
    /// The last instant that belongs to the window: the timestamp of its results.
    fn max_timestamp(&self) -> EventTime;

    /// The window that covers both, if the two overlap or touch. Only merging assigners ask.
    fn merge(&self, _other: &Self) -> Option<Self> {
        None
    }
}

/// An interval in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thalweg_core::Data)]
pub struct TimeWindow {
    /// The first instant, inclusive.
    pub start: i64,
    /// The end, exclusive.
    pub end: i64,
}

impl TimeWindow {
    /// The window `[start, end)`.
    pub const fn new(start: i64, end: i64) -> Self {
        TimeWindow { start, end }
    }

    /// The first instant of the window of this `size` that holds `time`, where windows are counted
    /// from `offset`. All in milliseconds; `size` must be positive, `offset` counts modulo `size`.
    #[inline]
    pub fn start_of(time: i64, offset: i64, size: i64) -> i64 {
        // Floor, not truncation: before the epoch the remainder is taken towards the past.
        time.saturating_sub(time.wrapping_sub(offset.rem_euclid(size)).rem_euclid(size))
    }
}

impl Window for TimeWindow {
    #[inline]
    fn max_timestamp(&self) -> EventTime {
        EventTime(self.end.saturating_sub(1))
    }

    fn merge(&self, other: &Self) -> Option<Self> {
        // Windows that only touch are one: elements exactly a gap apart share a session.
        (self.start <= other.end && other.start <= self.end).then(|| TimeWindow {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        })
    }
}

/// All of a key's records. Its last instant is the end of time, so it is never cleaned up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, thalweg_core::Data)]
pub struct GlobalWindow;

impl Window for GlobalWindow {
    fn max_timestamp(&self) -> EventTime {
        EventTime(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_floored_for_every_small_time_offset_and_size() {
        for size in 1..9i64 {
            for offset in -20..20i64 {
                for time in -40..40i64 {
                    let start = TimeWindow::start_of(time, offset, size);
                    assert!(start <= time && time < start + size);
                    assert_eq!((start - offset).rem_euclid(size), 0);
                }
            }
        }
    }

    #[test]
    fn windows_that_touch_merge_and_windows_apart_do_not() {
        let first = TimeWindow::new(0, 10);
        let touching = TimeWindow::new(10, 20);
        assert_eq!(first.merge(&touching), Some(TimeWindow::new(0, 20)));
        assert_eq!(touching.merge(&first), Some(TimeWindow::new(0, 20)));
        assert_eq!(first.merge(&TimeWindow::new(11, 20)), None);
    }
}

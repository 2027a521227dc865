//! Event time and processing time, in milliseconds since the Unix epoch, as types of their own.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// When something happened, by its own record.
///
/// [`EventTime::NONE`] marks a record that nobody has given a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(pub i64);

/// When something is processed, by the worker's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessingTime(pub i64);

impl EventTime {
    /// The timestamp of a record that has none.
    pub const NONE: EventTime = EventTime(i64::MIN);

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }
}

impl ProcessingTime {
    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }
}

/// A duration in whole milliseconds, saturating at the largest.
pub fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

macro_rules! arithmetic {
    ($time:ident) => {
        impl Add<Duration> for $time {
            type Output = $time;
            fn add(self, duration: Duration) -> $time {
                $time(self.0.saturating_add(duration_millis(duration)))
            }
        }
        impl Sub<Duration> for $time {
            type Output = $time;
            fn sub(self, duration: Duration) -> $time {
                $time(self.0.saturating_sub(duration_millis(duration)))
            }
        }
        impl fmt::Display for $time {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}
arithmetic!(EventTime);
arithmetic!(ProcessingTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_a_duration_saturates_instead_of_wrapping_into_the_past() {
        assert_eq!(
            EventTime(i64::MAX - 1) + Duration::from_secs(1),
            EventTime(i64::MAX)
        );
        assert_eq!(EventTime(5) - Duration::from_millis(7), EventTime(-2));
    }
}

//! When a part is finished and a new one begun.

use thalweg_core::time::ProcessingTime;

/// Limits of a part. A text file is looked at behind each batch, at each barrier, and as often as
/// `check_ms` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RollingPolicy {
    /// A part of at least so many bytes is finished.
    pub file_bytes: u64,
    /// One that was begun so long ago, in ms, is finished.
    pub rollover_ms: i64,
    /// One that got rows so long ago, in ms, is finished.
    pub inactivity_ms: i64,
    /// How often the two are looked at, in ms.
    pub check_ms: i64,
    /// Whether a barrier finishes every part: one of a format with a footer is no file before.
    pub at_checkpoints: bool,
}

/// How far a part has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub bytes: u64,
    pub begun: ProcessingTime,
    pub written: ProcessingTime,
}

impl RollingPolicy {
    /// Whether a part is large enough.
    pub(super) fn is_full(&self, part: Progress) -> bool {
        part.bytes >= self.file_bytes
    }

    /// Whether a part is finished at a check at `now`.
    pub(super) fn is_old(&self, part: Progress, now: ProcessingTime) -> bool {
        let since = |then: ProcessingTime| now.millis().saturating_sub(then.millis());
        since(part.begun) >= self.rollover_ms || since(part.written) >= self.inactivity_ms
    }

    /// Whether a part is finished at a barrier at `now`.
    pub(super) fn ends_at_barrier(&self, part: Progress, now: ProcessingTime) -> bool {
        self.at_checkpoints || self.is_full(part) || self.is_old(part, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_by_size_by_age_and_by_silence() {
        let policy = RollingPolicy {
            file_bytes: 100,
            rollover_ms: 1000,
            inactivity_ms: 300,
            check_ms: 10,
            at_checkpoints: false,
        };
        let part = |bytes, begun, written| Progress {
            bytes,
            begun: ProcessingTime(begun),
            written: ProcessingTime(written),
        };
        assert!(!policy.is_full(part(99, 0, 0)) && policy.is_full(part(100, 0, 0)));
        let ends = |begun, written, now| {
            let (part, now) = (part(1, begun, written), ProcessingTime(now));
            assert_eq!(policy.is_old(part, now), policy.ends_at_barrier(part, now));
            policy.is_old(part, now)
        };
        assert!(!ends(0, 999, 999) && ends(0, 999, 1000));
        assert!(!ends(500, 700, 999) && ends(500, 700, 1000));
        // A clock that goes back finishes nothing.
        assert!(!ends(500, 700, -5000));
        assert!(policy.ends_at_barrier(part(100, 0, 0), ProcessingTime(0)));
        let bulk = RollingPolicy {
            at_checkpoints: true,
            ..policy
        };
        assert!(bulk.ends_at_barrier(part(0, 0, 0), ProcessingTime(0)));
    }
}

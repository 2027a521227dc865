//! Aligned barriers: a channel that has sent its barrier waits until all have. Where a record may
//! count twice after a restore, no channel waits, and only the last barrier counts.

use thalweg_core::config::CheckpointMode;
use thalweg_core::element::{Barrier, BarrierKind};

/// What a barrier led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aligned {
    /// Others are awaited; until then the channel is blocked, if records are to count once.
    Waiting,
    /// All channels have delivered this barrier; all are open again.
    Complete(Barrier),
    /// The barrier is of an older checkpoint and is dropped.
    Stale,
}

/// Which channels have delivered the current barrier.
///
/// A channel that has ended counts as having delivered every barrier. A newer barrier on any
/// channel abandons the current checkpoint: its late barriers are stale.
pub struct BarrierAligner {
    mode: CheckpointMode,
    current: Option<Barrier>,
    last: u64,
    delivered: Vec<bool>,
    ended: Vec<bool>,
}

impl BarrierAligner {
    /// An aligner over `channels` channels.
    pub fn new(channels: usize, mode: CheckpointMode) -> Self {
        BarrierAligner {
            mode,
            current: None,
            last: 0,
            delivered: vec![false; channels],
            ended: vec![false; channels],
        }
    }

    /// Whether nothing may be read from a channel for now.
    pub fn is_blocked(&self, channel: usize) -> bool {
        // A savepoint is exact in any mode: other jobs start from it.
        let of_job = |barrier: Barrier| barrier.kind == BarrierKind::Checkpoint;
        let overtaken = self.mode == CheckpointMode::AtLeastOnce && self.current.is_none_or(of_job);
        self.delivered[channel] && !overtaken
    }

    /// A channel has delivered a barrier.
    pub fn on_barrier(&mut self, channel: usize, barrier: Barrier) -> Aligned {
        if barrier.checkpoint <= self.last {
            return Aligned::Stale;
        }
        match self.current {
            Some(current) if barrier.checkpoint < current.checkpoint => return Aligned::Stale,
            Some(current) if barrier.checkpoint > current.checkpoint => self.delivered.fill(false),
            _ => {}
        }
        // Barriers of one checkpoint differ in when their sources heard of it.
        self.current = Some(match self.current {
            Some(current) if current.checkpoint == barrier.checkpoint => current,
            _ => barrier,
        });
        self.delivered[channel] = true;
        self.check().map_or(Aligned::Waiting, Aligned::Complete)
    }

    /// The newest checkpoint whose barrier has passed.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether a channel has delivered the barrier of a checkpoint, or of a newer one.
    pub fn has(&self, channel: usize, checkpoint: u64) -> bool {
        let current = self.current.is_some_and(|c| c.checkpoint >= checkpoint);
        self.last >= checkpoint || (current && self.delivered[channel])
    }

    /// A barrier passes although not all channels have delivered it: all are open again.
    pub fn overtake(&mut self, barrier: Barrier) {
        if barrier.checkpoint > self.last {
            self.delivered.fill(false);
            self.current = None;
            self.last = barrier.checkpoint;
        }
    }

    /// A channel has ended. Returns the barrier it was the last to hold up, if any.
    pub fn on_end(&mut self, channel: usize) -> Option<Barrier> {
        self.ended[channel] = true;
        self.check()
    }

    fn check(&mut self) -> Option<Barrier> {
        let barrier = self.current?;
        let all = self
            .delivered
            .iter()
            .zip(&self.ended)
            .all(|(delivered, ended)| *delivered || *ended);
        if !all {
            return None;
        }
        self.delivered.fill(false);
        self.current = None;
        self.last = barrier.checkpoint;
        Some(barrier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn barrier(checkpoint: u64) -> Barrier {
        Barrier::of_checkpoint(checkpoint)
    }

    #[test]
    fn a_channel_is_blocked_from_its_barrier_until_the_last_one() {
        let mut aligner = BarrierAligner::new(2, CheckpointMode::ExactlyOnce);
        assert_eq!(aligner.on_barrier(0, barrier(1)), Aligned::Waiting);
        assert!(aligner.is_blocked(0) && !aligner.is_blocked(1));
        assert_eq!(
            aligner.on_barrier(1, barrier(1)),
            Aligned::Complete(barrier(1))
        );
        assert!(!aligner.is_blocked(0));
    }

    #[test]
    fn an_ended_channel_holds_no_barrier_up() {
        let mut aligner = BarrierAligner::new(2, CheckpointMode::ExactlyOnce);
        aligner.on_barrier(0, barrier(1));
        assert_eq!(aligner.on_end(1), Some(barrier(1)));
        assert_eq!(
            aligner.on_barrier(0, barrier(2)),
            Aligned::Complete(barrier(2))
        );
    }

    #[test]
    fn a_newer_barrier_abandons_the_older_checkpoint() {
        let mut aligner = BarrierAligner::new(2, CheckpointMode::ExactlyOnce);
        aligner.on_barrier(0, barrier(1));
        assert_eq!(aligner.on_barrier(1, barrier(2)), Aligned::Waiting);
        assert!(!aligner.is_blocked(0));
        assert_eq!(aligner.on_barrier(0, barrier(1)), Aligned::Stale);
        assert_eq!(
            aligner.on_barrier(0, barrier(2)),
            Aligned::Complete(barrier(2))
        );
    }

    #[test]
    fn at_least_once_no_channel_waits_and_the_last_barrier_completes() {
        let mut aligner = BarrierAligner::new(2, CheckpointMode::AtLeastOnce);
        assert_eq!(aligner.on_barrier(0, barrier(1)), Aligned::Waiting);
        assert!(!aligner.is_blocked(0) && !aligner.is_blocked(1));
        assert_eq!(
            aligner.on_barrier(1, barrier(1)),
            Aligned::Complete(barrier(1))
        );
    }

    #[test]
    fn at_least_once_a_savepoint_is_aligned_all_the_same() {
        let mut aligner = BarrierAligner::new(2, CheckpointMode::AtLeastOnce);
        let savepoint = Barrier {
            checkpoint: 1,
            kind: BarrierKind::Savepoint,
            overtakes_from: None,
        };
        assert_eq!(aligner.on_barrier(0, savepoint), Aligned::Waiting);
        assert!(aligner.is_blocked(0) && !aligner.is_blocked(1));
        assert_eq!(
            aligner.on_barrier(1, savepoint),
            Aligned::Complete(savepoint)
        );
        assert!(!aligner.is_blocked(0));
    }
}

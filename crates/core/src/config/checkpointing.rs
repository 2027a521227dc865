//! Checkpoints: when, where, how many.

use std::time::Duration;

use crate::error::{Error, Result};

/// What a restored job has seen of each record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckpointMode {
    /// State has its effect exactly once: a channel whose barrier has come waits for the others.
    #[default]
    ExactlyOnce,
    /// Nothing waits; a record that overtook another channel's barrier counts again.
    AtLeastOnce,
}

/// What happens to the last checkpoints when a job is cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// They are deleted.
    #[default]
    Delete,
    /// They stay; whoever no longer wants them deletes them.
    Retain,
}

/// `execution.checkpointing.*`
#[derive(Clone, Debug)]
pub struct CheckpointConfig {
    /// `interval`: how often barriers are sent.
    pub interval: Option<Duration>,
    /// `mode`
    pub mode: CheckpointMode,
    /// `timeout`: a checkpoint that takes longer is given up.
    pub timeout: Duration,
    /// `unaligned.enabled`: barriers overtake records, which become part of the checkpoint.
    pub unaligned: bool,
    /// `aligned-checkpoint-timeout`: how long barriers stay behind records first, from the trigger.
    pub aligned_timeout: Duration,
    /// `min-pause`: from the end of one to the start of the next.
    pub min_pause: Duration,
    /// `max-concurrent-checkpoints`
    pub max_concurrent: usize,
    /// `tolerable-failed-checkpoints`: more in a row fail the job.
    pub tolerable_failures: u32,
    /// `dir`: where checkpoints are stored; barriers alone are sent without it.
    pub directory: Option<String>,
    /// `incremental`: a checkpoint may say of what has not changed where an earlier one has it.
    pub incremental: bool,
    /// `savepoint-dir`: where savepoints go whose request names no directory.
    pub savepoint_directory: Option<String>,
    /// `num-retained`, at least 1.
    pub retained: usize,
    /// `externalized-checkpoint-retention`
    pub retention: Retention,
}

impl CheckpointConfig {
    /// Whether these settings go together.
    ///
    /// # Errors
    /// `User`, naming the option to change.
    pub fn check(&self) -> Result<()> {
        let needs = |what: &str| {
            Err(Error::user(format!(
                "`execution.checkpointing.unaligned.enabled` needs `{what}`"
            )))
        };
        if self.unaligned && self.mode != CheckpointMode::ExactlyOnce {
            return needs("execution.checkpointing.mode = EXACTLY_ONCE");
        }
        if self.unaligned && self.max_concurrent > 1 {
            return needs("execution.checkpointing.max-concurrent-checkpoints = 1");
        }
        Ok(())
    }
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig {
            interval: None,
            mode: CheckpointMode::default(),
            timeout: Duration::from_secs(600),
            unaligned: false,
            aligned_timeout: Duration::ZERO,
            min_pause: Duration::ZERO,
            max_concurrent: 1,
            tolerable_failures: 0,
            directory: None,
            incremental: false,
            savepoint_directory: None,
            retained: 1,
            retention: Retention::default(),
        }
    }
}

/// `execution.state-recovery.claim-mode`: who owns what a job has started from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimMode {
    /// Whoever owned it: the job reads it once and never comes back to its files.
    #[default]
    NoClaim,
    /// The job: it is deleted when the job's own checkpoints have replaced it.
    Claim,
}

/// `execution.state-recovery.*`: a checkpoint or savepoint to start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// `path`: a checkpoint's directory, or a job's, of which the newest whole one is taken.
    pub path: String,
    /// `ignore-unclaimed-state`: state of operators that the job no longer has is left behind.
    pub ignore_unclaimed: bool,
    /// `claim-mode`
    pub claim: ClaimMode,
}

impl Recovery {
    /// From a path, with the other settings as they are by default.
    pub fn new(path: impl Into<String>) -> Self {
        Recovery {
            path: path.into(),
            ignore_unclaimed: false,
            claim: ClaimMode::NoClaim,
        }
    }
}

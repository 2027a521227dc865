//! A checkpoint that has started and is not complete.

use std::collections::BTreeSet;

use super::purpose::Purpose;

/// How far a checkpoint has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Snapshots are missing.
    Collecting,
    /// All snapshots are there and are being made durable.
    Storing,
}

#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub checkpoint: u64,
    pub purpose: Purpose,
    /// When it started, in milliseconds.
    pub started: u64,
    pub stage: Stage,
    missing: BTreeSet<usize>,
}

impl Pending {
    pub fn new(checkpoint: u64, purpose: Purpose, started: u64, missing: BTreeSet<usize>) -> Self {
        Pending {
            checkpoint,
            purpose,
            started,
            stage: Stage::Collecting,
            missing,
        }
    }

    /// Whether the snapshot of a task is missing.
    pub fn lacks(&self, task: usize) -> bool {
        self.missing.contains(&task)
    }

    /// Notes the snapshot of a task. Whether it was the last one missing.
    pub fn has(&mut self, task: usize) -> bool {
        let last = self.stage == Stage::Collecting
            && self.missing.remove(&task)
            && self.missing.is_empty();
        if last {
            self.stage = Stage::Storing;
        }
        last
    }
}

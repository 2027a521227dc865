//! What a checkpoint is for.

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The job's own safety: a failure goes back to it, a newer one replaces it.
    Checkpoint,
    /// A user's: it replaces nothing, commits nothing, and its failure harms nobody.
    Savepoint,
    /// A user's, with which the job stops where the barrier is.
    Suspend,
    /// A user's, with which the job stops after all that it still has to emit.
    Drain,
}

impl Purpose {
    /// Whether a user owns it.
    pub fn is_savepoint(self) -> bool {
        self != Purpose::Checkpoint
    }

    /// Whether the job stops with it.
    pub fn stops(self) -> bool {
        matches!(self, Purpose::Suspend | Purpose::Drain)
    }
}

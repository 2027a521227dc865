//! Bugs that are planted on purpose, in the world around the engine: each must be caught.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A committer that forgets what it has committed, so that a repeated commit appears twice.
    CommitTwice,
    /// A target without transactions says that it has a batch once it was asked for it.
    TrustAsked,
    /// Sinks hear that a checkpoint is durable as soon as it is asked for.
    CommitEarly,
    /// The snapshot of one instance is not in the checkpoint.
    DropSnapshot,
    /// A timer is lost when state is dealt out to new instances.
    LoseTimer,
    /// An entry of keyed state is lost when state is dealt out to new instances.
    LoseEntry,
    /// An element that was in flight is lost when it should go on its way anew.
    DropInFlight,
    /// A crash takes metadata files that were reported as written.
    ForgetMetadata,
    /// Checkpoints are never deleted.
    KeepEverything,
    /// Sinks are never told that the end of the job is durable.
    HoldLastNotice,
    /// Sinks hear that a savepoint is durable as soon as it is asked for.
    CommitSavepoint,
    /// A job that was stopped with a savepoint starts again from an older checkpoint.
    ForgetStop,
    /// The watermark of an operator falls behind a timer.
    LowerWatermark,
    /// A change of keyed state does not say which keys are gone.
    ForgetRemoved,
    /// Layers of keyed state are deleted with the checkpoint that has written them.
    DeleteLayers,
    /// An operator of a region that starts again begins anew.
    RestoreSome,
    /// A region that has not failed starts again with one that has.
    RestartOthers,
}

impl Plant {
    /// All of them.
    pub const ALL: [Plant; 17] = [
        Plant::CommitTwice,
        Plant::TrustAsked,
        Plant::CommitEarly,
        Plant::DropSnapshot,
        Plant::LoseTimer,
        Plant::LoseEntry,
        Plant::DropInFlight,
        Plant::ForgetMetadata,
        Plant::KeepEverything,
        Plant::HoldLastNotice,
        Plant::CommitSavepoint,
        Plant::ForgetStop,
        Plant::LowerWatermark,
        Plant::ForgetRemoved,
        Plant::DeleteLayers,
        Plant::RestoreSome,
        Plant::RestartOthers,
    ];

    /// The properties one of which must be seen not to hold.
    pub fn breaks(self) -> &'static [&'static str] {
        match self {
            Plant::CommitTwice
            | Plant::TrustAsked
            | Plant::CommitEarly
            | Plant::CommitSavepoint => &["exactly once", "replay"],
            Plant::DropSnapshot
            | Plant::ForgetMetadata
            | Plant::ForgetRemoved
            | Plant::DeleteLayers => &["complete"],
            Plant::LoseTimer | Plant::LoseEntry | Plant::DropInFlight | Plant::RestoreSome => {
                &["exactly once", "replay"]
            }
            Plant::RestartOthers => &["regions"],
            Plant::KeepEverything => &["leaks"],
            Plant::HoldLastNotice => &["progress"],
            Plant::ForgetStop => &["complete", "exactly once"],
            Plant::LowerWatermark => &["watermarks"],
        }
    }
}

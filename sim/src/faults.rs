//! What can go wrong, and for how long.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process ends between two steps.
    Crash,
    /// The process ends inside of one of the next operations on storage or ledger.
    CrashInside,
    /// Writes and deletions fail for a while; some of the writes have happened all the same.
    FailingStorage,
    /// The disk has no room for a while.
    DiskFull,
    /// Storing takes long for a while.
    SlowStorage,
    /// The process ends, and a file of the newest checkpoint is damaged.
    Corruption,
    /// Sinks can take nothing for a while.
    StoppedSinks,
    /// Sinks hear late, or not at all, that a checkpoint is durable; for a while.
    LostNotices,
    /// An operator fails in one of the next calls.
    OperatorError,
    /// One of the next commits fails, of which some has happened.
    CommitError,
    /// The machine was asleep: all clocks jump ahead.
    Sleep,
    /// Somebody sets the wall clock back or ahead.
    ClockSet,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 12] = [
        Fault::Crash,
        Fault::CrashInside,
        Fault::FailingStorage,
        Fault::DiskFull,
        Fault::SlowStorage,
        Fault::Corruption,
        Fault::StoppedSinks,
        Fault::LostNotices,
        Fault::OperatorError,
        Fault::CommitError,
        Fault::Sleep,
        Fault::ClockSet,
    ];

    /// Its name in summaries.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Crash => "crash",
            Fault::CrashInside => "crash inside an operation",
            Fault::FailingStorage => "failing storage",
            Fault::DiskFull => "disk full",
            Fault::SlowStorage => "slow storage",
            Fault::Corruption => "corruption",
            Fault::StoppedSinks => "stopped sinks",
            Fault::LostNotices => "lost notices",
            Fault::OperatorError => "operator error",
            Fault::CommitError => "commit error",
            Fault::Sleep => "sleep",
            Fault::ClockSet => "clock set",
        }
    }
}

/// Which of the lasting faults are on, by the step that ends them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Of [`Fault::FailingStorage`].
    pub failing_until: u64,
    /// Of [`Fault::DiskFull`].
    pub full_until: u64,
    /// Of [`Fault::SlowStorage`].
    pub slow_until: u64,
    /// Of [`Fault::StoppedSinks`].
    pub stopped_until: u64,
    /// Of [`Fault::LostNotices`].
    pub silent_until: u64,
}

impl Weather {
    /// The step from which on all is fair.
    pub fn fair_from(&self) -> u64 {
        let storage = self.failing_until.max(self.full_until);
        let sinks = self.stopped_until.max(self.silent_until);
        storage.max(self.slow_until).max(sinks)
    }
}

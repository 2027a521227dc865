//! What has failed in a job, and what was started again.

use std::collections::VecDeque;

use thalweg_core::error::ErrorKind;

/// What a failure has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restarted {
    /// The job has failed for good.
    Nothing,
    /// All tasks start again.
    All,
    /// These tasks start again, the others go on.
    Region(Vec<String>),
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was heard of, in milliseconds since 1970.
    pub at_ms: i64,
    /// What to do about it.
    pub kind: ErrorKind,
    /// The error, which names the task.
    pub message: String,
    /// What followed.
    pub restarted: Restarted,
}

/// The newest failures of a job.
///
/// # Source
/// Flink `exceptions` of its REST interface, with `web.exception-history-size` entries.
#[derive(Clone, Debug)]
pub struct ExceptionHistory {
    failures: VecDeque<Failure>,
    size: usize,
    total: u64,
}

impl Default for ExceptionHistory {
    fn default() -> Self {
        Self::new(16)
    }
}

impl ExceptionHistory {
    /// A history that keeps the newest `size` failures.
    pub fn new(size: usize) -> Self {
        ExceptionHistory {
            failures: VecDeque::new(),
            size,
            total: 0,
        }
    }

    /// Adds a failure.
    pub fn add(&mut self, failure: Failure) {
        self.total += 1;
        self.failures.push_front(failure);
        self.failures.truncate(self.size);
    }

    /// The newest failure has led to something else than was thought.
    pub fn correct(&mut self, restarted: Restarted) {
        if let Some(newest) = self.failures.front_mut() {
            newest.restarted = restarted;
        }
    }

    /// The newest failures, newest first.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.iter()
    }

    /// How many failures there were, those that are not kept any more among them.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_failures_are_kept_and_all_are_counted() {
        let mut history = ExceptionHistory::new(2);
        for at_ms in 1..=3 {
            history.add(Failure {
                at_ms,
                kind: ErrorKind::Retryable,
                message: "gone".to_owned(),
                restarted: Restarted::All,
            });
        }
        let kept: Vec<i64> = history.failures().map(|failure| failure.at_ms).collect();
        assert_eq!((kept, history.total()), (vec![3, 2], 3));
        history.correct(Restarted::Nothing);
        let restarted: Vec<_> = history.failures().map(|f| &f.restarted).collect();
        assert_eq!(restarted, [&Restarted::Nothing, &Restarted::All]);
    }
}

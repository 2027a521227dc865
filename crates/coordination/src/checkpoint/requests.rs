//! What users have asked for and not been given yet, and whether the job stops for one of them.

use std::collections::VecDeque;

use super::purpose::Purpose;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stopping {
    #[default]
    No,
    /// The sources end: the last checkpoint is a savepoint.
    Draining,
    /// The savepoint is there.
    Stopped,
}

/// Requests in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    waiting: VecDeque<(u64, Purpose)>,
    stopping: Stopping,
}

impl Requests {
    pub fn add(&mut self, request: u64, purpose: Purpose) {
        self.waiting.push_back((request, purpose));
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn first(&self) -> Option<(u64, Purpose)> {
        self.waiting.front().copied()
    }

    /// The first one is under way.
    pub fn take(&mut self) {
        self.waiting.pop_front();
    }

    /// The first one is under way, and the job ends with it.
    pub fn drain(&mut self) {
        self.take();
        self.stopping = Stopping::Draining;
    }

    /// The savepoint that the job stops with is complete.
    pub fn stop(&mut self) {
        self.stopping = Stopping::Stopped;
    }

    /// The savepoint that the job should stop with came to nothing.
    pub fn go_on(&mut self) {
        self.stopping = Stopping::No;
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping != Stopping::No
    }

    pub fn is_stopped(&self) -> bool {
        self.stopping == Stopping::Stopped
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = u64> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(request, _)| request)
    }
}

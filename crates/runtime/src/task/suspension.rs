//! How a subtask stands still behind a savepoint with which its job may stop.

use thalweg_core::element::{Barrier, BarrierKind};

use super::stage::Stage;
use super::subtask::Subtask;

/// How a suspension ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspension {
    /// The savepoint came to nothing.
    Over,
    /// The savepoint is durable: the job stops here.
    Final,
}

impl Subtask {
    /// What follows a suspension, once that is known.
    ///
    /// `durable` must have been read before: a later checkpoint than the savepoint can be durable
    /// only after the savepoint has come to nothing, which is then seen here.
    pub(super) fn after_suspension(&self, durable: Option<u64>) -> Option<Suspension> {
        let savepoint = self.suspended?;
        if self.request.resumed() >= savepoint {
            // A barrier that is still on its way through the chain would suspend it once more.
            let passed = self.stages.iter().all(Stage::is_suspended);
            return passed.then_some(Suspension::Over);
        }
        let stopped = durable.is_some_and(|durable| durable >= savepoint);
        stopped.then_some(Suspension::Final)
    }

    pub(super) fn suspend_at(&mut self, barrier: Barrier) {
        if barrier.kind == BarrierKind::Suspend {
            self.suspended = Some(barrier.checkpoint);
        }
    }
}

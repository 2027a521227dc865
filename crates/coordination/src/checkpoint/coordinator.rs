//! The coordinator of one job's checkpoints.
//!
//! ```text
//!             now ≥ due                 all tasks               durable
//!   (nothing) ─────────▶ Collecting ──────────────▶ Storing ─────────────▶ complete
//!                            │ timeout, newer one complete     │ storing failed
//!                            └────────────▶ aborted ◀──────────┘
//! ```
//!
//! | Rule        | What it means                                                                   |
//! |-------------|---------------------------------------------------------------------------------|
//! | numbers     | rise by one from the highest known: a damaged checkpoint's is not used again    |
//! | interval    | from start to start, but never sooner than the pause after the last completion  |
//! | ended task  | its last snapshot stands for it in every checkpoint that is still without it    |
//! | skipped     | a task that acknowledges a newer one has gone past an older one: that is over   |
//! | all ended   | one last checkpoint is stored: what sinks hold back is committed with it        |
//! | region      | while tasks that failed are away nothing starts, and what was under way is over |
//! | failures    | more in a row than tolerated fail the job                                       |
//! | savepoint   | starts alone: one barrier at a time, so that none overtakes it; counts for nothing |
//! | stop        | suspended: nothing starts behind it; drained: the last checkpoint is the savepoint |

use std::collections::BTreeSet;
use std::time::Duration;

use thalweg_core::config::CheckpointConfig;

use super::pending::{Pending, Stage};
use super::purpose::Purpose;
use super::requests::Requests;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Time,
    /// Somebody wants one now.
    Requested {
        /// The request, a number of the caller's.
        request: u64,
        /// What for.
        purpose: Purpose,
    },
    /// A task has handed over its snapshot.
    Acknowledged {
        /// The checkpoint.
        checkpoint: u64,
        /// The task.
        task: usize,
    },
    /// A task's input has ended, and its last snapshot is known.
    Ended {
        /// The task.
        task: usize,
    },
    /// Tasks have failed, and start again from the newest completed checkpoint while the others go
    /// on. Nothing of theirs comes any more before [`Event::Restarted`].
    Failed {
        /// The tasks, those among them that had ended as well.
        tasks: BTreeSet<usize>,
    },
    /// Tasks that had failed run again.
    Restarted {
        /// The tasks.
        tasks: BTreeSet<usize>,
    },
    /// A checkpoint is durable.
    Stored {
        /// The checkpoint.
        checkpoint: u64,
    },
    /// A checkpoint could not be stored.
    StoringFailed {
        /// The checkpoint.
        checkpoint: u64,
    },
}

/// Why a checkpoint came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// Its time was up.
    Expired,
    /// A newer one is complete.
    Subsumed,
    /// A task has gone on to a newer one without it.
    Skipped,
    /// It could not be stored.
    NotStored,
    /// The job came to its end first: the last checkpoint says more.
    Ended,
    /// A task has failed, and goes back to an older one.
    TaskFailed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Have the sources emit a barrier.
    Trigger {
        /// The checkpoint.
        checkpoint: u64,
        /// What it is for.
        purpose: Purpose,
        /// Whose request it is, if it is not a periodic one.
        request: Option<u64>,
    },
    /// Have the sources end: the last checkpoint is the savepoint of this request.
    Drain {
        /// The request.
        request: u64,
    },
    /// A request comes too late: the job ends.
    Refuse {
        /// The request.
        request: u64,
    },
    /// Make the snapshots of a checkpoint durable, and say when that is done.
    Store {
        /// The checkpoint.
        checkpoint: u64,
    },
    /// Tell the tasks that a checkpoint is durable.
    Complete {
        /// The checkpoint.
        checkpoint: u64,
    },
    /// Throw away what there is of a checkpoint.
    Abort {
        /// The checkpoint.
        checkpoint: u64,
        /// Why.
        reason: Abort,
    },
    /// Too many checkpoints have failed: fail the job.
    FailJob {
        /// How many in a row.
        failures: u32,
    },
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct CheckpointCoordinator {
    settings: CheckpointConfig,
    running: BTreeSet<usize>,
    // Those of the running ones that have failed and do not yet run again.
    away: BTreeSet<usize>,
    next: u64,
    pending: Vec<Pending>,
    requests: Requests,
    // Milliseconds.
    last_start: u64,
    last_end: Option<u64>,
    failures: u32,
    // The checkpoint with the end of all tasks.
    last: Option<u64>,
}

impl CheckpointCoordinator {
    /// A coordinator of tasks `0..tasks`, started at `now` (milliseconds); `last` is the highest
    /// number that a checkpoint of the job has had (0: none).
    pub fn new(settings: CheckpointConfig, tasks: usize, last: u64, now: u64) -> Self {
        CheckpointCoordinator {
            settings,
            running: (0..tasks).collect(),
            away: BTreeSet::new(),
            next: last + 1,
            pending: Vec::new(),
            requests: Requests::default(),
            last_start: now,
            last_end: None,
            failures: 0,
            last: None,
        }
    }

    /// When to call again with [`Event::Time`] at the latest, in milliseconds.
    pub fn next_time(&self) -> Option<u64> {
        let expiry = self
            .pending
            .iter()
            .map(|p| p.started + millis(self.settings.timeout));
        expiry.chain(self.due()).min()
    }

    /// When the next periodic checkpoint starts, if one may.
    fn due(&self) -> Option<u64> {
        let interval = millis(self.settings.interval?);
        let pause = self
            .last_end
            .map_or(0, |end| end + millis(self.settings.min_pause));
        // What users ask for goes first, or it would wait for ever where checkpoints follow
        // closely on each other.
        let free = self.may_start(Purpose::Checkpoint) && self.requests.is_empty();
        free.then(|| (self.last_start + interval).max(pause))
    }

    /// Whether one may start now.
    ///
    /// Barriers of several checkpoints would be abandoned for each other where channels are
    /// aligned. Of the job's own the next ones make up for that; a savepoint is alone on its way.
    fn may_start(&self, purpose: Purpose) -> bool {
        let open = |p: &Pending| p.stage == Stage::Collecting;
        let mut pending = self.pending.iter();
        let alone = match purpose {
            Purpose::Checkpoint => {
                let own = pending.clone().filter(|p| !p.purpose.is_savepoint());
                own.count() < self.settings.max_concurrent.max(1)
                    && !pending.any(|p| p.purpose.is_savepoint() && open(p))
            }
            _ => !pending.any(open),
        };
        let stops = self.pending.iter().any(|p| p.purpose.stops());
        alone
            && !stops
            && !self.requests.is_stopping()
            && !self.running.is_empty()
            && self.away.is_empty()
    }

    /// What follows from an event.
    pub fn on(&mut self, event: &Event, now: u64) -> Vec<Decision> {
        let mut decisions = Vec::new();
        match event {
            Event::Time => {}
            Event::Requested { request, purpose } => self.requests.add(*request, *purpose),
            Event::Acknowledged { checkpoint, task } => {
                self.skip(*checkpoint, *task, &mut decisions);
                let pending = self.pending.iter_mut();
                let mut found = pending.filter(|pending| pending.checkpoint == *checkpoint);
                if found.next().is_some_and(|pending| pending.has(*task)) {
                    decisions.push(Decision::Store {
                        checkpoint: *checkpoint,
                    });
                }
            }
            Event::Ended { task } => self.end(*task, now, &mut decisions),
            Event::Failed { tasks } => self.lose(tasks, &mut decisions),
            Event::Restarted { tasks } => self.away.retain(|task| !tasks.contains(task)),
            Event::Stored { checkpoint } => self.complete(*checkpoint, now, &mut decisions),
            Event::StoringFailed { checkpoint } => self.fail(*checkpoint, now, &mut decisions),
        }
        self.expire(now, &mut decisions);
        self.trigger(now, &mut decisions);
        decisions
    }

    /// Gives up the checkpoints that a task has gone past. Were one still pending when the task
    /// ends, its last snapshot would be taken for one at the barrier.
    fn skip(&mut self, checkpoint: u64, task: usize, decisions: &mut Vec<Decision>) {
        let older = self.pending.iter().filter(|p| p.checkpoint < checkpoint);
        let skipped = older.filter(|pending| pending.lacks(task));
        let skipped: Vec<u64> = skipped.map(|pending| pending.checkpoint).collect();
        for skipped in skipped {
            self.abort(skipped, Abort::Skipped, decisions);
        }
    }

    /// Whether a failure can be left to some of the tasks. One that stops with a savepoint, or has
    /// come to its end, may have committed more than the newest checkpoint holds.
    pub fn may_fail_in_part(&self) -> bool {
        self.last.is_none() && !self.requests.is_stopping()
    }

    /// Tasks go back to the newest completed checkpoint. One that is under way has, or would have,
    /// what they did before they failed and not what they do from now on.
    fn lose(&mut self, tasks: &BTreeSet<usize>, decisions: &mut Vec<Decision>) {
        self.away.extend(tasks);
        // Those that had ended before have their end still to come.
        self.running.extend(tasks);
        let pending: Vec<u64> = self.pending.iter().map(|p| p.checkpoint).collect();
        for checkpoint in pending {
            self.abort(checkpoint, Abort::TaskFailed, decisions);
        }
    }

    fn end(&mut self, task: usize, now: u64, decisions: &mut Vec<Decision>) {
        if !self.running.remove(&task) {
            return;
        }
        for pending in &mut self.pending {
            if pending.has(task) {
                decisions.push(Decision::Store {
                    checkpoint: pending.checkpoint,
                });
            }
        }
        if self.running.is_empty() {
            let waiting = self.pending.iter().filter(|p| p.stage == Stage::Collecting);
            let waiting: Vec<u64> = waiting.map(|pending| pending.checkpoint).collect();
            for checkpoint in waiting {
                self.abort(checkpoint, Abort::Ended, decisions);
            }
            self.start_last(now, decisions);
        }
    }

    fn fail(&mut self, checkpoint: u64, now: u64, decisions: &mut Vec<Decision>) {
        let failures = self.failures;
        if !self.abort(checkpoint, Abort::NotStored, decisions) || !self.is_last(checkpoint) {
            return;
        }
        // The job has emitted all it had: without the savepoint it ends like any other.
        let drained = self.requests.is_stopping();
        self.requests.go_on();
        let again = self.failures > failures && self.failures <= self.settings.tolerable_failures;
        if drained || again {
            self.start_last(now, decisions);
        }
    }

    fn start_last(&mut self, now: u64, decisions: &mut Vec<Decision>) {
        let purpose = if self.requests.is_stopping() {
            Purpose::Drain
        } else {
            Purpose::Checkpoint
        };
        let checkpoint = self.start(purpose, now);
        self.last = Some(checkpoint);
        if let Some(last) = self.pending.last_mut() {
            last.stage = Stage::Storing;
        }
        decisions.push(Decision::Store { checkpoint });
    }

    /// Whether a checkpoint holds the end of all tasks.
    pub fn is_last(&self, checkpoint: u64) -> bool {
        self.last == Some(checkpoint)
    }

    fn start(&mut self, purpose: Purpose, now: u64) -> u64 {
        let checkpoint = self.next;
        self.next += 1;
        if !purpose.is_savepoint() {
            self.last_start = now;
        }
        let missing = self.running.clone();
        let pending = Pending::new(checkpoint, purpose, now, missing);
        self.pending.push(pending);
        checkpoint
    }

    fn complete(&mut self, checkpoint: u64, now: u64, decisions: &mut Vec<Decision>) {
        let stored = |p: &Pending| p.checkpoint == checkpoint && p.stage == Stage::Storing;
        let Some(at) = self.pending.iter().position(stored) else {
            return;
        };
        let purpose = self.pending.remove(at).purpose;
        decisions.push(Decision::Complete { checkpoint });
        if purpose == Purpose::Savepoint {
            return;
        }
        if purpose.stops() {
            self.requests.stop();
        } else {
            self.failures = 0;
            self.last_end = Some(now);
        }
        // What it holds is committed: nothing older may become the newest.
        let own = |p: &&Pending| !p.purpose.is_savepoint() && p.checkpoint < checkpoint;
        let older = self.pending.iter().filter(own);
        let older: Vec<u64> = older.map(|pending| pending.checkpoint).collect();
        for older in older {
            self.abort(older, Abort::Subsumed, decisions);
        }
    }

    fn expire(&mut self, now: u64, decisions: &mut Vec<Decision>) {
        let timeout = millis(self.settings.timeout);
        let late = |p: &&Pending| p.stage == Stage::Collecting && p.started + timeout <= now;
        let expired: Vec<u64> = self
            .pending
            .iter()
            .filter(late)
            .map(|p| p.checkpoint)
            .collect();
        for checkpoint in expired {
            self.abort(checkpoint, Abort::Expired, decisions);
        }
    }

    /// Whether it was there to be aborted.
    fn abort(&mut self, checkpoint: u64, reason: Abort, decisions: &mut Vec<Decision>) -> bool {
        let Some(at) = self.pending.iter().position(|p| p.checkpoint == checkpoint) else {
            return false;
        };
        let purpose = self.pending.remove(at).purpose;
        decisions.push(Decision::Abort { checkpoint, reason });
        let failed = matches!(reason, Abort::Expired | Abort::NotStored);
        if failed && !purpose.is_savepoint() {
            self.failures += 1;
            if self.failures > self.settings.tolerable_failures {
                decisions.push(Decision::FailJob {
                    failures: self.failures,
                });
            }
        }
        true
    }

    fn trigger(&mut self, now: u64, decisions: &mut Vec<Decision>) {
        if self.running.is_empty() || self.requests.is_stopped() {
            let late = self.requests.take_all();
            decisions.extend(late.map(|request| Decision::Refuse { request }));
            return;
        }
        let wanted = self.requests.first();
        match wanted.filter(|(_, purpose)| self.may_start(*purpose)) {
            Some((request, Purpose::Drain)) => {
                self.requests.drain();
                decisions.push(Decision::Drain { request });
            }
            Some((request, purpose)) => {
                self.requests.take();
                self.start_at_sources(purpose, Some(request), now, decisions);
            }
            None if self.due().is_some_and(|due| due <= now) => {
                self.start_at_sources(Purpose::Checkpoint, None, now, decisions);
            }
            None => {}
        }
    }

    fn start_at_sources(
        &mut self,
        purpose: Purpose,
        request: Option<u64>,
        now: u64,
        decisions: &mut Vec<Decision>,
    ) {
        let checkpoint = self.start(purpose, now);
        decisions.push(Decision::Trigger {
            checkpoint,
            purpose,
            request,
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4)
}

#[cfg(test)]
mod tests;

//! The requests of users on their way: which checkpoint is whose, and where savepoints go.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_coordination::checkpoint::{Abort, Event, Purpose};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::time::ProcessingTime;
use thalweg_state::CheckpointStore;

use crate::checkpoint::{ManualRequest, Reply, Requests, Savepoints, Stopped};

/// A request that was accepted.
struct Accepted {
    /// Where the savepoint goes; none for a checkpoint.
    store: Option<CheckpointStore>,
    reply: Reply,
}

/// A request whose checkpoint is under way.
struct Started {
    accepted: Accepted,
    purpose: Purpose,
    failure: Option<Error>,
}

/// What a completed checkpoint is to the job.
pub(super) enum Completed {
    /// One of its own.
    Checkpoint,
    /// A user's, of no concern to it.
    Savepoint,
    /// A user's, with which it stops.
    Stop,
}

/// A request that came to nothing.
pub(super) struct Aborted {
    pub purpose: Purpose,
    /// Whether what there was of the savepoint could be deleted.
    pub discarded: Result<()>,
}

/// All requests of an attempt.
pub(super) struct Manual {
    savepoints: Savepoints,
    requests: Arc<Requests>,
    accepted: BTreeMap<u64, Accepted>,
    started: BTreeMap<u64, Started>,
    draining: Option<Accepted>,
    last: u64,
}

impl Manual {
    pub fn new(savepoints: Savepoints, requests: Arc<Requests>) -> Self {
        Manual {
            savepoints,
            requests,
            accepted: BTreeMap::new(),
            started: BTreeMap::new(),
            draining: None,
            last: 0,
        }
    }

    pub fn job_name(&self) -> &str {
        &self.savepoints.job_name
    }

    pub fn is_asked(&self) -> bool {
        !self.accepted.is_empty() || !self.started.is_empty() || self.draining.is_some()
    }

    /// The next request that can be tried, as an event for the coordinator. `stores` says whether
    /// the job has checkpoints of its own.
    pub fn next(&mut self, stores: bool, wall: ProcessingTime) -> Option<Event> {
        while let Some((request, reply)) = self.requests.next() {
            self.last += 1;
            let (directory, purpose) = match request {
                ManualRequest::Checkpoint if stores => (None, Purpose::Checkpoint),
                ManualRequest::Checkpoint => {
                    reply.send(Err(Error::user(
                        "the job stores no checkpoints: `execution.checkpointing.dir` is not set",
                    )));
                    continue;
                }
                ManualRequest::Savepoint { directory } => (directory, Purpose::Savepoint),
                ManualRequest::Stop {
                    directory,
                    drain: false,
                } => (directory, Purpose::Suspend),
                ManualRequest::Stop { directory, .. } => (directory, Purpose::Drain),
            };
            // Tried now: what cannot be written must not stop the job, nor drain it.
            let seed = format!("{}-{}", self.last, wall.millis());
            let place = || self.savepoints.place(directory.as_deref(), &seed);
            let store = match purpose.is_savepoint().then(place).transpose() {
                Ok(store) => store,
                Err(error) => {
                    reply.send(Err(error.context("no savepoint was taken")));
                    continue;
                }
            };
            self.accepted.insert(self.last, Accepted { store, reply });
            return Some(Event::Requested {
                request: self.last,
                purpose,
            });
        }
        None
    }

    /// A checkpoint has started for a request.
    pub fn start(&mut self, request: u64, checkpoint: u64, purpose: Purpose) {
        let accepted = self.accepted.remove(&request);
        self.insert(accepted, checkpoint, purpose);
    }

    /// The sources end for a request.
    pub fn drain(&mut self, request: u64) {
        self.draining = self.accepted.remove(&request);
    }

    /// The last checkpoint of the job has started: it may be a savepoint.
    pub fn start_last(&mut self, checkpoint: u64) {
        let draining = self.draining.take();
        self.insert(draining, checkpoint, Purpose::Drain);
    }

    fn insert(&mut self, accepted: Option<Accepted>, checkpoint: u64, purpose: Purpose) {
        let started = accepted.map(|accepted| Started {
            accepted,
            purpose,
            failure: None,
        });
        self.started
            .extend(started.map(|started| (checkpoint, started)));
    }

    pub fn refuse(&mut self, request: u64) {
        if let Some(accepted) = self.accepted.remove(&request) {
            let discarded = discard(&accepted);
            let error = Error::user("the job comes to its end");
            accepted.reply.send(Err(with_discard(error, discarded)));
        }
    }

    /// Where the savepoint of this number goes, if it is one.
    pub fn savepoint(&self, checkpoint: u64) -> Option<&CheckpointStore> {
        self.started.get(&checkpoint)?.accepted.store.as_ref()
    }

    /// Keeps what a savepoint was not stored for; gives back what it was not stored for if the
    /// checkpoint is the job's.
    pub fn fail(&mut self, checkpoint: u64, error: Error) -> Option<Error> {
        match self.started.get_mut(&checkpoint) {
            Some(started) if started.purpose.is_savepoint() => {
                started.failure = Some(error);
                None
            }
            _ => Some(error),
        }
    }

    pub fn complete(&mut self, checkpoint: u64) -> Completed {
        let Some(started) = self.started.get(&checkpoint) else {
            return Completed::Checkpoint;
        };
        let (purpose, place) = (started.purpose, started.accepted.store.clone());
        let Some(store) = place else {
            return Completed::Checkpoint;
        };
        if !purpose.stops() {
            self.answer(checkpoint, store.place(checkpoint));
            return Completed::Savepoint;
        }
        if let Some(started) = self.started.remove(&checkpoint) {
            // The job has still to stop: only then is it done.
            self.requests.stop(Stopped {
                checkpoint,
                store,
                reply: started.accepted.reply,
            });
        }
        Completed::Stop
    }

    /// Answers whoever has asked for a checkpoint, if anybody has.
    pub fn answer(&mut self, checkpoint: u64, place: String) {
        if let Some(started) = self.started.remove(&checkpoint) {
            started.accepted.reply.send(Ok(place));
        }
    }

    /// `None` if nobody has asked for it.
    pub fn abort(&mut self, checkpoint: u64, reason: Abort) -> Option<Aborted> {
        let started = self.started.remove(&checkpoint)?;
        let discarded = discard(&started.accepted);
        let why = match (started.failure, reason) {
            (Some(failure), _) => failure,
            (None, Abort::Expired) => Error::new(
                ErrorKind::Retryable,
                "it took longer than `execution.checkpointing.timeout`",
            ),
            (None, Abort::Subsumed | Abort::Skipped) => {
                Error::new(ErrorKind::Retryable, "a newer checkpoint overtook it")
            }
            (None, Abort::NotStored) => Error::new(ErrorKind::Retryable, "it could not be stored"),
            (None, Abort::TaskFailed) => {
                Error::new(ErrorKind::Retryable, "a task failed before it was complete")
            }
            (None, Abort::Ended) => Error::user("the job has ended"),
        };
        let what = match started.purpose {
            Purpose::Checkpoint => "no checkpoint was taken",
            Purpose::Savepoint => "no savepoint was taken",
            Purpose::Suspend => "no savepoint was taken, and the job goes on",
            Purpose::Drain => "the job has been drained and ends, but without a savepoint",
        };
        started.accepted.reply.send(Err(why.context(what)));
        Some(Aborted {
            purpose: started.purpose,
            discarded,
        })
    }

    /// Hands the replies over to whoever knows how the attempt has ended; what could not be
    /// deleted of unfinished savepoints.
    pub fn abandon(&mut self) -> Vec<Error> {
        let started = std::mem::take(&mut self.started).into_values();
        let accepted = std::mem::take(&mut self.accepted).into_values();
        let all = started.map(|started| started.accepted).chain(accepted);
        let mut errors = Vec::new();
        for abandoned in all.chain(self.draining.take()) {
            errors.extend(discard(&abandoned).err());
            self.requests.interrupt(abandoned.reply);
        }
        errors
    }
}

/// Deletes what there is of a savepoint.
fn discard(accepted: &Accepted) -> Result<()> {
    // The directory of a savepoint has no number.
    let discarded = accepted.store.as_ref().map(|store| store.discard(0));
    discarded.unwrap_or(Ok(()))
}

/// A savepoint that was not taken and not deleted either.
fn with_discard(error: Error, discarded: Result<()>) -> Error {
    match discarded {
        Ok(()) => error,
        Err(left) => error.context(left.to_string()),
    }
}

//! What users ask of a running job, from their threads to the one that coordinates checkpoints.
//!
//! ```text
//!   client ──push──▶ waiting ──▶ executor ──▶ reply         done, or why not
//!                                   ├──▶ interrupted ──▶ supervisor ──▶ reply   the attempt ended
//!                                   └──▶ stopped ──────▶ supervisor ──▶ reply   the job has stopped
//! ```
//!
//! INVARIANT: each request gets one reply, whatever becomes of the job.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thalweg_core::error::{Error, Result};
use thalweg_state::CheckpointStore;

/// What a user asks of a running job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManualRequest {
    /// A checkpoint, now.
    Checkpoint,
    /// A savepoint in a directory, or in the job's default one.
    Savepoint {
        /// Where.
        directory: Option<String>,
    },
    /// A savepoint, with which the job stops.
    Stop {
        /// Where.
        directory: Option<String>,
        /// Whether the job first emits all it has, as if its input had ended.
        drain: bool,
    },
}

/// Hears what came of a request: the path of the checkpoint or savepoint.
pub struct Reply(SyncSender<Result<String>>);

impl Reply {
    /// To a channel with room for one.
    pub fn new(sender: SyncSender<Result<String>>) -> Self {
        Reply(sender)
    }

    /// Answers. Whoever has asked may have gone away.
    pub fn send(self, answer: Result<String>) {
        drop(self.0.try_send(answer));
    }
}

/// The savepoint with which a job stops.
pub struct Stopped {
    /// Its number.
    pub checkpoint: u64,
    /// Where it is.
    pub store: CheckpointStore,
    /// Who has asked for it.
    pub reply: Reply,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(ManualRequest, Reply)>,
    interrupted: Vec<Reply>,
    stopped: Option<Stopped>,
    closed: bool,
}

/// The requests of one job, through all its attempts.
#[derive(Default)]
pub struct Requests(Mutex<Inner>);

impl Requests {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request.
    ///
    /// # Errors
    /// `User` if the job has ended.
    pub fn push(&self, request: ManualRequest, reply: Reply) -> Result<()> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(Error::user("the job has ended"));
        }
        inner.waiting.push_back((request, reply));
        Ok(())
    }

    /// Takes the next request.
    pub fn next(&self) -> Option<(ManualRequest, Reply)> {
        self.inner().waiting.pop_front()
    }

    /// The attempt has ended before a request was done.
    pub fn interrupt(&self, reply: Reply) {
        self.inner().interrupted.push(reply);
    }

    /// The savepoint is there with which the job stops.
    pub fn stop(&self, stopped: Stopped) {
        self.inner().stopped = Some(stopped);
    }

    /// What [`Requests::stop`] was called with.
    pub fn take_stopped(&self) -> Option<Stopped> {
        self.inner().stopped.take()
    }

    /// Those for whom the attempt ended too early.
    pub fn take_interrupted(&self) -> Vec<Reply> {
        std::mem::take(&mut self.inner().interrupted)
    }

    /// Takes no more requests; those that wait come too late.
    pub fn close(&self) {
        let waiting = {
            let mut inner = self.inner();
            inner.closed = true;
            std::mem::take(&mut inner.waiting)
        };
        for (_, reply) in waiting {
            reply.send(Err(Error::user("the job has ended")));
        }
    }
}

//! The runtime on which requests run, and how a thread of the engine waits for one.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use thalweg_core::error::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};

// Requests wait for the network; what they compute are signatures and checksums.
const THREADS: usize = 2;

// One a process, made when the first storage is opened.
static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// Where requests are run.
#[derive(Clone, Debug)]
pub(crate) struct Io(Handle);

impl Io {
    /// The one of the process.
    pub(crate) fn of_process() -> Result<Self> {
        let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.as_ref() {
            return Ok(Io(runtime.handle().clone()));
        }
        let built = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("thalweg-object-storage")
            .enable_all()
            .build();
        let built = built.map_err(|error| {
            Error::new(ErrorKind::Retryable, "cannot start threads for requests").with_source(error)
        })?;
        let io = Io(built.handle().clone());
        *runtime = Some(built);
        Ok(io)
    }

    /// Starts a request.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Pending<T> {
        let (sender, receiver) = sync_channel(1);
        self.0.spawn(async move {
            // Nobody waits any more: the caller has failed for another reason, and said so.
            let _ = sender.send(request.await);
        });
        Pending(receiver)
    }

    /// Runs a request. Waits on a channel rather than in the runtime, which refuses callers that are in
    /// another one, such as the `main` of a program that uses tokio itself.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        self.start(request).wait()
    }
}

/// A request under way.
pub(crate) struct Pending<T>(Receiver<T>);

impl<T> Pending<T> {
    /// Waits for its answer.
    pub(crate) fn wait(self) -> Result<T> {
        self.0
            .recv()
            .map_err(|_| Error::internal("a request to an object store ended without an answer"))
    }
}

/// Requests under way, of which there are never more than `at_once`, in the order they were started.
pub(crate) struct Window<T> {
    pending: VecDeque<Pending<T>>,
    at_once: usize,
}

impl<T> Window<T> {
    pub(crate) fn new(at_once: usize) -> Self {
        Window {
            pending: VecDeque::with_capacity(at_once),
            at_once,
        }
    }

    /// Adds a request; the answer of the oldest one, if there are as many as may be.
    pub(crate) fn push(&mut self, pending: Pending<T>) -> Result<Option<T>> {
        self.pending.push_back(pending);
        if self.pending.len() < self.at_once {
            return Ok(None);
        }
        self.next()
    }

    /// The answer of the oldest one.
    pub(crate) fn next(&mut self) -> Result<Option<T>> {
        let oldest = self.pending.pop_front();
        oldest.map(Pending::wait).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_request_can_be_waited_for_inside_of_another_runtime() {
        let outer = Builder::new_current_thread().build().unwrap();
        let answer = outer.block_on(async { Io::of_process().unwrap().run(async { 7 }) });
        assert_eq!(answer.unwrap(), 7);
    }

    #[test]
    fn a_request_that_panics_is_an_error() {
        let io = Io::of_process().unwrap();
        let error = io.run(async { panic!("on purpose") }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn answers_come_in_the_order_of_their_requests() {
        let io = Io::of_process().unwrap();
        let mut window = Window::new(3);
        let mut answers = Vec::new();
        for n in 0..10 {
            answers.extend(window.push(io.start(async move { n })).unwrap());
            assert!(window.pending.len() < 3);
        }
        while let Some(n) = window.next().unwrap() {
            answers.push(n);
        }
        assert_eq!(answers, Vec::from_iter(0..10));
    }
}

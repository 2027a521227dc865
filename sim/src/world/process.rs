//! One attempt at the job inside of one process: what a crash takes away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use thalweg_coordination::checkpoint::Event;
use thalweg_core::config::{CheckpointConfig, ExecutionConfig};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_core::time::ProcessingTime;
use thalweg_runtime::checkpoint::{
    CheckpointExecutor, CheckpointRequest, Checkpoints, ExecutorSpec, Requests, Savepoints,
    SharedListener, StartingPoint, StoringListener, Todo,
};
use thalweg_runtime::mini_cluster::{BuildSpec, build, parkers, subtasks};
use thalweg_runtime::task::{Step, Subtask};

use super::listener::SimListener;
use crate::plant::Plant;

/// A subtask that has not ended.
struct Live {
    number: usize,
    subtask: Subtask,
}

/// What a step of a subtask came to.
pub enum Stepped {
    /// It goes on, and may have moved.
    Goes {
        /// Whether it has moved.
        worked: bool,
        /// When it wants to be called again, if it has not.
        until: Option<i64>,
    },
    /// It has ended.
    Ended,
}

/// What an attempt is built from.
pub struct ProcessSpec<'a> {
    /// The job.
    pub job: &'a JobGraph,
    /// Its settings.
    pub config: &'a ExecutionConfig,
    /// When checkpoints are taken.
    pub checkpointing: &'a CheckpointConfig,
    /// Where they go.
    pub checkpoints: Checkpoints,
    /// Where savepoints go.
    pub savepoints: Savepoints,
    /// What users ask for.
    pub requests: Arc<Requests>,
    /// Where the attempt starts.
    pub from: &'a StartingPoint,
    /// Milliseconds of the clock that never goes back.
    pub now: u64,
    /// A planted bug.
    pub plant: Option<Plant>,
}

/// A running attempt.
pub struct Process {
    live: Vec<Live>,
    /// Who sees the snapshots.
    pub listener: Arc<SimListener>,
    events: Receiver<Event>,
    /// The engine's side of checkpoints.
    pub executor: CheckpointExecutor,
    /// Checkpoints to store, and when that is done.
    pub storing: VecDeque<(u64, u64)>,
    /// What storing came to, on its way to the coordinator.
    pub stored: VecDeque<Event>,
    /// A durable checkpoint that sinks will hear of, and when.
    pub notice: Option<(u64, u64)>,
    /// The newest durable checkpoint of which was decided when sinks hear of it.
    pub announced: u64,
}

impl Process {
    /// Builds the subtasks and starts the coordinator.
    ///
    /// # Errors
    /// What the engine fails with.
    pub fn start(spec: &ProcessSpec<'_>) -> Result<Self> {
        let tasks = subtasks(spec.job);
        let restored = spec.from.checkpoint;
        // As in the engine's shell: an event of each task for each checkpoint under way.
        let room = tasks * (spec.checkpointing.max_concurrent + 2) + 16;
        let (sender, events) = sync_channel(room);
        let gathering = Arc::new(StoringListener::new(sender, restored));
        let request = Arc::new(CheckpointRequest::default());
        let listener = Arc::new(SimListener::new(
            gathering.clone(),
            request.clone(),
            restored,
            spec.plant,
        ));
        let shared: SharedListener = listener.clone();
        let built = build(&BuildSpec {
            job: spec.job,
            config: spec.config,
            parkers: &parkers(spec.job),
            listener: &shared,
            request: &request,
            restore: spec.from.snapshot.as_ref(),
            metrics: None,
        })?;
        let executor = CheckpointExecutor::new(
            ExecutorSpec {
                config: spec.checkpointing.clone(),
                tasks,
                request,
                listener: gathering,
                checkpoints: Some(spec.checkpoints.clone()),
                savepoints: spec.savepoints.clone(),
                claimed: None,
                requests: spec.requests.clone(),
            },
            restored,
            spec.now,
        )?;
        let all = built.by_slot.into_iter().flatten().enumerate();
        Ok(Process {
            live: all
                .map(|(number, subtask)| Live { number, subtask })
                .collect(),
            listener,
            events,
            executor,
            storing: VecDeque::new(),
            stored: VecDeque::new(),
            notice: None,
            announced: restored,
        })
    }

    /// How many subtasks have not ended.
    pub fn live(&self) -> u64 {
        self.live.len() as u64
    }

    /// Steps the subtask at a place in the list of those that live; also returns its number.
    ///
    /// # Errors
    /// What the subtask fails with.
    pub fn step(&mut self, at: usize, now: i64) -> (usize, Result<Stepped>) {
        let live = &mut self.live[at];
        let number = live.number;
        let stepped = match live.subtask.step(ProcessingTime(now)) {
            Err(error) => Err(error),
            Ok(Step::Worked) => Ok(Stepped::Goes {
                worked: true,
                until: None,
            }),
            Ok(Step::Idle { until }) => Ok(Stepped::Goes {
                worked: false,
                until: until.map(ProcessingTime::millis),
            }),
            Ok(Step::Finished) => {
                self.live.remove(at);
                Ok(Stepped::Ended)
            }
        };
        (number, stepped)
    }

    /// The next event for the coordinator.
    pub fn next_event(&mut self, now: u64) -> Option<Event> {
        let stored = self.stored.pop_front();
        let event = stored.or_else(|| self.events.try_recv().ok());
        let time = || self.executor.next_time().filter(|at| *at <= now);
        event.or_else(|| time().map(|_| Event::Time))
    }

    /// Hands users' requests to the coordinator; what follows.
    ///
    /// # Errors
    /// As [`Process::hand_in`].
    pub fn take_requests(&mut self, now: u64, wall: i64) -> Result<Vec<u64>, Error> {
        following(self.executor.take_requests(now, ProcessingTime(wall)))
    }

    /// Hands an event to the coordinator; what follows for the job, and the checkpoints to store.
    ///
    /// # Errors
    /// What fails the job.
    pub fn hand_in(&mut self, event: &Event, now: u64) -> Result<Vec<u64>, Error> {
        following(self.executor.on(event, now))
    }
}

/// The checkpoints to store, or what fails the job.
fn following(todo: Vec<Todo>) -> Result<Vec<u64>, Error> {
    let mut store = Vec::new();
    for todo in todo {
        match todo {
            // Every task is asked again and again.
            Todo::Wake => {}
            Todo::Store(checkpoint) => store.push(checkpoint),
            Todo::Fail(error) => return Err(error),
        }
    }
    Ok(store)
}

//! One attempt at the job inside of one process: what a crash takes away.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use thalweg_coordination::checkpoint::Event;
use thalweg_coordination::failover::Regions;
use thalweg_core::config::{CheckpointConfig, ExecutionConfig};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_core::time::ProcessingTime;
use thalweg_runtime::checkpoint::{
    CheckpointExecutor, CheckpointRequest, Checkpoints, ExecutorSpec, Requests, Savepoints,
    SharedListener, StartingPoint, StoringListener, Todo,
};
use thalweg_runtime::mini_cluster::{BuildSpec, Part, Slots, build, instances, regions};
use thalweg_runtime::task::{Step, Subtask};

use super::listener::SimListener;
use crate::plant::Plant;

/// A subtask that has not ended.
struct Live {
    number: usize,
    subtask: Subtask,
}

impl From<Subtask> for Live {
    fn from(subtask: Subtask) -> Self {
        Live {
            number: subtask.number(),
            subtask,
        }
    }
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

/// A region that has failed.
pub struct Away {
    /// Which.
    pub region: usize,
    /// What with.
    pub error: Error,
    /// When it starts again, once the coordinator has heard of it.
    pub due: Option<u64>,
}

/// A running attempt.
pub struct Process {
    live: Vec<Live>,
    job: JobGraph,
    config: ExecutionConfig,
    request: Arc<CheckpointRequest>,
    /// Which tasks fail together.
    pub regions: Regions,
    /// The regions that have failed.
    pub away: Vec<Away>,
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
        let tasks = instances(spec.job);
        let regions = regions(spec.job, spec.config.failover);
        let restored = spec.from.checkpoint;
        // As in the engine's shell: an event of each task for each checkpoint under way.
        let room = tasks.len() * (spec.checkpointing.max_concurrent + 2) + 16;
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
            slots: &Slots::shared(spec.job),
            part: Part::All,
            listener: &shared,
            request: &request,
            restore: spec.from.snapshot.as_ref(),
            metrics: None,
        })?;
        let executor = CheckpointExecutor::new(
            ExecutorSpec {
                config: spec.checkpointing.clone(),
                tasks,
                request: request.clone(),
                listener: gathering,
                checkpoints: Some(spec.checkpoints.clone()),
                savepoints: spec.savepoints.clone(),
                claimed: None,
                requests: spec.requests.clone(),
            },
            restored,
            spec.now,
        )?;
        let all = built.by_slot.into_iter().flatten();
        Ok(Process {
            live: all.map(Live::from).collect(),
            job: spec.job.clone(),
            config: spec.config.clone(),
            request,
            regions,
            away: Vec::new(),
            listener,
            events,
            executor,
            storing: VecDeque::new(),
            stored: VecDeque::new(),
            notice: None,
            announced: restored,
        })
    }

    /// How many subtasks have not ended, those of failed regions aside.
    pub fn live(&self) -> u64 {
        self.live.len() as u64
    }

    /// Whether there is nothing left to run.
    pub fn has_ended(&self) -> bool {
        self.live.is_empty() && self.away.is_empty()
    }

    /// A task has failed: its region runs no more. What it has said is still to be heard.
    pub fn lose(&mut self, task: usize, error: Error) {
        let region = self.regions.of(task);
        let tasks = self.regions.tasks(region);
        self.live.retain(|live| !tasks.contains(&live.number));
        self.away.push(Away {
            region,
            error,
            due: None,
        });
    }

    /// The job.
    pub fn job(&self) -> &JobGraph {
        &self.job
    }

    /// The first task of a region.
    pub fn first_of(&self, region: usize) -> usize {
        self.regions.tasks(region).first().copied().unwrap_or(0)
    }

    /// The tasks of a region.
    pub fn tasks_of(&self, region: usize) -> BTreeSet<usize> {
        self.regions.tasks(region).clone()
    }

    /// Starts the tasks of a region again.
    ///
    /// # Errors
    /// What the engine fails with.
    pub fn restart(&mut self, region: usize, from: &StartingPoint, now: u64) -> Result<()> {
        let tasks = self.tasks_of(region);
        let shared: SharedListener = self.listener.clone();
        let built = build(&BuildSpec {
            job: &self.job,
            config: &self.config,
            slots: &Slots::shared(&self.job),
            part: Part::Of(&tasks),
            listener: &shared,
            request: &self.request,
            restore: from.snapshot.as_ref(),
            metrics: None,
        })?;
        let all = built.by_slot.into_iter().flatten();
        self.live.extend(all.map(Live::from));
        self.away.retain(|away| away.region != region);
        // A trigger may follow: the checkpoint is not stored before its tasks have answered.
        following(self.executor.on(&Event::Restarted { tasks }, now)).map(drop)
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

    /// Whether the coordinator has still something to hear.
    pub fn has_more_to_say(&mut self) -> bool {
        if self.stored.is_empty() {
            self.stored.extend(self.events.try_recv());
        }
        !self.stored.is_empty()
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

//! Users beside the job: they ask for savepoints, stop the job with one and start it again from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use thalweg_core::error::Result;
use thalweg_core::graph::JobGraph;
use thalweg_core::id::JobId;
use thalweg_runtime::checkpoint::{
    ManualRequest, Reply, Requests, Savepoints, StartingPoint, Stopped,
};
use thalweg_state::checkpoints::load_named;
use thalweg_state::{CheckpointStorage, CheckpointStore, Loaded, StorageFile, savepoints};

use super::World;
use super::process::Process;
use super::storage::SimStorage;
use crate::checker::{complete, replay};
use crate::plant::Plant;
use crate::seed::Dice;

const SAVEPOINTS: &str = "savepoints";
// Users want something once in so many steps.
const STEPS: u64 = 400;

/// What users have asked for and been given.
pub(super) struct Users {
    dice: Dice,
    asking: u64,
    pub(super) requests: Arc<Requests>,
    waiting: Vec<Receiver<Result<String>>>,
    /// Where the savepoints are that users know of.
    taken: Vec<String>,
    /// The savepoint that the job was stopped with last.
    stopped: Option<(u64, CheckpointStore)>,
    /// Whether this attempt stops.
    stops: bool,
}

impl Users {
    /// Half of all jobs are left alone.
    pub(super) fn new(mut dice: Dice) -> Self {
        Users {
            asking: if dice.one_in(2) {
                dice.between(1, 8)
            } else {
                0
            },
            dice,
            requests: Arc::default(),
            waiting: Vec::new(),
            taken: Vec::new(),
            stopped: None,
            stops: false,
        }
    }

    /// The newest point that the job was stopped at.
    pub(super) fn stopped_at(&self) -> u64 {
        self.stopped.as_ref().map_or(0, |(number, _)| *number)
    }
}

/// A directory of the storage as a storage.
#[derive(Clone)]
struct Below(SimStorage, String);

impl Below {
    fn path(&self, path: &str) -> String {
        match path {
            "" => self.1.clone(),
            path => format!("{}/{path}", self.1),
        }
    }
}

impl CheckpointStorage for Below {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.0.write(&self.path(path), bytes)
    }

    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>> {
        self.0.create(&self.path(path))
    }

    fn put_file(&self, path: &str, from: &Path) -> Result<()> {
        self.0.put_file(&self.path(path), from)
    }

    fn get_file(&self, path: &str, bytes: u64) -> Result<PathBuf> {
        self.0.get_file(&self.path(path), bytes)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.0.read(&self.path(path))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        self.0.list(&self.path(directory))
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.0.delete(&self.path(path))
    }

    fn display(&self, path: &str) -> String {
        self.path(path)
    }
}

impl World {
    pub(super) fn savepoints(&self) -> Savepoints {
        let storage = self.storage.clone();
        Savepoints {
            job: JobId(7),
            job_name: self.workload.name().to_owned(),
            directory: None,
            open: Arc::new(move |directory| {
                Ok(Arc::new(Below(storage.clone(), directory.to_owned())))
            }),
        }
    }

    /// A user may want something.
    pub(super) fn ask(&mut self) {
        let users = &mut self.users;
        if users.asking == 0 || !users.dice.one_in(STEPS) {
            return;
        }
        users.asking -= 1;
        let directory = Some(SAVEPOINTS.to_owned());
        let request = match users.dice.below(5) {
            0 => ManualRequest::Checkpoint,
            1 | 2 => ManualRequest::Savepoint { directory },
            _ => ManualRequest::Stop {
                directory,
                drain: false,
            },
        };
        self.journal.note(format_args!("{request:?}"));
        let (sender, answer) = sync_channel(1);
        users.waiting.push(answer);
        // Never closed: the job of a simulation ends once.
        drop(users.requests.push(request, Reply::new(sender)));
    }

    /// What has become of the requests.
    pub(super) fn hear(&mut self, process: &Process, job: &JobGraph) {
        let stopped = self.users.requests.take_stopped();
        if let Some(Stopped {
            checkpoint, store, ..
        }) = stopped
        {
            self.journal.note(format_args!("stopped with {checkpoint}"));
            self.journal.count(|counts| counts.stops += 1);
            let place = store.place(checkpoint);
            self.look_at(&place, process, job);
            self.users.taken.push(place);
            self.users.stopped = Some((checkpoint, store));
            self.users.stops = true;
        }
        let mut answers = Vec::new();
        self.users.waiting.retain(|answer| match answer.try_recv() {
            Ok(answer) => {
                answers.push(answer);
                false
            }
            Err(error) => error == std::sync::mpsc::TryRecvError::Empty,
        });
        for answer in answers {
            match answer {
                Ok(place) if place.starts_with(SAVEPOINTS) => {
                    self.journal.note(format_args!("savepoint {place}"));
                    self.journal.count(|counts| counts.savepoints += 1);
                    self.look_at(&place, process, job);
                    self.users.taken.push(place);
                }
                Ok(place) => self.journal.note(format_args!("asked for {place}")),
                Err(error) => self.journal.note(format_args!("refused: {error}")),
            }
        }
    }

    /// A savepoint must hold what its barrier passed, and yield every row once.
    fn look_at(&mut self, place: &str, process: &Process, job: &JobGraph) {
        let loaded = match self.load(place) {
            Ok(loaded) => loaded,
            Err(error) => {
                let violation = format!("complete: savepoint `{place}` cannot be read: {error}");
                return self.journal.violate(violation);
            }
        };
        let number = loaded.metadata.checkpoint;
        if process.executor.completed().last() > Some(number) {
            // A checkpoint behind it was faster, and is committed.
            return;
        }
        let snapshot = StartingPoint::from(loaded).snapshot.unwrap_or_default();
        let verdict = complete::check(number, &snapshot, job, &process.listener);
        self.judge(verdict);
        if !self.journal.is_violated() {
            let verdict = replay::check(
                self.workload.as_ref(),
                &snapshot,
                &self.ledger,
                self.scenario.max_parallelism,
                &mut self.users.dice,
            );
            self.judge(verdict);
        }
    }

    fn load(&self, place: &str) -> Result<Loaded> {
        let storage = Below(self.storage.copy(), place.to_owned());
        load_named(Arc::new(storage), &mut |_| {})
    }

    /// Where the next attempt starts: nothing older than the savepoint that the job was stopped
    /// with, which may be committed.
    pub(super) fn not_before_the_stop(&self, newest: StartingPoint) -> Result<StartingPoint> {
        match &self.users.stopped {
            Some(_) if self.plant == Some(Plant::ForgetStop) => Ok(newest),
            Some((number, store)) if *number > newest.checkpoint => {
                let place = store.place(*number);
                Ok(StartingPoint::from(self.load(&place)?))
            }
            _ => Ok(newest),
        }
    }

    /// An attempt is over. Those who wait for what it has not done hear nothing more.
    pub(super) fn abandon(&mut self, process: &mut Process) {
        process.executor.abandon();
        drop(self.users.requests.take_interrupted());
    }

    /// Whether the job has only been stopped, and is now started again.
    pub(super) fn starts_again(&mut self) -> bool {
        std::mem::take(&mut self.users.stops)
    }

    /// Users delete what they have; nobody else has done so.
    pub(super) fn dispose_savepoints(&mut self) {
        for place in std::mem::take(&mut self.users.taken) {
            let storage = Below(self.storage.clone(), place.clone());
            let disposed = self
                .load(&place)
                .and_then(|_| savepoints::dispose(&storage));
            if !matches!(disposed, Ok(true)) {
                self.journal
                    .violate(format!("complete: savepoint `{place}`: {disposed:?}"));
            }
        }
        // A crash leaves what there was of one that was not complete.
        if let Err(error) = self.storage.delete(SAVEPOINTS) {
            self.journal.violate(format!("leaks: {error}"));
        }
    }
}

//! The world of one run: what outlives processes, what time it is, what goes wrong next.

pub mod compose;
pub mod ledger;
pub mod listener;
pub mod observed;
pub mod power;
pub mod process;
mod regions;
mod restart;
mod savepoints;
mod step;
pub mod storage;

use std::sync::Arc;

use thalweg_core::graph::JobGraph;
use thalweg_runtime::checkpoint::{Checkpoints, StartingPoint};
use thalweg_state::CheckpointStore;

use crate::checker::{Verdict, complete, exactly_once, leaks, replay};
use crate::faults::Weather;
use crate::journal::Journal;
use crate::plant::Plant;
use crate::seed::{Dice, Scenario};
use crate::workload::{self, Workload};
use ledger::Ledger;
use observed::{Fuse, Opens};
use power::Power;
use process::Process;
use storage::SimStorage;

const JOB: &str = "job";
// Where the wall clock begins.
const EPOCH: i64 = 1_700_000_000_000;
// One in so many completed checkpoints is run to its end on the side.
const REPLAYED: u64 = 4;

/// How an attempt ended.
enum Ended {
    /// All tasks have ended.
    Finished,
    /// The process is gone.
    Crashed,
    /// The job has failed in a process that goes on.
    Failed,
    /// A property does not hold.
    Violated,
}

/// Everything.
pub struct World {
    dice: Dice,
    checking: Dice,
    scenario: Scenario,
    workload: Box<dyn Workload>,
    plant: Option<Plant>,
    journal: Journal,
    power: Arc<Power>,
    storage: SimStorage,
    ledger: Ledger,
    fuse: Arc<Fuse>,
    opens: Opens,
    weather: Weather,
    // Milliseconds that never go back, and how far the wall clock is from them.
    now: u64,
    wall_offset: i64,
    step: u64,
    faults_left: u64,
    next_fault: u64,
    last_fault: u64,
    // The newest checkpoint whose commits may have happened.
    committed_up_to: u64,
    failed_deletions: u64,
    users: savepoints::Users,
    backoff: thalweg_coordination::failover::RestartBackoff,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64, plant: Option<Plant>, journal: Journal) -> Self {
        let mut drawing = Dice::new(seed, 1);
        let scenario = Scenario::draw(&mut drawing, &mut Dice::new(seed, 6));
        let workload = workload::draw(&mut drawing);
        let power = Arc::new(Power::default());
        let storage = SimStorage::new(Dice::new(seed, 2), power.clone(), journal.clone(), plant);
        let ledger = Ledger::new(0, power.clone(), journal.clone(), plant);
        let mut dice = Dice::new(seed, 3);
        let strategy = thalweg_core::config::RestartStrategy::exponential();
        journal.note(format_args!("{} {scenario:?}", workload.name()));
        journal.count(|counts| *counts.workloads.entry(workload.name()).or_default() += 1);
        World {
            checking: Dice::new(seed, 4),
            users: savepoints::Users::new(Dice::new(seed, 5)),
            faults_left: if scenario.kinds.is_empty() {
                0
            } else {
                scenario.faults
            },
            next_fault: dice.below(scenario.gap),
            dice,
            workload,
            plant,
            journal,
            power,
            storage,
            ledger,
            fuse: Arc::default(),
            opens: Opens::default(),
            weather: Weather::default(),
            now: 0,
            wall_offset: EPOCH,
            step: 0,
            last_fault: 0,
            committed_up_to: 0,
            failed_deletions: 0,
            backoff: thalweg_coordination::failover::RestartBackoff::new(strategy, seed),
            scenario,
        }
    }

    /// Runs the job to its end, through as many attempts as it takes.
    pub fn run(&mut self) {
        while !self.journal.is_violated() {
            let Some((mut process, job)) = self.start() else {
                continue;
            };
            let ended = self.attempt(&mut process, &job);
            match ended {
                Ended::Finished if self.starts_again() => {
                    self.journal.note(format_args!("starts again"));
                }
                Ended::Finished => {
                    self.finish();
                    return;
                }
                Ended::Crashed => self.crash(),
                Ended::Failed => {
                    self.abandon(&mut process);
                    self.journal.count(|counts| counts.failures += 1);
                }
                Ended::Violated => return,
            }
        }
    }

    fn wall(&self) -> i64 {
        // Milliseconds of a run fit by far.
        self.now as i64 + self.wall_offset
    }

    /// States are small here: with layers all of them go to files.
    fn store(&self, storage: SimStorage) -> CheckpointStore {
        let store = CheckpointStore::new(Arc::new(storage), JOB);
        match self.scenario.checkpointing.incremental {
            true => store.with_inline_bytes_max(0),
            false => store,
        }
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints {
            store: self.store(self.storage.clone()),
            job_name: self.workload.name().to_owned(),
            retained: self.scenario.checkpointing.retained,
            warn: |_| {},
        }
    }

    /// What checkers read: the files as they are, without faults.
    fn undisturbed(&self) -> CheckpointStore {
        self.store(self.storage.copy())
    }

    fn judge(&self, verdict: Verdict) {
        if let Err(violation) = verdict {
            self.journal.violate(violation);
        }
    }

    fn crash(&mut self) {
        self.journal.note(format_args!("crash"));
        self.journal.count(|counts| counts.crashes += 1);
        self.storage.crash();
        self.power.switch_on();
    }

    /// A checkpoint has been completed.
    fn completed(&mut self, process: &Process, job: &JobGraph, checkpoint: u64) {
        self.journal.note(format_args!("complete {checkpoint}"));
        self.journal.count(|counts| counts.checkpoints += 1);
        let loaded = match self.undisturbed().load(checkpoint) {
            Ok(loaded) => loaded,
            Err(error) => {
                let violation =
                    format!("complete: checkpoint {checkpoint} cannot be read: {error}");
                return self.journal.violate(violation);
            }
        };
        let snapshot = StartingPoint::from(loaded).snapshot.unwrap_or_default();
        self.judge(complete::check(
            checkpoint,
            &snapshot,
            job,
            &process.listener,
        ));
        process.listener.forget(checkpoint);
        if self.checking.one_in(REPLAYED) && !self.journal.is_violated() {
            let verdict = replay::check(
                self.workload.as_ref(),
                &snapshot,
                &self.ledger,
                self.scenario.max_parallelism,
                &mut self.checking,
            );
            self.judge(verdict);
        }
        let kept: Vec<u64> = process.executor.completed().collect();
        if kept.len() > self.scenario.checkpointing.retained {
            self.journal.violate(format!("leaks: {kept:?} are kept"));
        }
        self.look_for_leaks(process);
    }

    /// Directories that are neither of kept checkpoints nor of those being stored, and shared files
    /// of no directory.
    fn look_for_leaks(&self, process: &Process) {
        // What could not be deleted stays until the next start.
        if self.storage.failed_deletions() > self.failed_deletions {
            return;
        }
        let mut known: Vec<u64> = process.executor.completed().collect();
        known.extend(process.storing.iter().map(|(_, checkpoint)| *checkpoint));
        match self.undisturbed().numbers() {
            Ok(found) => {
                self.judge(leaks::check(&found, &known));
                self.judge(leaks::check_shared(&self.undisturbed(), &found));
            }
            Err(error) => self.journal.violate(format!("leaks: {error}")),
        }
    }

    /// The job has ended: nothing goes wrong any more, and nothing may be left.
    fn finish(&mut self) {
        self.storage.set_faults(storage::StorageFaults::default());
        self.power.switch_on();
        self.judge(exactly_once::check(&self.ledger, &self.workload.expected()));
        // As the engine's supervisor does at the end of a job.
        if let Err(error) = self.checkpoints().store.discard_all() {
            self.journal.violate(format!("leaks: {error}"));
        }
        self.dispose_savepoints();
        self.judge(leaks::check_end(&self.storage.paths()));
        self.journal
            .note(format_args!("end after {} steps", self.step));
        let end = self.step.saturating_sub(self.last_fault);
        self.journal.count(|counts| counts.longest_end = end);
    }
}

//! How an attempt starts: from the newest whole checkpoint, at another parallelism.

use thalweg_core::error::{Error, ErrorKind};
use thalweg_core::graph::JobGraph;
use thalweg_core::state::Redistribution;
use thalweg_runtime::checkpoint::{JobSnapshot, StartingPoint};

use super::World;
use super::compose::compose;
use super::observed::observe;
use super::process::{Process, ProcessSpec};
use crate::plant::Plant;

impl World {
    /// Starts an attempt. `None` if that fails for now, or for good with a violation.
    pub(super) fn start(&mut self) -> Option<(Process, JobGraph)> {
        self.refresh_weather();
        match self.try_start() {
            Ok(started) => {
                self.look_for_leaks(&started.0);
                Some(started)
            }
            Err(_) if self.power.is_off() => {
                self.crash();
                None
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    /// The job has failed: waits as the engine's supervisor does.
    pub(super) fn fail(&mut self, error: &Error) {
        self.journal.note(format_args!("failed: {error}"));
        let wait = self.backoff.on_failure(error.kind(), self.now);
        match wait.filter(|_| error.kind() == ErrorKind::Retryable) {
            // The wait is no step of anybody, but the weather changes meanwhile.
            Some(wait) => {
                self.now += wait.as_millis() as u64;
                self.step += 10;
            }
            None => self
                .journal
                .violate(format!("progress: the job fails for good: {error}")),
        }
    }

    fn try_start(&mut self) -> Result<(Process, JobGraph), Error> {
        let checkpoints = self.checkpoints();
        let found = checkpoints.newest()?;
        let mut from = self.not_before_the_stop(found.unwrap_or_default())?;
        self.note_start(&from);
        if let (Some(snapshot), Some(plant)) = (&mut from.snapshot, self.plant) {
            self.lose(snapshot, plant);
        }
        let max_parallelism = self.scenario.max_parallelism;
        let workload = self.workload.as_ref();
        let (mut job, mut config) =
            compose(workload, &self.ledger, max_parallelism, &mut self.dice)?;
        let mut checkpointing = self.scenario.checkpointing.clone();
        config.checkpointing.incremental = checkpointing.incremental;
        if config.checkpointing.unaligned {
            checkpointing.max_concurrent = 1;
        }
        config.failover = self.scenario.failover;
        self.opens.clear();
        let around = (&self.fuse, &self.opens);
        observe(&mut job, around, &self.journal, self.plant);
        self.failed_deletions = self.storage.failed_deletions();
        let process = Process::start(&ProcessSpec {
            job: &job,
            config: &config,
            checkpointing: &checkpointing,
            checkpoints,
            savepoints: self.savepoints(),
            requests: self.users.requests.clone(),
            from: &from,
            now: self.now,
            plant: self.plant,
        })?;
        Ok((process, job))
    }

    fn note_start(&mut self, from: &StartingPoint) {
        self.journal
            .note(format_args!("start from {}", from.checkpoint));
        let newest = self.undisturbed().numbers().unwrap_or_default();
        let passed_over = newest
            .iter()
            .any(|n| *n > from.checkpoint && self.undisturbed().is_complete(*n).unwrap_or(false));
        let in_flight = from
            .snapshot
            .as_ref()
            .is_some_and(JobSnapshot::has_in_flight);
        self.journal.count(|counts| {
            counts.restores += u64::from(from.snapshot.is_some());
            counts.in_flight += u64::from(in_flight);
            counts.passed_over += u64::from(passed_over);
        });
        if from.checkpoint < self.committed_up_to {
            if passed_over {
                self.ledger.go_back();
            } else {
                self.journal.violate(format!(
                    "complete: checkpoint {} was committed, but only {} is found",
                    self.committed_up_to, from.checkpoint
                ));
            }
        }
        // What the checkpoint holds is committed when its sinks open.
        self.committed_up_to = from.checkpoint;
    }

    /// Planted bugs: an entry is lost on its way to the new instances.
    fn lose(&mut self, snapshot: &mut JobSnapshot, plant: Plant) {
        let kind = match plant {
            Plant::LoseTimer => Redistribution::Timers,
            Plant::LoseEntry => Redistribution::KeyGroup,
            Plant::DropInFlight => Redistribution::InFlight,
            _ => return,
        };
        let operators = snapshot.operators.values_mut();
        let instances = operators.flat_map(|operator| &mut operator.instances);
        let tables = instances.flat_map(|instance| &mut instance.state.tables);
        let mut full = tables.filter(|t| t.redistribution == kind && !t.entries.is_empty());
        if let Some(table) = full.next() {
            let at = self.dice.below(table.entries.len() as u64) as usize;
            let kept = table.entries.iter().enumerate();
            let kept = kept.filter(|(index, _)| *index != at);
            table.entries = kept.map(|(_, entry)| entry).collect();
        }
    }
}

//! One attempt, step by step: which subtask moves, what the coordinator hears, what goes wrong.

use thalweg_core::graph::JobGraph;
use thalweg_core::time::ProcessingTime;

use super::process::{Process, Stepped};
use super::storage::StorageFaults;
use super::{Ended, JOB, World};
use crate::checker::progress;
use crate::faults::Fault;
use crate::plant::Plant;

const HOUR: u64 = 3_600_000;

/// What the tasks said since one of them last moved.
#[derive(Default)]
struct Quiet {
    steps: u64,
    until: Option<i64>,
}

impl World {
    /// Runs an attempt to its end.
    pub(super) fn attempt(&mut self, process: &mut Process, job: &JobGraph) -> Ended {
        let mut quiet = Quiet::default();
        while !process.has_ended() {
            self.step += 1;
            self.now += self.dice.below(3);
            self.judge(progress::check(self.step.saturating_sub(self.last_fault)));
            self.refresh_weather();
            if let Some(fault) = self.due_fault()
                && self.break_something(fault)
            {
                return Ended::Crashed;
            }
            if let Some(ended) = self.step_subtask(process, &mut quiet) {
                return ended;
            }
            if let Some(ended) = self.step_coordinator(process, job) {
                return ended;
            }
            if let Some(ended) = self.restart_regions(process) {
                return ended;
            }
            if self.tell_sinks(process) {
                quiet = Quiet::default();
            }
            // Everybody was asked several times, and nothing moves.
            if quiet.steps > 8 * process.live() + 8 {
                self.pass_time(process, &mut quiet);
            }
            if self.journal.is_violated() {
                return Ended::Violated;
            }
        }
        Ended::Finished
    }

    fn step_subtask(&mut self, process: &mut Process, quiet: &mut Quiet) -> Option<Ended> {
        if process.live() == 0 {
            // All that is left waits to start again.
            quiet.steps += 1;
            return None;
        }
        let at = self.dice.below(process.live()) as usize;
        let wall = self.wall();
        let (number, stepped) = process.step(at, wall);
        self.journal.count(|counts| counts.steps += 1);
        if self.power.is_off() {
            return Some(Ended::Crashed);
        }
        match stepped {
            Err(error) => {
                *quiet = Quiet::default();
                return self.fail_task(process, number, error);
            }
            Ok(Stepped::Goes {
                worked: false,
                until,
            }) => {
                quiet.steps += 1;
                quiet.until = quiet.until.into_iter().chain(until).min();
                self.journal.note(format_args!("step {number} idle"));
            }
            Ok(Stepped::Goes { .. }) => {
                *quiet = Quiet::default();
                self.journal.note(format_args!("step {number} at {wall}"));
            }
            Ok(Stepped::Ended) => {
                *quiet = Quiet::default();
                self.journal.note(format_args!("step {number} ended"));
            }
        }
        None
    }

    fn step_coordinator(&mut self, process: &mut Process, job: &JobGraph) -> Option<Ended> {
        self.ask();
        match process.take_requests(self.now, self.wall()) {
            _ if self.power.is_off() => return Some(Ended::Crashed),
            Ok(requested) => self.put_off(process, requested),
            Err(error) => {
                self.fail(&error);
                return Some(Ended::Failed);
            }
        }
        while let Some(event) = process.next_event(self.now) {
            self.journal.note(format_args!("{event:?} at {}", self.now));
            let before = process.executor.completed().last();
            let handed_in = process.hand_in(&event, self.now);
            self.hear(process, job);
            let store = match handed_in {
                Ok(store) => store,
                // The process goes down while it discards a checkpoint.
                Err(_) if self.power.is_off() => return Some(Ended::Crashed),
                Err(error) => {
                    self.fail(&error);
                    return Some(Ended::Failed);
                }
            };
            if self.power.is_off() {
                return Some(Ended::Crashed);
            }
            self.put_off(process, store);
            let newest = process.executor.completed().last();
            if let Some(checkpoint) = newest.filter(|_| newest != before) {
                self.completed(process, job, checkpoint);
            }
            // Events may come in one by one or many at once.
            if self.dice.one_in(2) {
                break;
            }
        }
        let due = process
            .storing
            .iter()
            .position(|(due, _)| *due <= self.now)?;
        let (_, checkpoint) = process.storing.remove(due)?;
        let wall = ProcessingTime(self.wall());
        let event = process.executor.store(checkpoint, wall);
        if self.power.is_off() {
            return Some(Ended::Crashed);
        }
        process.stored.push_back(event);
        None
    }

    /// Storing takes a while.
    fn put_off(&mut self, process: &mut Process, store: Vec<u64>) {
        for checkpoint in store {
            let slow = self.step < self.weather.slow_until;
            let takes = self.dice.below(if slow { 3000 } else { 10 });
            process.storing.push_back((self.now + takes, checkpoint));
        }
    }

    /// Sinks hear that a checkpoint is durable: soon, late or not at all. Whether they do now.
    fn tell_sinks(&mut self, process: &mut Process) -> bool {
        let known = process.listener.known();
        if known > process.announced {
            process.announced = known;
            let silent = self.step < self.weather.silent_until;
            // The end must be heard of; of the others a later one says as much.
            let lost = silent && known != u64::MAX && self.dice.one_in(2);
            if !lost {
                let delay = self.dice.below(if silent { 500 } else { 8 });
                process.notice = Some((self.now + delay, known));
            }
        }
        let Some((_, durable)) = process.notice.take_if(|(due, _)| *due <= self.now) else {
            return false;
        };
        if durable == u64::MAX && self.plant == Some(Plant::HoldLastNotice) {
            return false;
        }
        process.listener.show(durable);
        self.journal.note(format_args!("durable {durable}"));
        let newest = process.executor.completed().last().unwrap_or(0);
        // The stop of the job is durable as its end is, with the savepoint.
        let newest = newest.max(self.users.stopped_at());
        self.committed_up_to = self.committed_up_to.max(durable.min(newest));
        true
    }

    /// Nothing moves: time passes until something is due.
    fn pass_time(&mut self, process: &Process, quiet: &mut Quiet) {
        if !process.stored.is_empty() {
            return;
        }
        let wall = self.wall();
        let wanted = quiet.until.map(|at| self.now + (at - wall).max(0) as u64);
        let storing = process.storing.iter().map(|(due, _)| *due).min();
        let notice = process.notice.map(|(due, _)| due);
        // A time that has passed decides nothing: a checkpoint is still being stored.
        let next = process.executor.next_time().filter(|at| *at > self.now);
        let away = process.away.iter().filter_map(|away| away.due).min();
        let due = [wanted, storing, notice, next, away];
        *quiet = Quiet::default();
        match due.into_iter().flatten().min() {
            Some(at) => self.now = self.now.max(at),
            None if self.step < self.weather.stopped_until => {}
            None => {
                let live = process.live();
                let violation = format!("progress: {live} tasks wait for nothing");
                self.journal.violate(violation);
            }
        }
    }

    fn due_fault(&mut self) -> Option<Fault> {
        if self.faults_left == 0 || self.step < self.next_fault {
            return None;
        }
        self.faults_left -= 1;
        self.next_fault = self.step + 1 + self.dice.below(self.scenario.gap);
        let fault = self.dice.pick(&self.scenario.kinds);
        self.journal.note(format_args!("fault: {}", fault.name()));
        self.journal
            .count(|counts| *counts.faults.entry(fault.name()).or_default() += 1);
        self.last_fault = self.step;
        Some(fault)
    }

    /// Whether the process ends at once.
    fn break_something(&mut self, fault: Fault) -> bool {
        let lasting = self.step + self.dice.between(20, 1500);
        match fault {
            Fault::Crash => return true,
            Fault::CrashInside => self.power.cut_after(self.dice.below(6)),
            Fault::FailingStorage => self.weather.failing_until = lasting,
            Fault::DiskFull => self.weather.full_until = lasting,
            Fault::SlowStorage => self.weather.slow_until = lasting,
            Fault::Corruption => {
                self.damage_newest();
                return true;
            }
            Fault::StoppedSinks => self.weather.stopped_until = lasting,
            Fault::LostNotices => self.weather.silent_until = lasting,
            Fault::OperatorError => self.fuse.light(self.dice.below(60)),
            Fault::CommitError => self.ledger.fail_after(self.dice.below(4)),
            Fault::Sleep => self.now += self.dice.pick(&[500, 20_000, 8 * HOUR]),
            Fault::ClockSet => {
                let away = self.dice.pick(&[50, 5_000, HOUR]) as i64;
                self.wall_offset += if self.dice.one_in(2) { away } else { -away };
            }
        }
        // What is lit or armed goes off later.
        self.last_fault = self.last_fault.max(self.weather.fair_from());
        false
    }

    /// Damages the newest checkpoint, if an older one is whole: without any the job must fail.
    fn damage_newest(&mut self) {
        let store = self.undisturbed();
        let numbers = store.numbers().unwrap_or_default();
        let whole: Vec<u64> = numbers
            .into_iter()
            .filter(|n| store.load(*n).is_ok())
            .collect();
        if let [newest, older, ..] = whole.as_slice() {
            // A layer that is not of the older one as well.
            let names = |of: u64| store.references(of).unwrap_or_default();
            let (newest_names, older_names) = (names(*newest), names(*older));
            let layer = newest_names.difference(&older_names).next();
            let damaged = match layer.filter(|_| self.dice.one_in(2)) {
                Some(name) => format!("{JOB}/shared/{name}"),
                None => format!("{JOB}/chk-{newest}"),
            };
            self.storage.damage(&damaged);
        }
    }

    pub(super) fn refresh_weather(&mut self) {
        self.ledger.stop(self.step < self.weather.stopped_until);
        self.storage.set_faults(StorageFaults {
            failing: self.step < self.weather.failing_until,
            full: self.step < self.weather.full_until,
        });
    }
}

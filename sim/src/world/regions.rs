//! Regions of a job that fail alone, and start again while the others go on.

use thalweg_coordination::checkpoint::Event;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::id::OperatorUid;

use super::process::Process;
use super::{Ended, World};
use crate::checker::regions;
use crate::plant::Plant;

impl World {
    /// A task has failed: its region is away, or all of the attempt is over.
    pub(super) fn fail_task(
        &mut self,
        process: &mut Process,
        task: usize,
        error: Error,
    ) -> Option<Ended> {
        if process.regions.count() == 1 {
            self.fail(&error);
            return Some(Ended::Failed);
        }
        self.journal
            .note(format_args!("task {task} failed: {error}"));
        process.lose(task, error);
        None
    }

    /// Does what is due for the regions that are away.
    pub(super) fn restart_regions(&mut self, process: &mut Process) -> Option<Ended> {
        for at in 0..process.away.len() {
            // All that its tasks have said before is heard first.
            if process.away[at].due.is_none() {
                if process.has_more_to_say() {
                    return None;
                }
                if let Some(ended) = self.announce(process, at) {
                    return Some(ended);
                }
            }
        }
        let due = |away: &super::process::Away| away.due.is_some_and(|due| due <= self.now);
        let region = process.away.iter().find(|away| due(away))?.region;
        match self.restart_region(process, region) {
            Ok(true) => None,
            _ if self.power.is_off() => Some(Ended::Crashed),
            Ok(false) => {
                self.fail(&Error::new(ErrorKind::Retryable, "an older checkpoint"));
                Some(Ended::Failed)
            }
            Err(error) => {
                self.fail(&error);
                Some(Ended::Failed)
            }
        }
    }

    /// The coordinator hears of a failed region.
    fn announce(&mut self, process: &mut Process, at: usize) -> Option<Ended> {
        let region = process.away[at].region;
        if !process.executor.may_fail_in_part() {
            let error = Error::new(ErrorKind::Retryable, process.away[at].error.to_string());
            self.fail(&error);
            return Some(Ended::Failed);
        }
        let tasks = process.tasks_of(region);
        self.journal.note(format_args!("region {region} is away"));
        self.journal.count(|counts| counts.region_failures += 1);
        process
            .listener
            .forget_ends(&self.instances(process, region));
        // Nothing is stored any more of what is under way.
        if let Err(error) = process.hand_in(&Event::Failed { tasks }, self.now) {
            self.fail(&error);
            return Some(Ended::Failed);
        }
        if self.power.is_off() {
            return Some(Ended::Crashed);
        }
        let kind = process.away[at].error.kind();
        match self.backoff.on_failure(kind, self.now) {
            Some(wait) => process.away[at].due = Some(self.now + wait.as_millis() as u64),
            None => self
                .journal
                .violate("progress: the job fails for good".to_owned()),
        }
        None
    }

    fn instances(&self, process: &Process, region: usize) -> Vec<(OperatorUid, u32)> {
        let all = thalweg_runtime::mini_cluster::instances(process.job());
        let tasks = process.tasks_of(region);
        tasks.iter().flat_map(|task| all[*task].clone()).collect()
    }

    /// False if the newest checkpoint is damaged: then all go back to an older one.
    fn restart_region(&mut self, process: &mut Process, region: usize) -> Result<bool> {
        let found = self.checkpoints().newest()?;
        let mut from = self.not_before_the_stop(found.unwrap_or_default())?;
        if from.checkpoint != process.listener.known() {
            return Ok(false);
        }
        self.journal
            .note(format_args!("region {region} from {}", from.checkpoint));
        if let (Some(snapshot), Some(Plant::RestoreSome)) = (&mut from.snapshot, self.plant) {
            let lost = self.instances(process, region);
            // A source of the region begins anew.
            if let Some((uid, _)) = lost.first() {
                snapshot.operators.remove(uid);
            }
        }
        let whose = self.instances(process, region);
        process.restart(region, &from, self.now)?;
        if self.plant == Some(Plant::RestartOthers) {
            self.restart_another(process, region, &from)?;
        }
        self.opens.restarted(&whose);
        self.judge(regions::check(self.workload.as_ref(), &whose));
        // What the checkpoint holds is committed when its sinks open.
        self.committed_up_to = self.committed_up_to.max(from.checkpoint);
        Ok(true)
    }

    fn restart_another(
        &mut self,
        process: &mut Process,
        region: usize,
        from: &thalweg_runtime::checkpoint::StartingPoint,
    ) -> Result<()> {
        let other = (region + 1) % process.regions.count();
        if process.away.iter().any(|away| away.region == other) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Retryable, "planted: another region");
        process.lose(process.first_of(other), error);
        let tasks = process.tasks_of(other);
        process.hand_in(&Event::Failed { tasks }, self.now)?;
        process.restart(other, from, self.now)
    }
}

//! A region that has failed starts again while the others go on.
//!
//! ```text
//!   a task fails ─▶ its region's threads end ─▶ the coordinator gives up what is under way
//!                                                  │ may this be left to the region?
//!                              no: all threads end ◀┴▶ yes: wait, load, build, start
//! ```
//!
//! The others hear nothing of it but that for a while no checkpoint starts.

use std::time::Duration;

use thalweg_coordination::failover::{RestartBackoff, Restarted};
use thalweg_core::error::{Error, Result};
use thalweg_core::host::Clock;

use super::attempt::{Attempt, Ended, FailedRegion};
use super::job_client::JobStatus;
use super::running_job::Supervisor;
use super::slots::task_names;

/// Whether another attempt may follow one that has failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// The strategy has not been asked about the error.
    Open,
    /// The strategy has said yes, and the wait is over.
    Waited,
    /// The strategy has said no.
    Hopeless,
}

/// Why all of the job has to stop.
struct Giving {
    error: Error,
    outlook: Outlook,
}

fn to_all(error: Error) -> Giving {
    Giving {
        error,
        outlook: Outlook::Open,
    }
}

/// A region that waits to start again.
struct Away {
    region: usize,
    error: Error,
    due: Duration,
}

impl Supervisor {
    /// Runs an attempt to its end, through the failures of its regions.
    pub(super) fn run_regions(
        &self,
        mut attempt: Attempt,
        backoff: &mut RestartBackoff,
    ) -> (Ended, Outlook) {
        let mut outlook = Outlook::Open;
        let mut away: Vec<Away> = Vec::new();
        while attempt.is_running() || !away.is_empty() {
            let due = away.iter().map(|away| away.due).min();
            let wait = due.map(|due| due.saturating_sub(self.now()));
            let next = match attempt.next_failure(wait) {
                Some(failed) => self
                    .lose(&attempt, failed, backoff)
                    .map(|lost| away.push(lost)),
                None => self.restart_due(&mut attempt, &mut away),
            };
            if let Err(giving) = next {
                away.clear();
                outlook = giving.outlook;
                attempt.fail(giving.error);
            }
        }
        (attempt.join(), outlook)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_nanos())
    }

    /// A region has failed: when it starts again.
    fn lose(
        &self,
        attempt: &Attempt,
        failed: FailedRegion,
        backoff: &mut RestartBackoff,
    ) -> Result<Away, Giving> {
        let FailedRegion { region, error } = failed;
        let alone = self.spec.checkpoints.is_some() && attempt.regions.count() > 1;
        if !alone || !attempt.announce(region) {
            return Err(to_all(error));
        }
        let now = self.clock.monotonic_nanos() / 1_000_000;
        let Some(wait) = backoff.on_failure(error.kind(), now) else {
            self.note(&error, Restarted::Nothing);
            return Err(Giving {
                error,
                outlook: Outlook::Hopeless,
            });
        };
        let names = task_names(&self.spec.job);
        let tasks = attempt.regions.tasks(region);
        let names: Vec<String> = tasks.iter().map(|task| names[*task].clone()).collect();
        eprintln!(
            "warning: {} of {} tasks start again in {wait:?}, `{}`: {error}",
            names.len(),
            attempt.regions.tasks_in_all(),
            names.join("`, `"),
        );
        self.note(&error, Restarted::Region(names));
        self.shared.set_status(JobStatus::Restarting);
        Ok(Away {
            region,
            error,
            due: self.now() + wait,
        })
    }

    /// Starts the regions again whose time has come.
    fn restart_due(&self, attempt: &mut Attempt, away: &mut Vec<Away>) -> Result<(), Giving> {
        let now = self.now();
        let cancelled = self.shared.is_cancelled();
        while let Some(at) = away.iter().position(|away| cancelled || away.due <= now) {
            let Away { region, error, .. } = away.swap_remove(at);
            if cancelled {
                return Err(to_all(error));
            }
            self.restart_region(attempt, region, error)?;
            if away.is_empty() {
                self.shared.set_status(JobStatus::Running);
            }
        }
        Ok(())
    }

    fn restart_region(
        &self,
        attempt: &mut Attempt,
        region: usize,
        error: Error,
    ) -> Result<(), Giving> {
        let Some(checkpoints) = &self.spec.checkpoints else {
            return Err(to_all(error));
        };
        let newest = checkpoints.newest().map_err(to_all)?;
        let newest = newest.filter(|newest| newest.checkpoint > self.from.checkpoint);
        let from = newest.as_ref().unwrap_or(&self.from);
        if from.checkpoint != attempt.durable() {
            // The newest one is damaged: the others have committed what an older one has not.
            return Err(Giving {
                error,
                outlook: Outlook::Waited,
            });
        }
        attempt.restart(region, &self.spec, from).map_err(to_all)
    }
}

//! A region that has failed starts again while the others go on.
//!
//! ```text
//!   a task fails ─▶ its region's threads end ─▶ the coordinator gives up what is under way
//!                                                  │ may this be left to the region?
//!                              no: all threads end ◀┴▶ yes: wait, load, build, start
//! ```
//!
//! The others hear nothing of it but that for a while no checkpoint starts.

use thalweg_coordination::failover::{RestartBackoff, Restarted};
use thalweg_core::error::Error;
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

impl Supervisor {
    /// Runs an attempt to its end, through the failures of its regions.
    pub(super) fn run_regions(
        &self,
        mut attempt: Attempt,
        backoff: &mut RestartBackoff,
    ) -> (Ended, Outlook) {
        let mut outlook = Outlook::Open;
        while let Some(failed) = attempt.next_failure() {
            if let Err(giving) = self.restart_region(&mut attempt, failed, backoff) {
                outlook = giving.outlook;
                attempt.fail(giving.error);
            }
        }
        (attempt.join(), outlook)
    }

    fn restart_region(
        &self,
        attempt: &mut Attempt,
        failed: FailedRegion,
        backoff: &mut RestartBackoff,
    ) -> Result<(), Giving> {
        let FailedRegion { region, error } = failed;
        let Some(checkpoints) = &self.spec.checkpoints else {
            return Err(to_all(error));
        };
        if attempt.regions.count() == 1 || !attempt.announce(region) {
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
        self.wait(wait);
        if self.shared.is_cancelled() {
            return Err(to_all(error));
        }
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
        attempt.restart(region, &self.spec, from).map_err(to_all)?;
        self.shared.set_status(JobStatus::Running);
        Ok(())
    }
}

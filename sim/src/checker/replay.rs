//! The state of a checkpoint is that of the records behind it: as the model has it, and as a run
//! shows that starts from it in a world without faults.

use std::sync::Arc;

use thalweg_core::host::ManualClock;
use thalweg_runtime::checkpoint::{JobSnapshot, SharedListener, SilentListener};
use thalweg_runtime::driver::stepped::SteppedDriver;
use thalweg_runtime::mini_cluster::{BuildSpec, Part, Slots, build};

use super::{Verdict, exactly_once};
use crate::journal::Journal;
use crate::seed::Dice;
use crate::workload::Workload;
use crate::world::compose::compose;
use crate::world::ledger::Ledger;

// Numbers of transactions that no other run has.
const TRANSACTIONS_FROM: u64 = 1 << 32;

/// Runs a job from a checkpoint to its end. With what the ledger holds that must be every row once.
///
/// # Errors
/// The first difference.
pub fn check(
    workload: &dyn Workload,
    snapshot: &JobSnapshot,
    ledger: &Ledger,
    max_parallelism: u32,
    dice: &mut Dice,
) -> Verdict {
    let replay = |what: String| Err(format!("replay: {what}"));
    // State lags behind the sources by what is in flight.
    if !snapshot.has_in_flight() {
        workload.check_state(snapshot).or_else(replay)?;
    }
    let side = Ledger::new(TRANSACTIONS_FROM, Arc::default(), Journal::default(), None);
    let mut run = || {
        let (job, config) = compose(workload, &side, max_parallelism, dice)?;
        let listener: SharedListener = Arc::new(SilentListener);
        let built = build(&BuildSpec {
            job: &job,
            config: &config,
            slots: &Slots::shared(&job),
            part: Part::All,
            listener: &listener,
            request: &Arc::default(),
            restore: Some(snapshot),
            metrics: None,
        })?;
        let subtasks = built.by_slot.into_iter().flatten().collect();
        SteppedDriver::new(
            subtasks,
            dice.below(u64::MAX),
            Arc::new(ManualClock::default()),
        )
        .run()
    };
    if let Err(error) = run() {
        return replay(format!("the run from the checkpoint fails: {error}"));
    }
    // Transactions that the checkpoint holds may be committed already.
    let mut all = side.committed();
    for transaction in all.values_mut() {
        transaction.epoch = ledger.epoch();
    }
    all.extend(ledger.committed());
    exactly_once::compare(all.values(), &workload.expected()).or_else(replay)
}

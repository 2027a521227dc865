//! A workload as a job: with settings that may differ from attempt to attempt.

use std::time::Duration;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::Result;
use thalweg_core::graph::JobGraph;

use crate::seed::Dice;
use crate::workload::Workload;
use crate::world::ledger::Ledger;

/// Composes a job at a drawn parallelism, with small batches and short channels, so that a barrier
/// finds records everywhere.
///
/// # Errors
/// As the translation of the job.
pub fn compose(
    workload: &dyn Workload,
    ledger: &Ledger,
    max_parallelism: u32,
    dice: &mut Dice,
) -> Result<(JobGraph, ExecutionConfig)> {
    let env = thalweg_testkit::environment();
    env.set_parallelism(dice.between(1, 4) as u32)
        .configure(|config| {
            config.max_parallelism = Some(max_parallelism);
            config.batch_rows = dice.between(1, 8) as usize;
            config.channel_batches = dice.between(1, 4) as usize;
            config.chaining = dice.one_in(2);
            config.checkpointing.unaligned = dice.one_in(2);
            let timeout = dice.pick(&[0, 0, 3, 40]);
            config.checkpointing.aligned_timeout = Duration::from_millis(timeout);
        });
    workload.compose(&env, ledger);
    Ok((env.job_graph()?, env.config()))
}

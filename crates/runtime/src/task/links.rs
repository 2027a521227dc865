//! Where what a stage emits goes: on in the chain, or out.

use thalweg_core::container::Payload;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::ChainTarget;

use super::stage::{Incoming, Stage};
use crate::output::ResultPartition;

/// A stage's outputs: the main output's targets, then those of each side output.
pub struct StageLinks {
    /// Targets of the main output.
    pub main: Vec<ChainTarget>,
    /// Targets of each read side output.
    pub sides: Vec<Vec<ChainTarget>>,
}

/// Gives a batch to a target.
pub(super) fn hand_over(
    stages: &mut [Stage],
    partitions: &mut [ResultPartition],
    target: &ChainTarget,
    batch: Payload,
) -> Result<()> {
    match target {
        ChainTarget::Chained(stage) => {
            let stage = stages
                .get_mut(*stage)
                .ok_or_else(|| Error::internal("a chain link leads nowhere"))?;
            stage.push(Incoming::Batch(0, batch));
            Ok(())
        }
        ChainTarget::Edge(edge) => partitions[*edge].emit(batch),
    }
}

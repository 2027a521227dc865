//! A listener of jobs of which nothing is kept.

use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, TableSnapshot};

use super::{BarrierListener, Moment};

/// Lets barriers pass and keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentListener;

impl BarrierListener for SilentListener {
    fn on_operator(
        &self,
        _: Moment,
        _: &OperatorUid,
        _: &SubtaskInfo,
        _: &mut dyn FnMut() -> Result<FrozenState>,
    ) -> Result<()> {
        Ok(())
    }

    fn on_in_flight(&self, _: u64, _: &OperatorUid, _: &SubtaskInfo, _: TableSnapshot) {}

    fn on_subtask(&self, _: Moment, _: usize) {}
}

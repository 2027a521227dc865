//! Never fires.

use thalweg_core::data::Data;
use thalweg_core::time::EventTime;

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Never fires: the default of [`GlobalWindows`](crate::window::GlobalWindows).
///
/// # Source
/// Flink `GlobalWindows.NeverTrigger`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NeverTrigger;

impl<T: Data, W: Window> Trigger<T, W> for NeverTrigger {
    type State = ();

    fn on_element(
        &self,
        _: &T,
        _: EventTime,
        _: &W,
        (): &mut (),
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        TriggerResult::Continue
    }

    fn can_merge(&self) -> bool {
        true
    }
}

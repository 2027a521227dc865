//! Fires when the clock passes the window's end.

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, ProcessingTime};

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Fires once the clock reaches the window's last instant.
///
/// # Source
/// Flink `ProcessingTimeTrigger`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessingTimeTrigger;

impl<T: Data, W: Window> Trigger<T, W> for ProcessingTimeTrigger {
    type State = ();

    #[inline]
    fn on_element(
        &self,
        _: &T,
        _: EventTime,
        window: &W,
        (): &mut (),
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        ctx.register_processing_timer(ProcessingTime(window.max_timestamp().0));
        TriggerResult::Continue
    }

    fn on_processing_time(
        &self,
        _: ProcessingTime,
        _: &W,
        (): &mut (),
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        TriggerResult::Fire
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(&self, window: &W, (): &mut (), _: Vec<()>, ctx: &mut TriggerContext<'_>) {
        let end = ProcessingTime(window.max_timestamp().0);
        if end > ctx.now() {
            ctx.register_processing_timer(end);
        }
    }

    fn is_clear(&self, (): &()) -> bool {
        true
    }
}

//! Fires when the watermark passes the window's end.

use thalweg_core::data::Data;
use thalweg_core::time::EventTime;

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Fires once the watermark reaches the window's last instant, and again for every late record
/// within the allowed lateness.
///
/// # Source
/// Flink `EventTimeTrigger`.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventTimeTrigger;

impl<T: Data, W: Window> Trigger<T, W> for EventTimeTrigger {
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
        if ctx.watermark().has_passed(window.max_timestamp()) {
            TriggerResult::Fire
        } else {
            ctx.register_event_timer(window.max_timestamp());
            TriggerResult::Continue
        }
    }

    fn on_event_time(
        &self,
        time: EventTime,
        window: &W,
        (): &mut (),
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        if time == window.max_timestamp() {
            TriggerResult::Fire
        } else {
            TriggerResult::Continue
        }
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(&self, window: &W, (): &mut (), _: Vec<()>, ctx: &mut TriggerContext<'_>) {
        if !ctx.watermark().has_passed(window.max_timestamp()) {
            ctx.register_event_timer(window.max_timestamp());
        }
    }

    fn is_clear(&self, (): &()) -> bool {
        true
    }
}

//! Fires at last after a while, whatever another trigger says.

use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, ProcessingTime};

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Fires when another trigger does, or a span after a record, by the clock, if it did not. Inside a
/// [`PurgingTrigger`](crate::window::PurgingTrigger) a count window so gives its memory back even if
/// the count is never reached.
///
/// # Source
/// Flink `ProcessingTimeoutTrigger`.
#[derive(Clone, Copy, Debug)]
pub struct ProcessingTimeoutTrigger<Tr> {
    nested: Tr,
    timeout: Duration,
    from_last: bool,
}

impl<Tr> ProcessingTimeoutTrigger<Tr> {
    /// Fires `timeout` after the first record since the last fire.
    pub fn of(nested: Tr, timeout: Duration) -> Self {
        ProcessingTimeoutTrigger {
            nested,
            timeout,
            from_last: false,
        }
    }

    /// Counts the span from the last record instead.
    #[must_use]
    pub fn reset_by_new_records(mut self) -> Self {
        self.from_last = true;
        self
    }
}

impl<T: Data, W: Window, Tr: Trigger<T, W>> Trigger<T, W> for ProcessingTimeoutTrigger<Tr> {
    type State = (Tr::State, Option<i64>);

    fn on_element(
        &self,
        value: &T,
        time: EventTime,
        window: &W,
        (nested, due): &mut Self::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        let result = self.nested.on_element(value, time, window, nested, ctx);
        if (result.is_fire() || self.from_last)
            && let Some(due) = due.take()
        {
            ctx.delete_processing_timer(ProcessingTime(due));
        }
        if !result.is_fire() && due.is_none() {
            let at = ctx.now() + self.timeout;
            *due = Some(at.0);
            ctx.register_processing_timer(at);
        }
        result
    }

    fn on_event_time(
        &self,
        time: EventTime,
        window: &W,
        (nested, _): &mut Self::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        self.nested.on_event_time(time, window, nested, ctx)
    }

    fn on_processing_time(
        &self,
        time: ProcessingTime,
        window: &W,
        (nested, due): &mut Self::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        if *due != Some(time.0) {
            return self.nested.on_processing_time(time, window, nested, ctx);
        }
        *due = None;
        // What the other trigger has counted so far belongs to what fires now.
        self.nested.clear(window, nested, ctx);
        *nested = Tr::State::default();
        TriggerResult::Fire
    }

    fn can_merge(&self) -> bool {
        self.nested.can_merge()
    }

    fn on_merge(
        &self,
        window: &W,
        (nested, due): &mut Self::State,
        others: Vec<Self::State>,
        ctx: &mut TriggerContext<'_>,
    ) {
        let (states, dues): (Vec<Tr::State>, Vec<Option<i64>>) = others.into_iter().unzip();
        self.nested.on_merge(window, nested, states, ctx);
        *due = dues.into_iter().flatten().chain(*due).min();
        if let Some(at) = *due {
            ctx.register_processing_timer(ProcessingTime(at));
        }
    }

    fn is_clear(&self, (nested, due): &Self::State) -> bool {
        due.is_none() && self.nested.is_clear(nested)
    }
}

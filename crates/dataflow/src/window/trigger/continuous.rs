//! Fires again and again while a window is open.

use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, ProcessingTime, duration_millis};

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::{TimeWindow, Window};

/// Fires whenever the watermark passes a multiple of an interval, and at the window's end.
///
/// # Source
/// Flink `ContinuousEventTimeTrigger`.
#[derive(Clone, Copy, Debug)]
pub struct ContinuousEventTimeTrigger {
    interval: i64,
}

/// Fires whenever the clock passes a multiple of an interval. Unlike
/// [`ContinuousEventTimeTrigger`] it fires at the window's end only if the clock's last multiple
/// is beyond it.
///
/// # Source
/// Flink `ContinuousProcessingTimeTrigger`.
#[derive(Clone, Copy, Debug)]
pub struct ContinuousProcessingTimeTrigger {
    interval: i64,
}

impl ContinuousEventTimeTrigger {
    /// Fires every `interval`, in whole milliseconds; at least 1.
    pub fn of(interval: Duration) -> Self {
        ContinuousEventTimeTrigger {
            interval: duration_millis(interval).max(1),
        }
    }
}

impl ContinuousProcessingTimeTrigger {
    /// Fires every `interval`, in whole milliseconds; at least 1.
    pub fn of(interval: Duration) -> Self {
        ContinuousProcessingTimeTrigger {
            interval: duration_millis(interval).max(1),
        }
    }
}

/// The next multiple of `interval` behind `time`, but not beyond the window.
fn next<W: Window>(time: i64, interval: i64, window: &W) -> i64 {
    TimeWindow::start_of(time, 0, interval)
        .saturating_add(interval)
        .min(window.max_timestamp().0)
}

fn earliest(state: &mut Option<i64>, others: Vec<Option<i64>>) -> Option<i64> {
    *state = others.into_iter().flatten().chain(*state).min();
    *state
}

impl<T: Data, W: Window> Trigger<T, W> for ContinuousEventTimeTrigger {
    /// When it fires next.
    type State = Option<i64>;

    fn on_element(
        &self,
        _: &T,
        time: EventTime,
        window: &W,
        fires: &mut Option<i64>,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        let end = window.max_timestamp();
        if ctx.watermark().has_passed(end) {
            return TriggerResult::Fire;
        }
        ctx.register_event_timer(end);
        if fires.is_none() {
            let at = next(time.0, self.interval, window);
            *fires = Some(at);
            ctx.register_event_timer(EventTime(at));
        }
        TriggerResult::Continue
    }

    fn on_event_time(
        &self,
        time: EventTime,
        window: &W,
        fires: &mut Option<i64>,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        if time == window.max_timestamp() {
            return TriggerResult::Fire;
        }
        if *fires != Some(time.0) {
            return TriggerResult::Continue;
        }
        let at = next(time.0, self.interval, window);
        *fires = Some(at);
        ctx.register_event_timer(EventTime(at));
        TriggerResult::Fire
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(
        &self,
        window: &W,
        fires: &mut Option<i64>,
        others: Vec<Option<i64>>,
        ctx: &mut TriggerContext<'_>,
    ) {
        if let Some(at) = earliest(fires, others) {
            ctx.register_event_timer(EventTime(at));
        }
        if !ctx.watermark().has_passed(window.max_timestamp()) {
            ctx.register_event_timer(window.max_timestamp());
        }
    }
}

impl<T: Data, W: Window> Trigger<T, W> for ContinuousProcessingTimeTrigger {
    /// When it fires next.
    type State = Option<i64>;

    fn on_element(
        &self,
        _: &T,
        _: EventTime,
        window: &W,
        fires: &mut Option<i64>,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        if fires.is_none() {
            let at = next(ctx.now().0, self.interval, window);
            *fires = Some(at);
            ctx.register_processing_timer(ProcessingTime(at));
        }
        TriggerResult::Continue
    }

    fn on_processing_time(
        &self,
        time: ProcessingTime,
        window: &W,
        fires: &mut Option<i64>,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        if *fires != Some(time.0) {
            return TriggerResult::Continue;
        }
        let at = next(time.0, self.interval, window);
        if at > time.0 {
            *fires = Some(at);
            ctx.register_processing_timer(ProcessingTime(at));
        } else {
            *fires = None;
        }
        TriggerResult::Fire
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(
        &self,
        _: &W,
        fires: &mut Option<i64>,
        others: Vec<Option<i64>>,
        ctx: &mut TriggerContext<'_>,
    ) {
        if let Some(at) = earliest(fires, others) {
            ctx.register_processing_timer(ProcessingTime(at));
        }
    }
}

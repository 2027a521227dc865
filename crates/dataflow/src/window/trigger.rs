//! Triggers: when a window's contents are emitted, and when they are forgotten.
//!
//! ```text
//!   on_element ── for every record of the window, before it is added
//!   on_event_time, on_processing_time ── for every timer that this window registered
//!   on_merge ── windows became one: fold the others' state in, register timers again
//!   clear ── the window is gone, or was merged away; its timers are deleted for you
//! ```
//! What a trigger remembers is its [`Trigger::State`], one a key and window, stored with the
//! window's contents.

pub mod continuous;
pub mod count;
pub mod delta;
pub mod event_time;
pub mod never;
pub mod processing_time;
pub mod purging;
pub mod timeout;

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

use super::pane::{Changes, PaneTimers};
use super::time_window::Window;

/// What a trigger decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TriggerResult {
    /// Nothing.
    Continue,
    /// The contents are emitted and kept.
    Fire,
    /// The contents are forgotten.
    Purge,
    /// The contents are emitted and forgotten.
    FireAndPurge,
}

impl TriggerResult {
    /// Whether the contents are emitted.
    pub fn is_fire(self) -> bool {
        matches!(self, TriggerResult::Fire | TriggerResult::FireAndPurge)
    }

    /// Whether the contents are forgotten.
    pub fn is_purge(self) -> bool {
        matches!(self, TriggerResult::Purge | TriggerResult::FireAndPurge)
    }
}

/// Decides when a window of records of `T` fires. The [module docs](self) say who calls what.
///
/// # Source
/// Flink `Trigger`. State is typed and part of the window, not looked up by a descriptor.
pub trait Trigger<T: Data, W: Window>: Clone + Send + Sync + 'static {
    /// What it remembers of a window; the default at first.
    type State: Data + Default;

    /// A record comes into the window.
    fn on_element(
        &self,
        value: &T,
        time: EventTime,
        window: &W,
        state: &mut Self::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult;

    /// The watermark has reached `time`, for which this window registered a timer.
    fn on_event_time(
        &self,
        _time: EventTime,
        _window: &W,
        _state: &mut Self::State,
        _ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        TriggerResult::Continue
    }

    /// The clock has reached `time`, for which this window registered a timer.
    fn on_processing_time(
        &self,
        _time: ProcessingTime,
        _window: &W,
        _state: &mut Self::State,
        _ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        TriggerResult::Continue
    }

    /// Whether it can be used with windows that merge.
    fn can_merge(&self) -> bool {
        false
    }

    /// Windows became `window`: `state` is that of one of them, `others` those of the others. All
    /// their timers are deleted.
    fn on_merge(
        &self,
        _window: &W,
        _state: &mut Self::State,
        _others: Vec<Self::State>,
        _ctx: &mut TriggerContext<'_>,
    ) {
    }

    /// The window is gone.
    fn clear(&self, _window: &W, _state: &mut Self::State, _ctx: &mut TriggerContext<'_>) {}

    /// Whether the state is as good as the default, so that an empty window without an end can be
    /// forgotten.
    fn is_clear(&self, _state: &Self::State) -> bool {
        false
    }
}

/// What a trigger may ask and do while it is called.
pub struct TriggerContext<'a> {
    pub(super) watermark: Watermark,
    pub(super) now: ProcessingTime,
    // The window's own timescale and last instant: the timer most triggers need has its own flag.
    pub(super) event_time: bool,
    pub(super) end: i64,
    pub(super) timers: &'a mut PaneTimers,
    pub(super) changes: &'a mut Changes,
}

impl TriggerContext<'_> {
    /// The watermark the operator has reached.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The processing time of this call.
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// Asks for [`Trigger::on_event_time`] once the watermark reaches `time`.
    #[inline]
    pub fn register_event_timer(&mut self, time: EventTime) {
        self.register(true, time.0);
    }

    /// Takes that back.
    pub fn delete_event_timer(&mut self, time: EventTime) {
        self.delete(true, time.0);
    }

    /// Asks for [`Trigger::on_processing_time`] once the clock reaches `time`.
    pub fn register_processing_timer(&mut self, time: ProcessingTime) {
        self.register(false, time.0);
    }

    /// Takes that back.
    pub fn delete_processing_timer(&mut self, time: ProcessingTime) {
        self.delete(false, time.0);
    }

    #[inline]
    fn register(&mut self, event_time: bool, time: i64) {
        if event_time == self.event_time && time == self.end {
            if !self.timers.at_end {
                self.timers.at_end = true;
                self.changes.rearm = true;
            }
        } else if self.timers.add(event_time, time) {
            self.changes.register.push((event_time, time));
        }
    }

    fn delete(&mut self, event_time: bool, time: i64) {
        if event_time == self.event_time && time == self.end {
            self.timers.at_end = false;
        } else if self.timers.take(event_time, time) {
            self.changes.delete.push((event_time, time));
        }
    }
}

//! Forgets what fires.

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, ProcessingTime};

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Turns every fire of another trigger into fire and purge: each result has only what came since
/// the one before.
///
/// # Source
/// Flink `PurgingTrigger`.
#[derive(Clone, Copy, Debug)]
pub struct PurgingTrigger<Tr> {
    nested: Tr,
}

impl<Tr> PurgingTrigger<Tr> {
    /// Wraps a trigger.
    pub fn of(nested: Tr) -> Self {
        PurgingTrigger { nested }
    }
}

fn purged(result: TriggerResult) -> TriggerResult {
    if result.is_fire() {
        TriggerResult::FireAndPurge
    } else {
        result
    }
}

impl<T: Data, W: Window, Tr: Trigger<T, W>> Trigger<T, W> for PurgingTrigger<Tr> {
    type State = Tr::State;

    fn on_element(
        &self,
        value: &T,
        time: EventTime,
        window: &W,
        state: &mut Tr::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        purged(self.nested.on_element(value, time, window, state, ctx))
    }

    fn on_event_time(
        &self,
        time: EventTime,
        window: &W,
        state: &mut Tr::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        purged(self.nested.on_event_time(time, window, state, ctx))
    }

    fn on_processing_time(
        &self,
        time: ProcessingTime,
        window: &W,
        state: &mut Tr::State,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        purged(self.nested.on_processing_time(time, window, state, ctx))
    }

    fn can_merge(&self) -> bool {
        self.nested.can_merge()
    }

    fn on_merge(
        &self,
        window: &W,
        state: &mut Tr::State,
        others: Vec<Tr::State>,
        ctx: &mut TriggerContext<'_>,
    ) {
        self.nested.on_merge(window, state, others, ctx);
    }

    fn clear(&self, window: &W, state: &mut Tr::State, ctx: &mut TriggerContext<'_>) {
        self.nested.clear(window, state, ctx);
    }

    fn is_clear(&self, state: &Tr::State) -> bool {
        self.nested.is_clear(state)
    }
}

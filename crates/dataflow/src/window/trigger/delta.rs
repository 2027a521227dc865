//! Fires when a record differs enough from the one that fired last.

use thalweg_core::data::Data;
use thalweg_core::time::EventTime;

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Fires when the distance between a record and the one that fired last (or the first) is above a
/// threshold. Not for windows that merge.
///
/// # Source
/// Flink `DeltaTrigger`.
#[derive(Clone, Copy, Debug)]
pub struct DeltaTrigger<F> {
    threshold: f64,
    distance: F,
}

impl<F> DeltaTrigger<F> {
    /// `distance(old, new)` above `threshold`, exclusive, fires.
    pub fn of(threshold: f64, distance: F) -> Self {
        DeltaTrigger {
            threshold,
            distance,
        }
    }
}

impl<T, W, F> Trigger<T, W> for DeltaTrigger<F>
where
    T: Data,
    W: Window,
    F: Fn(&T, &T) -> f64 + Clone + Send + Sync + 'static,
{
    type State = Option<T>;

    fn on_element(
        &self,
        value: &T,
        _: EventTime,
        _: &W,
        last: &mut Option<T>,
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        let Some(before) = last else {
            *last = Some(value.clone());
            return TriggerResult::Continue;
        };
        if (self.distance)(before, value) > self.threshold {
            *before = value.clone();
            TriggerResult::Fire
        } else {
            TriggerResult::Continue
        }
    }

    fn is_clear(&self, last: &Option<T>) -> bool {
        last.is_none()
    }
}

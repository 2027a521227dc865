//! Fires after so many records.

use thalweg_core::data::Data;
use thalweg_core::time::EventTime;

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::time_window::Window;

/// Fires with every `count`th record of the window. What is left at the end never fires.
///
/// # Source
/// Flink `CountTrigger`.
#[derive(Clone, Copy, Debug)]
pub struct CountTrigger {
    count: u64,
}

impl CountTrigger {
    /// Fires after `count` records; 0 is taken for 1.
    pub fn of(count: u64) -> Self {
        CountTrigger {
            count: count.max(1),
        }
    }
}

impl<T: Data, W: Window> Trigger<T, W> for CountTrigger {
    type State = u64;

    #[inline]
    fn on_element(
        &self,
        _: &T,
        _: EventTime,
        _: &W,
        seen: &mut u64,
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        *seen += 1;
        if *seen >= self.count {
            *seen = 0;
            TriggerResult::Fire
        } else {
            TriggerResult::Continue
        }
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(&self, _: &W, seen: &mut u64, others: Vec<u64>, _: &mut TriggerContext<'_>) {
        *seen += others.iter().sum::<u64>();
    }

    fn is_clear(&self, seen: &u64) -> bool {
        *seen == 0
    }
}

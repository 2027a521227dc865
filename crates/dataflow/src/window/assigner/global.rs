//! One window for everything.

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::time::{EventTime, ProcessingTime};

use super::WindowAssigner;
use crate::window::time_window::GlobalWindow;
use crate::window::trigger::event_time::EventTimeTrigger;
use crate::window::trigger::never::NeverTrigger;

/// All records of a key in one window, which never fires unless a trigger says so.
///
/// [`GlobalWindows::with_end_of_stream_trigger`] gives it one that fires when the input ends.
///
/// # Source
/// Flink `GlobalWindows`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalWindows<Tr = NeverTrigger> {
    trigger: Tr,
}

impl GlobalWindows {
    /// Without a trigger.
    pub fn create() -> GlobalWindows<NeverTrigger> {
        GlobalWindows {
            trigger: NeverTrigger,
        }
    }

    /// With a trigger that fires once, when the input has ended.
    pub fn with_end_of_stream_trigger() -> GlobalWindows<EventTimeTrigger> {
        // The window's last instant is the last watermark.
        GlobalWindows {
            trigger: EventTimeTrigger,
        }
    }
}

macro_rules! assigner {
    ($trigger:ty) => {
        impl<T: Data> WindowAssigner<T> for GlobalWindows<$trigger> {
            type Window = GlobalWindow;
            type Trigger = $trigger;
            const EVENT_TIME: bool = true;

            fn assign(
                &mut self,
                _: &T,
                _: EventTime,
                _: ProcessingTime,
                windows: &mut impl FnMut(GlobalWindow),
            ) -> Result<()> {
                windows(GlobalWindow);
                Ok(())
            }

            fn default_trigger(&self) -> $trigger {
                self.trigger
            }
        }
    };
}
assigner!(NeverTrigger);
assigner!(EventTimeTrigger);

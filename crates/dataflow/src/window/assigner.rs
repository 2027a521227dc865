//! Assigners: in which windows a record belongs.

pub mod global;
pub mod session;
pub mod sliding;
pub mod tumbling;

use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::time::{EventTime, ProcessingTime};

use super::time_window::Window;
use super::trigger::Trigger;
use super::trigger::event_time::EventTimeTrigger;
use super::trigger::processing_time::ProcessingTimeTrigger;

/// Says in which windows a record belongs. Every instance of the operator has its own clone.
pub trait WindowAssigner<T: Data>: Clone + Send + Sync + 'static {
    /// The kind of its windows.
    type Window: Window;
    /// The trigger of a stream that sets none.
    type Trigger: Trigger<T, Self::Window>;
    /// Whether windows end by the watermark; by the clock otherwise. Only windows in event time
    /// can have late records.
    const EVENT_TIME: bool;
    /// Whether windows that overlap or touch become one.
    const MERGES: bool = false;

    /// Before the first record.
    ///
    /// # Errors
    /// `User` for settings that make no windows.
    fn open(&mut self, _info: &SubtaskInfo) -> Result<()> {
        Ok(())
    }

    /// Calls `windows` with each window of a record.
    ///
    /// # Errors
    /// `User` if the record lacks what the windows need, such as a timestamp.
    fn assign(
        &mut self,
        value: &T,
        time: EventTime,
        now: ProcessingTime,
        windows: &mut impl FnMut(Self::Window),
    ) -> Result<()>;

    /// The trigger of a stream that sets none.
    fn default_trigger(&self) -> Self::Trigger;
}

/// Which clock windows follow. Implemented by [`OnEventTime`] and [`OnProcessingTime`].
pub trait Timescale: Copy + Default + Send + Sync + 'static {
    /// As [`WindowAssigner::EVENT_TIME`].
    const EVENT_TIME: bool;
    /// As [`WindowAssigner::Trigger`].
    type Trigger: Copy + Default + Send + Sync + 'static;

    /// The instant at which a record counts, in milliseconds.
    ///
    /// # Errors
    /// `User` if the record has no timestamp and needs one.
    fn instant(time: EventTime, now: ProcessingTime) -> Result<i64>;
}

/// Windows follow the timestamps of records.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnEventTime;

/// Windows follow the worker's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnProcessingTime;

impl Timescale for OnEventTime {
    const EVENT_TIME: bool = true;
    type Trigger = EventTimeTrigger;

    #[inline]
    fn instant(time: EventTime, _: ProcessingTime) -> Result<i64> {
        if time == EventTime::NONE {
            return Err(Error::user(
                "a record without a timestamp met a window in event time: call \
                 `assign_timestamps_and_watermarks` first",
            ));
        }
        Ok(time.0)
    }
}

impl Timescale for OnProcessingTime {
    const EVENT_TIME: bool = false;
    type Trigger = ProcessingTimeTrigger;

    #[inline]
    fn instant(_: EventTime, now: ProcessingTime) -> Result<i64> {
        Ok(now.0)
    }
}

/// A length that windows can have.
fn positive(millis: i64, what: &str) -> Result<()> {
    if millis > 0 {
        Ok(())
    } else {
        Err(Error::user(format!(
            "a window's {what} must be at least 1 ms"
        )))
    }
}

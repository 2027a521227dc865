//! Windows of one size, a new one every slide.

use std::marker::PhantomData;
use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::time::{EventTime, ProcessingTime, duration_millis};

use super::{OnEventTime, OnProcessingTime, Timescale, WindowAssigner, positive};
use crate::window::time_window::TimeWindow;
use crate::window::trigger::Trigger;

/// Sliding windows by the timestamps of records.
pub type SlidingEventTimeWindows = SlidingWindows<OnEventTime>;
/// Sliding windows by the worker's clock.
pub type SlidingProcessingTimeWindows = SlidingWindows<OnProcessingTime>;

/// Windows `[start, start + size)` where starts are `slide` apart, counted from the epoch plus an
/// offset. The size need not be a multiple of the slide; with a slide longer than the size some
/// records are in no window.
///
/// # Source
/// Flink `SlidingEventTimeWindows`, `SlidingProcessingTimeWindows`.
#[derive(Clone, Debug)]
pub struct SlidingWindows<D> {
    size: i64,
    slide: i64,
    offset: i64,
    marker: PhantomData<D>,
}

impl<D: Timescale> SlidingWindows<D> {
    /// Windows of `size`, one every `slide`, in whole milliseconds.
    pub fn of(size: Duration, slide: Duration) -> Self {
        SlidingWindows {
            size: duration_millis(size),
            slide: duration_millis(slide),
            offset: 0,
            marker: PhantomData,
        }
    }

    /// Windows begin this many milliseconds after those aligned to the epoch. Counts modulo the
    /// slide.
    #[must_use]
    pub fn with_offset_ms(mut self, offset_ms: i64) -> Self {
        self.offset = offset_ms;
        self
    }
}

impl<T: Data, D: Timescale> WindowAssigner<T> for SlidingWindows<D>
where
    D::Trigger: Trigger<T, TimeWindow>,
{
    type Window = TimeWindow;
    type Trigger = D::Trigger;
    const EVENT_TIME: bool = D::EVENT_TIME;

    fn open(&mut self, _: &SubtaskInfo) -> Result<()> {
        positive(self.size, "size")?;
        positive(self.slide, "slide")
    }

    #[inline]
    fn assign(
        &mut self,
        _: &T,
        time: EventTime,
        now: ProcessingTime,
        windows: &mut impl FnMut(TimeWindow),
    ) -> Result<()> {
        let time = D::instant(time, now)?;
        let mut start = TimeWindow::start_of(time, self.offset, self.slide);
        while start > time.saturating_sub(self.size) {
            windows(TimeWindow::new(start, start.saturating_add(self.size)));
            let Some(before) = start.checked_sub(self.slide) else {
                break;
            };
            start = before;
        }
        Ok(())
    }

    fn default_trigger(&self) -> D::Trigger {
        D::Trigger::default()
    }
}

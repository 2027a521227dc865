//! Windows of one size, one after the other.

use std::marker::PhantomData;
use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::host::Random;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::time::{EventTime, ProcessingTime, duration_millis};

use super::{OnEventTime, OnProcessingTime, Timescale, WindowAssigner, positive};
use crate::window::time_window::TimeWindow;
use crate::window::trigger::Trigger;

/// Tumbling windows by the timestamps of records.
pub type TumblingEventTimeWindows = TumblingWindows<OnEventTime>;
/// Tumbling windows by the worker's clock.
pub type TumblingProcessingTimeWindows = TumblingWindows<OnProcessingTime>;

/// When the windows of different instances begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WindowStagger {
    /// All at the same instants.
    #[default]
    Aligned,
    /// Each instance's later by a span drawn from the instance's number.
    Random,
    /// Each instance's later by as much as its first record came after a window's begin, by the
    /// worker's clock.
    Natural,
}

/// Windows `[start, start + size)`, aligned to the epoch plus an offset.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use thalweg_dataflow::window::TumblingEventTimeWindows;
///
/// // Days of a zone eight hours east of Greenwich.
/// let days = TumblingEventTimeWindows::of(Duration::from_secs(86_400))
///     .with_offset_ms(-8 * 3_600_000);
/// # let _ = days;
/// ```
/// # Source
/// Flink `TumblingEventTimeWindows`, `TumblingProcessingTimeWindows`.
#[derive(Clone, Debug)]
pub struct TumblingWindows<D> {
    size: i64,
    offset: i64,
    stagger: WindowStagger,
    // Set by the first record of an instance that staggers.
    staggered: bool,
    instance: u64,
    // The window of the record before: a division less for most records.
    last: i64,
    marker: PhantomData<D>,
}

impl<D: Timescale> TumblingWindows<D> {
    /// Windows of `size`, in whole milliseconds.
    pub fn of(size: Duration) -> Self {
        TumblingWindows {
            size: duration_millis(size),
            offset: 0,
            stagger: WindowStagger::Aligned,
            staggered: false,
            instance: 0,
            last: 0,
            marker: PhantomData,
        }
    }

    /// Windows begin this many milliseconds after those aligned to the epoch; negative for zones
    /// east of Greenwich. Counts modulo the size.
    #[must_use]
    pub fn with_offset_ms(mut self, offset_ms: i64) -> Self {
        self.offset = offset_ms;
        self
    }

    /// Spreads the load of many instances over time. After a restore the spread is chosen anew.
    #[must_use]
    pub fn with_stagger(mut self, stagger: WindowStagger) -> Self {
        self.stagger = stagger;
        self
    }

    #[cold]
    fn stagger(&mut self, now: ProcessingTime) {
        self.staggered = true;
        let span = match self.stagger {
            WindowStagger::Aligned => return,
            // A positive size fits, and so does what is below it.
            WindowStagger::Random => {
                Random::new(self.instance).below(self.size.unsigned_abs()) as i64
            }
            WindowStagger::Natural => now.0 - TimeWindow::start_of(now.0, self.offset, self.size),
        };
        self.offset = self.offset.rem_euclid(self.size).saturating_add(span);
        self.last = TimeWindow::start_of(0, self.offset, self.size);
    }
}

impl<T: Data, D: Timescale> WindowAssigner<T> for TumblingWindows<D>
where
    D::Trigger: Trigger<T, TimeWindow>,
{
    type Window = TimeWindow;
    type Trigger = D::Trigger;
    const EVENT_TIME: bool = D::EVENT_TIME;

    fn open(&mut self, info: &SubtaskInfo) -> Result<()> {
        positive(self.size, "size")?;
        self.instance = u64::from(info.index);
        self.last = TimeWindow::start_of(0, self.offset, self.size);
        Ok(())
    }

    #[inline]
    fn assign(
        &mut self,
        _: &T,
        time: EventTime,
        now: ProcessingTime,
        windows: &mut impl FnMut(TimeWindow),
    ) -> Result<()> {
        if !self.staggered {
            self.stagger(now);
        }
        let time = D::instant(time, now)?;
        // Unsigned: an instant before the window is far behind it.
        if time.wrapping_sub(self.last) as u64 >= self.size as u64 {
            self.last = TimeWindow::start_of(time, self.offset, self.size);
        }
        windows(TimeWindow::new(
            self.last,
            self.last.saturating_add(self.size),
        ));
        Ok(())
    }

    fn default_trigger(&self) -> D::Trigger {
        D::Trigger::default()
    }
}

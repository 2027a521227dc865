//! Windows that end when nothing comes for a while.
//!
//! A record opens a window from its own instant to a gap later; windows that overlap or touch
//! become one. So records exactly a gap apart share a session, and a late record may join two.

use std::marker::PhantomData;
use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::time::{EventTime, ProcessingTime, duration_millis};

use super::{OnEventTime, OnProcessingTime, Timescale, WindowAssigner, positive};
use crate::window::time_window::TimeWindow;
use crate::window::trigger::Trigger;

/// Sessions by the timestamps of records.
pub type EventTimeSessionWindows = SessionWindows<OnEventTime>;
/// Sessions by the worker's clock.
pub type ProcessingTimeSessionWindows = SessionWindows<OnProcessingTime>;
/// Sessions by the timestamps of records, each record with its own gap.
pub type DynamicEventTimeSessionWindows<F> = DynamicSessionWindows<OnEventTime, F>;
/// Sessions by the worker's clock, each record with its own gap.
pub type DynamicProcessingTimeSessionWindows<F> = DynamicSessionWindows<OnProcessingTime, F>;

/// Sessions with one gap for all records.
///
/// # Source
/// Flink `EventTimeSessionWindows`, `ProcessingTimeSessionWindows`.
#[derive(Clone, Debug)]
pub struct SessionWindows<D> {
    gap: i64,
    marker: PhantomData<D>,
}

impl<D: Timescale> SessionWindows<D> {
    /// Sessions that end after `gap`, in whole milliseconds, without a record.
    pub fn with_gap(gap: Duration) -> Self {
        SessionWindows {
            gap: duration_millis(gap),
            marker: PhantomData,
        }
    }

    /// Sessions whose gap is a function of the record.
    pub fn with_dynamic_gap<F>(gap: F) -> DynamicSessionWindows<D, F> {
        DynamicSessionWindows {
            gap,
            marker: PhantomData,
        }
    }
}

/// Sessions whose gap is a function of the record.
///
/// # Source
/// Flink `DynamicEventTimeSessionWindows`, `DynamicProcessingTimeSessionWindows`.
#[derive(Clone, Debug)]
pub struct DynamicSessionWindows<D, F> {
    gap: F,
    marker: PhantomData<D>,
}

fn session<D: Timescale>(time: EventTime, now: ProcessingTime, gap: i64) -> Result<TimeWindow> {
    let start = D::instant(time, now)?;
    Ok(TimeWindow::new(start, start.saturating_add(gap)))
}

impl<T: Data, D: Timescale> WindowAssigner<T> for SessionWindows<D>
where
    D::Trigger: Trigger<T, TimeWindow>,
{
    type Window = TimeWindow;
    type Trigger = D::Trigger;
    const EVENT_TIME: bool = D::EVENT_TIME;
    const MERGES: bool = true;

    fn open(&mut self, _: &SubtaskInfo) -> Result<()> {
        positive(self.gap, "gap")
    }

    fn assign(
        &mut self,
        _: &T,
        time: EventTime,
        now: ProcessingTime,
        windows: &mut impl FnMut(TimeWindow),
    ) -> Result<()> {
        windows(session::<D>(time, now, self.gap)?);
        Ok(())
    }

    fn default_trigger(&self) -> D::Trigger {
        D::Trigger::default()
    }
}

impl<T, D, F> WindowAssigner<T> for DynamicSessionWindows<D, F>
where
    T: Data,
    D: Timescale,
    D::Trigger: Trigger<T, TimeWindow>,
    F: Fn(&T) -> Duration + Clone + Send + Sync + 'static,
{
    type Window = TimeWindow;
    type Trigger = D::Trigger;
    const EVENT_TIME: bool = D::EVENT_TIME;
    const MERGES: bool = true;

    fn assign(
        &mut self,
        value: &T,
        time: EventTime,
        now: ProcessingTime,
        windows: &mut impl FnMut(TimeWindow),
    ) -> Result<()> {
        let gap = duration_millis((self.gap)(value));
        positive(gap, "gap")?;
        windows(session::<D>(time, now, gap)?);
        Ok(())
    }

    fn default_trigger(&self) -> D::Trigger {
        D::Trigger::default()
    }
}

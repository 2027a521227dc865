//! Evictors: which records of a window the function does not see.
//!
//! A window with an evictor keeps all its records, also under `reduce` and `aggregate`. What an
//! evictor removes is gone for good, unless the trigger purges first.

use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, ProcessingTime, duration_millis};
use thalweg_core::watermark::Watermark;

use super::time_window::Window;

/// The records of a window, in order of arrival.
#[derive(Clone, Debug, PartialEq, thalweg_core::Data)]
pub struct Elements<T> {
    values: Vec<T>,
    times: Vec<i64>,
}

impl<T> Elements<T> {
    pub(crate) fn new() -> Self {
        Elements {
            values: Vec::new(),
            times: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, value: T, time: EventTime) {
        self.values.push(value);
        self.times.push(time.0);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.values.append(&mut other.values);
        self.times.append(&mut other.times);
    }

    /// The records.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Their timestamps, in milliseconds.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Removes the first `count` records, or all.
    pub fn remove_first(&mut self, count: usize) {
        let count = count.min(self.values.len());
        self.values.drain(..count);
        self.times.drain(..count);
    }

    /// Keeps the records for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&T, EventTime) -> bool) {
        let kept: Vec<bool> = self
            .values
            .iter()
            .zip(&self.times)
            .map(|(value, time)| keep(value, EventTime(*time)))
            .collect();
        let mut verdicts = kept.iter();
        self.values.retain(|_| verdicts.next() != Some(&false));
        let mut verdicts = kept.iter();
        self.times.retain(|_| verdicts.next() != Some(&false));
    }
}

/// What an evictor may ask.
#[derive(Clone, Copy, Debug)]
pub struct EvictorContext {
    /// The watermark the operator has reached.
    pub watermark: Watermark,
    /// The processing time of this call.
    pub now: ProcessingTime,
}

/// Removes records from a window that fires.
///
/// # Source
/// Flink `Evictor`.
pub trait Evictor<T: Data, W: Window>: Clone + Send + Sync + 'static {
    /// Before the window function sees the records.
    fn evict_before(&self, _elements: &mut Elements<T>, _window: &W, _ctx: EvictorContext) {}

    /// After it has.
    fn evict_after(&self, _elements: &mut Elements<T>, _window: &W, _ctx: EvictorContext) {}
}

macro_rules! evict_when_asked {
    () => {
        fn evict_before(&self, elements: &mut Elements<T>, _: &W, _: EvictorContext) {
            if !self.after {
                self.evict(elements);
            }
        }
        fn evict_after(&self, elements: &mut Elements<T>, _: &W, _: EvictorContext) {
            if self.after {
                self.evict(elements);
            }
        }
    };
}

/// Keeps the last records, up to a number.
///
/// # Source
/// Flink `CountEvictor`.
#[derive(Clone, Copy, Debug)]
pub struct CountEvictor {
    count: usize,
    after: bool,
}

impl CountEvictor {
    /// Keeps the last `count` records.
    pub fn of(count: usize) -> Self {
        CountEvictor {
            count,
            after: false,
        }
    }

    /// Evicts after the function instead of before it.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.after = true;
        self
    }

    fn evict<T>(&self, elements: &mut Elements<T>) {
        elements.remove_first(elements.len().saturating_sub(self.count));
    }
}

impl<T: Data, W: Window> Evictor<T, W> for CountEvictor {
    evict_when_asked!();
}

/// Keeps the records not much older than the youngest, by their timestamps.
///
/// # Source
/// Flink `TimeEvictor`.
#[derive(Clone, Copy, Debug)]
pub struct TimeEvictor {
    span: i64,
    after: bool,
}

impl TimeEvictor {
    /// Keeps records younger than the highest timestamp minus `span`, exclusive.
    pub fn of(span: Duration) -> Self {
        TimeEvictor {
            span: duration_millis(span),
            after: false,
        }
    }

    /// Evicts after the function instead of before it.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.after = true;
        self
    }

    fn evict<T>(&self, elements: &mut Elements<T>) {
        let Some(youngest) = elements.times.iter().max() else {
            return;
        };
        // Records without a timestamp have no age.
        if *youngest == EventTime::NONE.0 {
            return;
        }
        let limit = youngest.saturating_sub(self.span);
        elements.retain(|_, time| time.0 > limit);
    }
}

impl<T: Data, W: Window> Evictor<T, W> for TimeEvictor {
    evict_when_asked!();
}

/// Keeps the records that are close enough to the last one.
///
/// # Source
/// Flink `DeltaEvictor`.
#[derive(Clone, Copy, Debug)]
pub struct DeltaEvictor<F> {
    threshold: f64,
    distance: F,
    after: bool,
}

impl<F> DeltaEvictor<F> {
    /// Removes records whose `distance(record, last)` is at or above `threshold`.
    pub fn of(threshold: f64, distance: F) -> Self {
        DeltaEvictor {
            threshold,
            distance,
            after: false,
        }
    }

    /// Evicts after the function instead of before it.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.after = true;
        self
    }

    fn evict<T: Clone>(&self, elements: &mut Elements<T>)
    where
        F: Fn(&T, &T) -> f64,
    {
        if let Some(last) = elements.values.last().cloned() {
            elements.retain(|value, _| (self.distance)(value, &last) < self.threshold);
        }
    }
}

impl<T, W, F> Evictor<T, W> for DeltaEvictor<F>
where
    T: Data,
    W: Window,
    F: Fn(&T, &T) -> f64 + Clone + Send + Sync + 'static,
{
    evict_when_asked!();
}

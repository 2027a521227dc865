//! Counters and gauges a subtask shares with whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::watermark::Watermark;

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What every operator instance counts. Names are Flink's (`numRecordsIn`, …).
#[derive(Clone, Debug)]
pub struct OperatorMetrics {
    /// `numRecordsIn`
    pub records_in: Counter,
    /// `numRecordsOut`
    pub records_out: Counter,
    /// `numLateRecordsDropped`
    pub late_dropped: Counter,
    /// Rows that a format or constraint dropped because an option asked for it.
    pub rows_skipped: Counter,
    watermark: Arc<AtomicI64>,
}

impl Default for OperatorMetrics {
    fn default() -> Self {
        OperatorMetrics {
            records_in: Counter::default(),
            records_out: Counter::default(),
            late_dropped: Counter::default(),
            rows_skipped: Counter::default(),
            watermark: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }
}

impl OperatorMetrics {
    /// `currentOutputWatermark`
    pub fn watermark(&self) -> Watermark {
        Watermark(self.watermark.load(Ordering::Relaxed))
    }

    /// Records the watermark the operator has reached.
    pub fn set_watermark(&self, watermark: Watermark) {
        self.watermark.store(watermark.0, Ordering::Relaxed);
    }
}

//! How timestamps and watermarks come to be: the strategy a program gives a stream.

use std::sync::Arc;
use std::time::Duration;

use thalweg_core::data::Data;
use thalweg_core::time::{EventTime, duration_millis};
use thalweg_core::watermark::Watermark;

/// Makes watermarks from the records an instance sees.
pub trait WatermarkGenerator<T>: Send {
    /// A record with its timestamp. Returns a watermark to emit right behind the record
    /// (punctuated generators), or nothing.
    fn on_event(&mut self, value: &T, time: EventTime) -> Option<Watermark>;

    /// The watermark as of now: asked at the end of every batch.
    fn on_periodic_emit(&mut self) -> Option<Watermark>;
}

type Assigner<T> = Arc<dyn Fn(&[T], &mut [i64]) + Send + Sync>;
type Generators<T> = Arc<dyn Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync>;

/// Timestamps, watermarks, idleness.
pub struct WatermarkStrategy<T> {
    pub(crate) assigner: Option<Assigner<T>>,
    pub(crate) generators: Generators<T>,
    pub(crate) idle_after: Option<Duration>,
}

impl<T> Clone for WatermarkStrategy<T> {
    fn clone(&self) -> Self {
        WatermarkStrategy {
            assigner: self.assigner.clone(),
            generators: self.generators.clone(),
            idle_after: self.idle_after,
        }
    }
}

impl<T: Data> WatermarkStrategy<T> {
    /// Timestamps rise within an instance. The watermark is the highest timestamp minus 1 ms.
    pub fn for_monotonous_timestamps() -> Self {
        Self::for_bounded_out_of_orderness(Duration::ZERO)
    }

    /// A record may come up to `delay` behind the highest timestamp before it. The watermark is
    /// the highest timestamp minus `delay` minus 1 ms.
    pub fn for_bounded_out_of_orderness(delay: Duration) -> Self {
        let delay = duration_millis(delay);
        Self::for_generator(move || BoundedOutOfOrderness {
            highest: i64::MIN,
            delay,
        })
    }

    /// No watermarks before the end of the input.
    pub fn no_watermarks() -> Self {
        Self::for_generator(|| NoWatermarks)
    }

    /// Watermarks from a generator of your own, one an instance.
    pub fn for_generator<G: WatermarkGenerator<T> + 'static>(
        generator: impl Fn() -> G + Send + Sync + 'static,
    ) -> Self {
        WatermarkStrategy {
            assigner: None,
            generators: Arc::new(move || Box::new(generator())),
            idle_after: None,
        }
    }

    /// Takes each record's timestamp, in milliseconds since the epoch, from the record.
    #[must_use]
    pub fn with_timestamp_assigner(
        mut self,
        assigner: impl Fn(&T) -> i64 + Send + Sync + 'static,
    ) -> Self {
        self.assigner = Some(Arc::new(move |values: &[T], times: &mut [i64]| {
            for (value, time) in values.iter().zip(times) {
                *time = assigner(value);
            }
        }));
        self
    }

    /// Declares an instance idle after so long without a record. Time during which the task was
    /// blocked by its receivers does not count.
    #[must_use]
    pub fn with_idleness(mut self, timeout: Duration) -> Self {
        self.idle_after = Some(timeout);
        self
    }
}

struct BoundedOutOfOrderness {
    highest: i64,
    delay: i64,
}

impl<T> WatermarkGenerator<T> for BoundedOutOfOrderness {
    #[inline]
    fn on_event(&mut self, _: &T, time: EventTime) -> Option<Watermark> {
        self.highest = self.highest.max(time.0);
        None
    }

    fn on_periodic_emit(&mut self) -> Option<Watermark> {
        (self.highest != i64::MIN)
            .then(|| Watermark(self.highest.saturating_sub(self.delay).saturating_sub(1)))
    }
}

struct NoWatermarks;

impl<T> WatermarkGenerator<T> for NoWatermarks {
    fn on_event(&mut self, _: &T, _: EventTime) -> Option<Watermark> {
        None
    }

    fn on_periodic_emit(&mut self) -> Option<Watermark> {
        None
    }
}

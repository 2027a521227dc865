//! Assigns timestamps and emits watermarks by a strategy.
//!
//! | Contract |                                                                          |
//! |----------|--------------------------------------------------------------------------|
//! | Input    | any order; its watermarks end here, except the last one                  |
//! | Output   | all records in order, with timestamps, and rising watermarks             |
//! | State    | none: after a restore watermarks start anew from the records             |
//! | Timers   | processing time, for idleness; started only when the input has run dry   |
//! | Cost     | one call a record                                                        |
//! | Source   | Flink `assignTimestampsAndWatermarks`                                    |

use std::sync::Arc;

use thalweg_core::config::RuntimeMode;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup, WatermarkOutput};
use thalweg_core::rows::Rows;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

use crate::stream::DataStream;
use crate::watermark_strategy::{WatermarkGenerator, WatermarkStrategy};

impl<T: Data> DataStream<T> {
    /// Gives every record a timestamp and the stream its watermarks.
    ///
    /// # Event time
    /// A watermark is emitted at the end of every batch in which it advanced, and at once where
    /// the generator asks for it. It never goes back. In batch mode there is only the last one.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::time::EventTime;
    /// use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
    ///
    /// let strategy = WatermarkStrategy::for_bounded_out_of_orderness(std::time::Duration::from_secs(5))
    ///     .with_timestamp_assigner(|(_, millis): &(char, i64)| *millis);
    /// let records = env
    ///     .from_collection([('a', 1_000), ('b', 500)])
    ///     .assign_timestamps_and_watermarks(strategy)
    ///     .execute_and_collect_records()?;
    /// assert_eq!(records[1].time, EventTime(500));
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn assign_timestamps_and_watermarks(
        &self,
        strategy: WatermarkStrategy<T>,
    ) -> DataStream<T> {
        let factory = move |_: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            Ok(Box::new(Watermarks {
                generator: (strategy.generators)(),
                watermarks: WatermarkOutput::new(strategy.idle_after),
                strategy: strategy.clone(),
            }))
        };
        self.apply_batches("Timestamps/Watermarks", Arc::new(factory), true)
    }
}

struct Watermarks<T> {
    strategy: WatermarkStrategy<T>,
    generator: Box<dyn WatermarkGenerator<T>>,
    watermarks: WatermarkOutput,
}

impl<T: Data> BatchOperator for Watermarks<T> {
    fn process(
        &mut self,
        _: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let mut rows = *downcast::<Rows<T>>(batch)?;
        self.watermarks.wake(ctx, out);
        if let Some(assigner) = &self.strategy.assigner {
            assigner(&rows.values, &mut rows.times);
        }
        if ctx.mode() == RuntimeMode::Batch {
            // All input counts as on time: the last watermark is the only one.
            out.emit(Box::new(rows));
            return Ok(Progress::Done);
        }
        let mut punctuations: Vec<(usize, Watermark)> = Vec::new();
        for (i, (value, time)) in rows.values.iter().zip(&rows.times).enumerate() {
            if let Some(watermark) = self.generator.on_event(value, EventTime(*time)) {
                punctuations.push((i + 1, watermark));
            }
        }
        let mut done = 0;
        for (end, watermark) in punctuations {
            let rest = rows.values.split_off(end - done);
            let rest_times = rows.times.split_off(end - done);
            out.emit(Box::new(Rows {
                values: rows.values,
                times: rows.times,
                hashes: Vec::new(),
            }));
            rows = Rows {
                values: rest,
                times: rest_times,
                hashes: Vec::new(),
            };
            done = end;
            self.watermarks.advance(Some(watermark), out);
        }
        out.emit(Box::new(rows));
        let watermark = self.generator.on_periodic_emit();
        self.watermarks.advance(watermark, out);
        Ok(Progress::Done)
    }

    fn flush(&mut self, ctx: &mut Context, _: &mut Outputs) -> Result<Progress> {
        self.watermarks.run_dry(ctx);
        Ok(Progress::Done)
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.watermarks.on_processing_timer(time, out);
        Ok(Progress::Done)
    }
}

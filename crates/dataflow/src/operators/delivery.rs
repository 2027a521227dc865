//! A sink with another guarantee than its own.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | that of the sink                                                            |
//! | State    | that of the sink                                                            |
//! | Output   | `exactly-once`: what the sink does; `at-least-once`: appears at each        |
//! |          | barrier; `none`: appears at the first call behind a barrier                 |
//! | Source   | Flink `DeliveryGuarantee`                                                   |

use std::sync::Arc;

use thalweg_core::container::Payload;
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{Committer, DeliveryGuarantee, SinkFactory, SinkWriter};
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

use crate::stream::DataStream;

impl<T: Data> DataStream<T> {
    /// Ends the stream in a sink that promises `guarantee`, which may be less than it could.
    ///
    /// Less costs less: with `AtLeastOnce` output appears without waiting for the checkpoint to be
    /// durable, with `None` barriers do not even wait for the output. The price is what a failure
    /// does: see [`DeliveryGuarantee`]. Of a sink without a committer nothing changes but that with
    /// `None` barriers do not flush it.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// # use std::sync::Arc;
    /// # use thalweg_core::sink::{DeliveryGuarantee, SinkWriter};
    /// # fn sink() -> Arc<dyn thalweg_core::sink::SinkFactory> {
    /// #     struct Nothing;
    /// #     impl SinkWriter for Nothing {
    /// #         fn write(&mut self, _: thalweg_core::container::Payload,
    /// #             _: &mut thalweg_core::operator::Context) -> thalweg_core::error::Result<()> { Ok(()) }
    /// #         fn flush(&mut self, _: &mut thalweg_core::operator::Context)
    /// #             -> thalweg_core::error::Result<()> { Ok(()) }
    /// #         fn finish(&mut self, _: &mut thalweg_core::operator::Context)
    /// #             -> thalweg_core::error::Result<()> { Ok(()) }
    /// #     }
    /// #     Arc::new(|_: &mut thalweg_core::operator::Setup<'_>|
    /// #         -> thalweg_core::error::Result<Box<dyn SinkWriter>> { Ok(Box::new(Nothing)) })
    /// # }
    /// let numbers = env.from_collection([1, 2]);
    /// numbers.sink_with_guarantee("Numbers", sink(), DeliveryGuarantee::AtLeastOnce);
    /// env.execute()?;
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn sink_with_guarantee(
        &self,
        name: &str,
        sink: Arc<dyn SinkFactory>,
        guarantee: DeliveryGuarantee,
    ) {
        match guarantee {
            DeliveryGuarantee::ExactlyOnce => self.sink_to(name, sink),
            DeliveryGuarantee::AtLeastOnce => self.sink_to(name, Weakened::of(sink, false)),
            DeliveryGuarantee::None => self.sink_to(name, Weakened::of(sink, true)),
        }
    }
}

/// A sink whose output appears without a durable checkpoint.
struct Weakened {
    sink: Arc<dyn SinkFactory>,
    /// Whether output appears behind barriers, which then do not hold it.
    late: bool,
}

impl Weakened {
    fn of(sink: Arc<dyn SinkFactory>, late: bool) -> Arc<dyn SinkFactory> {
        Arc::new(Weakened { sink, late })
    }
}

impl SinkFactory for Weakened {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(WeakenedWriter {
            writer: self.sink.create(setup)?,
            committer: self.sink.committer()?,
            late: self.late,
            waiting: Vec::new(),
        }))
    }

    // A checkpoint that was taken when the sink promised more may hold what is to be committed.
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        self.sink.committer()
    }
}

struct WeakenedWriter {
    writer: Box<dyn SinkWriter>,
    committer: Option<Box<dyn Committer>>,
    late: bool,
    /// What appears at the next call. A plain field: no checkpoint is to hold it.
    waiting: Vec<Vec<u8>>,
}

impl WeakenedWriter {
    fn show(&mut self) -> Result<()> {
        match &mut self.committer {
            Some(committer) if !self.waiting.is_empty() => {
                committer.commit(&std::mem::take(&mut self.waiting))
            }
            _ => Ok(()),
        }
    }

    fn cut(
        &mut self,
        flush: impl Fn(&mut dyn SinkWriter, &mut Context) -> Result<()>,
        ctx: &mut Context,
    ) -> Result<()> {
        self.show()?;
        if self.committer.is_none() {
            return if self.late {
                Ok(())
            } else {
                flush(&mut *self.writer, ctx)
            };
        }
        flush(&mut *self.writer, ctx)?;
        self.waiting = self.writer.prepare_commit(ctx)?;
        if self.late { Ok(()) } else { self.show() }
    }
}

impl SinkWriter for WeakenedWriter {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.writer.open(ctx)
    }

    fn is_ready(&mut self, ctx: &mut Context) -> Result<bool> {
        self.writer.is_ready(ctx)
    }

    fn write(&mut self, batch: Payload, ctx: &mut Context) -> Result<()> {
        self.show()?;
        self.writer.write(batch, ctx)
    }

    fn write_watermark(&mut self, watermark: Watermark, ctx: &mut Context) -> Result<()> {
        self.writer.write_watermark(watermark, ctx)
    }

    fn write_status(&mut self, status: WatermarkStatus, ctx: &mut Context) -> Result<()> {
        self.writer.write_status(status, ctx)
    }

    fn on_processing_timer(&mut self, time: ProcessingTime, ctx: &mut Context) -> Result<()> {
        self.show()?;
        self.writer.on_processing_timer(time, ctx)
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<()> {
        self.cut(|writer, ctx| writer.flush(ctx), ctx)
    }

    // A job that a savepoint stops makes no further call.
    fn flush_for_savepoint(&mut self, ctx: &mut Context) -> Result<()> {
        self.cut(|writer, ctx| writer.flush_for_savepoint(ctx), ctx)?;
        self.show()
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        self.show()?;
        self.writer.finish(ctx)?;
        if self.committer.is_some() {
            self.waiting = self.writer.prepare_commit(ctx)?;
        }
        self.show()
    }
}

//! A sink that drops its rows and remembers when the first of them came.

use std::sync::{Arc, Mutex, PoisonError};

use thalweg::Result;
use thalweg::core::container::Payload;
use thalweg::core::operator::{Context, Setup};
use thalweg::core::sink::{SinkFactory, SinkWriter};
use thalweg::core::watermark::Watermark;

use crate::measure::Moment;

/// Takes rows and drops them.
#[derive(Clone, Default)]
pub struct Discard(Arc<Mutex<Option<Moment>>>);

impl Discard {
    /// When the first batch, watermark or end came to any instance: by then a source that makes its
    /// rows before it emits them has made them.
    pub fn started(&self) -> Option<Moment> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self) -> Result<()> {
        let mut started = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if started.is_none() {
            let now = Moment::now().map_err(|error| thalweg::Error::internal(format!("{error:#}")));
            *started = Some(now?);
        }
        Ok(())
    }
}

impl SinkFactory for Discard {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(DiscardWriter {
            sink: self.clone(),
            marked: false,
        }))
    }
}

struct DiscardWriter {
    sink: Discard,
    marked: bool,
}

impl DiscardWriter {
    fn mark(&mut self) -> Result<()> {
        if !self.marked {
            self.marked = true;
            self.sink.mark()?;
        }
        Ok(())
    }
}

impl SinkWriter for DiscardWriter {
    fn write(&mut self, _: Payload, _: &mut Context) -> Result<()> {
        self.mark()
    }

    fn write_watermark(&mut self, _: Watermark, _: &mut Context) -> Result<()> {
        self.mark()
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        self.mark()
    }
}

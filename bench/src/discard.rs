//! A sink that drops its rows.

use thalweg::Result;
use thalweg::core::container::Payload;
use thalweg::core::operator::{Context, Setup};
use thalweg::core::sink::{SinkFactory, SinkWriter};

/// Takes rows and drops them.
pub struct Discard;

impl SinkFactory for Discard {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Discard))
    }
}

impl SinkWriter for Discard {
    fn write(&mut self, _: Payload, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

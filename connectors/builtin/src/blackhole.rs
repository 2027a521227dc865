//! `blackhole`: takes every row and keeps none; for measuring.

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, TableConnector, TableSpec};
use thalweg_core::container::Payload;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{SinkFactory, SinkWriter};

/// The connector.
pub struct BlackHole;

impl TableConnector for BlackHole {
    fn identifier(&self) -> &'static str {
        "blackhole"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        &[]
    }

    fn sink(&self, _: &TableSpec) -> Result<Arc<dyn SinkFactory>> {
        let factory =
            |_: &mut Setup<'_>| -> Result<Box<dyn SinkWriter>> { Ok(Box::new(BlackHoleWriter)) };
        Ok(Arc::new(factory))
    }

    fn accepts_updates(&self) -> bool {
        true
    }
}

struct BlackHoleWriter;

impl SinkWriter for BlackHoleWriter {
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

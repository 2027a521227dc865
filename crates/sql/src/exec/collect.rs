//! The sink behind a `SELECT`: hands batches to whoever prints them.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{SinkFactory, SinkWriter};

/// Sends batches through a bounded channel; a slow reader slows the job down.
pub struct CollectSink(Arc<Mutex<Option<SyncSender<ColumnBatch>>>>);

impl CollectSink {
    /// A sink into a channel. The channel closes when the last instance is gone.
    pub fn new(sender: SyncSender<ColumnBatch>) -> Self {
        CollectSink(Arc::new(Mutex::new(Some(sender))))
    }
}

impl SinkFactory for CollectSink {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The last instance takes the factory's own end, so that the channel can close.
        let own = if setup.info.index + 1 == setup.info.parallelism {
            sender.take()
        } else {
            sender.clone()
        };
        let sender = own.ok_or_else(|| Error::internal("a result is collected only once"))?;
        Ok(Box::new(CollectWriter(sender)))
    }
}

struct CollectWriter(SyncSender<ColumnBatch>);

impl SinkWriter for CollectWriter {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        let batch = *downcast::<ColumnBatch>(batch)?;
        let closed = || Error::new(ErrorKind::User, "the reader of the result is gone");
        match self.0.try_send(batch) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(batch)) => self.0.send(batch).map_err(|_| closed()),
            Err(TrySendError::Disconnected(_)) => Err(closed()),
        }
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

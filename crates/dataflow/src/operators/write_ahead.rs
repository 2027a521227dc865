//! Output that waits in checkpoints until it is written to a target without transactions.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Input    | any order                                                                     |
//! | State    | the records since the last durable checkpoint; the number of the next batch   |
//! | Output   | each batch when its checkpoint is durable, and again after a failure until    |
//! |          | the target says that it has it                                                |
//! | Cost     | each record is copied into a checkpoint                                       |
//! | Source   | Flink `GenericWriteAheadSink`                                                 |
//!
//! ```text
//!   write … write   barrier: a batch with an id ──▶ part of the checkpoint
//!                                                      │ durable
//!                                                      ▼
//!                       has(id)? ── no ──▶ write(id, records) ──▶ forgotten
//! ```

use std::marker::PhantomData;
use std::sync::Arc;

use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, from_bytes, to_bytes};
use thalweg_core::error::Result;
use thalweg_core::host::nonce;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::state::{OperatorListState, Redistribution};

use crate::stream::DataStream;

/// The id of a batch: the same whenever the batch is written, and of no other batch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thalweg_core::Data)]
pub struct BatchId {
    /// The instance of the sink that has collected it.
    pub instance: u32,
    /// Drawn at random when the instance was opened. Other sinks and jobs write to the same target,
    /// and a job that goes back to an older checkpoint collects other batches under the same
    /// numbers.
    pub start: u64,
    /// Rises by one with each batch, over all starts of the job.
    pub number: u64,
}

impl std::fmt::Display for BatchId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:016x}-{}", self.instance, self.start, self.number)
    }
}

/// A target without transactions: a table of a database, a service with idempotent requests.
///
/// Every record is written exactly once if `has` says so of a batch as soon as all of it is written
/// and none of it is left behind by a `write` that fails half way: because the target takes a
/// batch with its id as one, or because each record has a key, so that writing it again replaces
/// it. Else records may come twice after a failure, but none is lost.
pub trait WriteAheadTarget<T>: Send {
    /// Whether a batch was written, by whichever instance and start of the job.
    ///
    /// # Errors
    /// Fails the task; after a restart it is asked again.
    fn has(&mut self, id: &BatchId) -> Result<bool>;

    /// Writes a batch, and notes its id with it.
    ///
    /// # Errors
    /// Fails the task; after a restart the same batch comes again.
    fn write(&mut self, id: &BatchId, records: Vec<T>) -> Result<()>;
}

impl<T: Data> DataStream<T> {
    /// Ends the stream in a target without transactions, which `target` connects each instance to.
    ///
    /// Records wait in checkpoints: without `execution.checkpointing.interval` they are written at
    /// the end. They wait in memory as well, so the interval bounds how many.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex};
    /// use thalweg_core::error::Result;
    /// use thalweg_dataflow::operators::write_ahead::{BatchId, WriteAheadTarget};
    ///
    /// #[derive(Clone, Default)]
    /// struct Table(Arc<Mutex<BTreeMap<BatchId, Vec<i64>>>>);
    ///
    /// impl WriteAheadTarget<i64> for Table {
    ///     fn has(&mut self, id: &BatchId) -> Result<bool> {
    ///         Ok(self.0.lock().unwrap().contains_key(id))
    ///     }
    ///     fn write(&mut self, id: &BatchId, records: Vec<i64>) -> Result<()> {
    ///         self.0.lock().unwrap().insert(id.clone(), records);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let table = Table::default();
    /// let target = table.clone();
    /// let numbers = env.from_collection([1i64, 2]);
    /// numbers.write_ahead_to("Table", move || Ok(Box::new(target.clone())));
    /// env.execute()?;
    /// let written: Vec<i64> = table.0.lock().unwrap().values().flatten().copied().collect();
    /// assert_eq!(written, [1, 2]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn write_ahead_to(
        &self,
        name: &str,
        target: impl Fn() -> Result<Box<dyn WriteAheadTarget<T>>> + Send + Sync + 'static,
    ) {
        self.sink_to(name, Arc::new(WriteAhead::new(target)));
    }
}

/// The sink's factory.
struct WriteAhead<T, F> {
    target: F,
    records: PhantomData<fn(T)>,
}

impl<T, F> WriteAhead<T, F> {
    fn new(target: F) -> Self {
        WriteAhead {
            target,
            records: PhantomData,
        }
    }
}

impl<T, F> SinkFactory for WriteAhead<T, F>
where
    T: Data,
    F: Fn() -> Result<Box<dyn WriteAheadTarget<T>>> + Send + Sync,
{
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(WriteAheadWriter {
            id: BatchId {
                instance: setup.info.index,
                start: 0,
                number: 0,
            },
            records: Vec::<T>::new(),
            next: setup.states.operator_list("next", Redistribution::Union),
        }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(WriteAheadCommitter((self.target)()?))))
    }
}

struct WriteAheadWriter<T> {
    /// Of the next batch.
    id: BatchId,
    records: Vec<T>,
    next: OperatorListState<u64>,
}

impl<T: Data> SinkWriter for WriteAheadWriter<T> {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let earlier = self.next.get(ctx.states()).iter().max();
        self.id.number = earlier.copied().unwrap_or(0);
        self.id.start = nonce();
        Ok(())
    }

    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        self.records.extend(downcast::<Rows<T>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<()> {
        let next = self.id.number + u64::from(!self.records.is_empty());
        *self.next.get_mut(ctx.states_mut()) = vec![next];
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        if self.records.is_empty() {
            return Ok(Vec::new());
        }
        let batch = (self.id.clone(), std::mem::take(&mut self.records));
        self.id.number += 1;
        Ok(vec![to_bytes(&batch)])
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        self.flush(ctx)
    }
}

struct WriteAheadCommitter<T>(Box<dyn WriteAheadTarget<T>>);

impl<T: Data> Committer for WriteAheadCommitter<T> {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        for committable in committables {
            let (id, records): (BatchId, Vec<T>) = from_bytes(committable)?;
            if !self.0.has(&id)? {
                self.0.write(&id, records)?;
            }
        }
        Ok(())
    }
}

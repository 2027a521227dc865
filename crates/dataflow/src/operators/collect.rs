//! Sinks into this process: collecting, and calling a function.
//!
//! | Contract |                                                                  |
//! |----------|------------------------------------------------------------------|
//! | Input    | any order; instances interleave                                  |
//! | State    | none: results of a failed job are lost with it                   |
//! | Cost     | one lock a batch                                                 |
//! | Source   | Flink `executeAndCollect`                                        |

use std::sync::{Arc, Mutex, PoisonError};

use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::graph::{JobResult, NodeKind, Partitioning, StreamNode};
use thalweg_core::operator::{Context, Setup};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::sink::{SinkFactory, SinkWriter};
use thalweg_core::time::EventTime;

use crate::stream::DataStream;

impl<T: Data> DataStream<T> {
    /// Runs the whole job and returns the values of this stream. The order is kept within each
    /// instance of the operator before; between instances there is none.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// assert_eq!(env.from_collection([1, 2]).execute_and_collect()?, [1, 2]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of any task.
    pub fn execute_and_collect(&self) -> Result<Vec<T>> {
        Ok(self
            .execute_and_collect_records()?
            .into_iter()
            .map(|record| record.value)
            .collect())
    }

    /// Like [`DataStream::execute_and_collect`], with the timestamps.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::time::EventTime;
    ///
    /// let records = env.from_collection([1]).execute_and_collect_records()?;
    /// assert_eq!(records[0].time, EventTime::NONE);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of any task.
    pub fn execute_and_collect_records(&self) -> Result<Vec<Record<T>>> {
        let collected: Arc<Mutex<Vec<Record<T>>>> = Arc::default();
        let into = collected.clone();
        self.for_each_batch("Collect", move |rows: Rows<T>| {
            let records = rows.values.into_iter().zip(rows.times);
            into.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(records.map(|(value, time)| Record::new(value, EventTime(time))));
        });
        self.environment().execute()?;
        let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *collected))
    }

    /// Runs the whole job and returns its result; a shorthand at the end of a chain.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection([1, 2]);
    /// numbers.print();
    /// assert_eq!(numbers.execute()?.checkpoints, 0);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of any task.
    pub fn execute(&self) -> Result<JobResult> {
        self.environment().execute()
    }

    /// Calls `function` for every record. With parallelism it is called from several threads.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let sum = Arc::new(AtomicU64::new(0));
    /// let into = sum.clone();
    /// env.from_collection([1, 2]).for_each(move |n| {
    ///     into.fetch_add(n, Ordering::Relaxed);
    /// });
    /// env.execute()?;
    /// assert_eq!(sum.load(Ordering::Relaxed), 3);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn for_each(&self, function: impl Fn(T) + Clone + Send + Sync + 'static) {
        self.for_each_batch("ForEach", move |rows: Rows<T>| {
            rows.values.into_iter().for_each(&function);
        });
    }

    /// Prints every record to standard output.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// env.from_collection(["seen"].map(String::from)).print();
    /// env.execute()?;
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn print(&self)
    where
        T: std::fmt::Debug,
    {
        self.for_each_batch("Print", |rows: Rows<T>| {
            for value in rows.values {
                println!("{value:?}");
            }
        });
    }

    /// Ends the stream in a sink.
    pub fn sink_to(&self, name: &str, sink: Arc<dyn SinkFactory>) {
        let node = StreamNode::new(name, NodeKind::Sink(sink));
        self.connect_node(node, Partitioning::Unspecified, 0);
    }

    fn for_each_batch(
        &self,
        name: &str,
        function: impl Fn(Rows<T>) + Clone + Send + Sync + 'static,
    ) {
        let factory = move |_: &mut Setup<'_>| -> Result<Box<dyn SinkWriter>> {
            Ok(Box::new(ForEachBatch(
                function.clone(),
                std::marker::PhantomData,
            )))
        };
        self.sink_to(name, Arc::new(factory));
    }
}

struct ForEachBatch<T, F>(F, std::marker::PhantomData<fn(T)>);

impl<T: Data, F: Fn(Rows<T>) + Send> SinkWriter for ForEachBatch<T, F> {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        (self.0)(*downcast::<Rows<T>>(batch)?);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

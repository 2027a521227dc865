//! Sinks with less than exactly once, and sinks that write ahead, killed at chosen places.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{from_bytes, to_bytes};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::graph::NodeKind;
use thalweg_core::host::Waker;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, Setup, SubtaskInfo};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::sink::{Committer, DeliveryGuarantee, SinkFactory, SinkWriter};
use thalweg_core::state::{StateRegistry, StateSnapshot, redistribute};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_dataflow::operators::write_ahead::{BatchId, WriteAheadTarget};
use thalweg_dataflow::stream::DataStream;

/// The sink at the end of a program.
fn sink_of(end: impl Fn(&DataStream<u64>)) -> Arc<dyn SinkFactory> {
    let env = thalweg_testkit::environment();
    end(&env.from_collection([0u64]));
    let graph = env.graph();
    let mut sinks = graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Sink(sink) => Some(sink.clone()),
        _ => None,
    });
    sinks.next_back().unwrap()
}

/// What a snapshot of all instances holds.
#[derive(Clone)]
struct Checkpoint {
    snapshots: Vec<StateSnapshot>,
    committables: Vec<Vec<u8>>,
}

struct Instance {
    ctx: Context,
    writer: Box<dyn SinkWriter>,
    committer: Box<dyn Committer>,
    waiting: Vec<Vec<u8>>,
}

/// The instances of one attempt.
struct Job(Vec<Instance>);

impl Job {
    fn start(
        sink: &Arc<dyn SinkFactory>,
        parallelism: u32,
        now: i64,
        from: Option<&Checkpoint>,
    ) -> Result<Self> {
        let dealt = from.map(|from| redistribute(&from.snapshots, parallelism, 128));
        let mut instances = Vec::new();
        for index in 0..parallelism {
            let info = SubtaskInfo {
                operator: "sink".to_owned(),
                index,
                parallelism,
                max_parallelism: 128,
            };
            let mut states = StateRegistry::default();
            let metrics = OperatorMetrics::default();
            let mut writer = sink.create(&mut Setup {
                states: &mut states,
                info: &info,
                waker: Waker::none(),
                batch_rows: 4,
                metrics: metrics.clone(),
            })?;
            let mut ctx = Context::new(states, info, metrics);
            ctx.set_now(ProcessingTime(now));
            if let Some(dealt) = &dealt {
                ctx.restore(&dealt[index as usize])?;
            }
            let mut committer = sink.committer()?.unwrap();
            if let Some(from) = from.filter(|_| index == 0) {
                committer.commit(&from.committables)?;
            }
            writer.open(&mut ctx)?;
            instances.push(Instance {
                ctx,
                writer,
                committer,
                waiting: Vec::new(),
            });
        }
        Ok(Job(instances))
    }

    fn write(&mut self, index: usize, values: std::ops::Range<u64>) {
        let record = |value| Record::new(value, EventTime(0));
        let rows: Rows<u64> = values.map(record).collect();
        let Instance { ctx, writer, .. } = &mut self.0[index];
        writer.write(Box::new(rows), ctx).unwrap();
    }

    fn barrier(&mut self) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            snapshots: Vec::new(),
            committables: Vec::new(),
        };
        for instance in &mut self.0 {
            instance.writer.flush(&mut instance.ctx).unwrap();
            let more = instance.writer.prepare_commit(&mut instance.ctx).unwrap();
            instance.waiting.extend(more);
            checkpoint.committables.extend(instance.waiting.clone());
            checkpoint.snapshots.push(instance.ctx.snapshot().unwrap());
        }
        checkpoint
    }

    fn commit(&mut self) -> Result<()> {
        for instance in &mut self.0 {
            instance.committer.commit(&instance.waiting)?;
            instance.waiting.clear();
        }
        Ok(())
    }

    fn end(mut self) {
        for instance in &mut self.0 {
            instance.writer.finish(&mut instance.ctx).unwrap();
            let more = instance.writer.prepare_commit(&mut instance.ctx).unwrap();
            instance.waiting.extend(more);
        }
        self.commit().unwrap();
    }
}

/// A sink with transactions, whose commits may be repeated.
#[derive(Clone, Default)]
struct Transactions(Arc<Mutex<BTreeMap<u64, Vec<u64>>>>, Arc<Mutex<u64>>);

impl Transactions {
    fn values(&self) -> Vec<u64> {
        let mut values: Vec<u64> = self.0.lock().unwrap().values().flatten().copied().collect();
        values.sort_unstable();
        values
    }
}

impl SinkFactory for Transactions {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(TransactionWriter(self.clone(), Vec::new())))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(self.clone())))
    }
}

struct TransactionWriter(Transactions, Vec<u64>);

impl SinkWriter for TransactionWriter {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        self.1.extend(downcast::<Rows<u64>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        let mut transaction = self.0.1.lock().unwrap();
        *transaction += 1;
        Ok(vec![to_bytes(&(*transaction, std::mem::take(&mut self.1)))])
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

impl Committer for Transactions {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        for committable in committables {
            let (transaction, values) = from_bytes(committable)?;
            self.0.lock().unwrap().insert(transaction, values);
        }
        Ok(())
    }
}

/// Values 0..4, a checkpoint, 4..8, a barrier whose checkpoint comes to nothing, and a kill; then on
/// from the checkpoint with 4..8 and the end.
fn killed(guarantee: DeliveryGuarantee) -> Vec<u64> {
    let output = Transactions::default();
    let sink = sink_of(|stream| {
        stream.sink_with_guarantee("Sink", Arc::new(output.clone()), guarantee);
    });
    let mut job = Job::start(&sink, 1, 0, None).unwrap();
    job.write(0, 0..4);
    let checkpoint = job.barrier();
    // The kill comes before anything is done with a durable checkpoint if the sink needs one.
    if guarantee != DeliveryGuarantee::None {
        job.commit().unwrap();
        job.write(0, 4..8);
        job.barrier();
    }
    drop(job);
    let mut job = Job::start(&sink, 1, 0, Some(&checkpoint)).unwrap();
    job.write(0, 4..8);
    job.end();
    output.values()
}

#[test]
fn a_kill_loses_rows_with_none_repeats_rows_with_at_least_once_and_neither_with_exactly_once() {
    let every: Vec<u64> = (0..8).collect();
    assert_eq!(killed(DeliveryGuarantee::ExactlyOnce), every);
    assert_eq!(
        killed(DeliveryGuarantee::AtLeastOnce),
        [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    );
    assert_eq!(killed(DeliveryGuarantee::None), [4, 5, 6, 7]);
}

#[test]
fn without_a_kill_each_guarantee_gives_every_row_once() {
    for guarantee in [
        DeliveryGuarantee::ExactlyOnce,
        DeliveryGuarantee::AtLeastOnce,
        DeliveryGuarantee::None,
    ] {
        let output = Transactions::default();
        let sink = sink_of(|stream| {
            stream.sink_with_guarantee("Sink", Arc::new(output.clone()), guarantee);
        });
        let mut job = Job::start(&sink, 2, 0, None).unwrap();
        for part in 0..5 {
            job.write(0, 10 * part..10 * part + 5);
            job.write(1, 10 * part + 5..10 * part + 10);
            job.barrier();
            if part % 2 == 0 {
                job.commit().unwrap();
            }
        }
        job.end();
        assert_eq!(output.values(), (0..50).collect::<Vec<_>>(), "{guarantee}");
    }
}

#[test]
fn what_a_checkpoint_holds_is_committed_also_when_the_sink_promises_less_by_then() {
    let output = Transactions::default();
    let with = |guarantee| {
        sink_of(|stream| stream.sink_with_guarantee("Sink", Arc::new(output.clone()), guarantee))
    };
    let mut job = Job::start(&with(DeliveryGuarantee::ExactlyOnce), 1, 0, None).unwrap();
    job.write(0, 0..4);
    let checkpoint = job.barrier();
    drop(job);
    let none = with(DeliveryGuarantee::None);
    let job = Job::start(&none, 1, 0, Some(&checkpoint)).unwrap();
    job.end();
    assert_eq!(output.values(), [0, 1, 2, 3]);
}

/// A target without transactions, which fails or dies in the middle of things.
#[derive(Clone, Default)]
struct Table {
    batches: Arc<Mutex<BTreeMap<BatchId, Vec<u64>>>>,
    /// What is left of the next write: nothing, or all of it without the writer's knowing.
    fails: Arc<Mutex<Option<bool>>>,
}

impl Table {
    fn values(&self) -> Vec<u64> {
        let batches = self.batches.lock().unwrap();
        let mut values: Vec<u64> = batches.values().flatten().copied().collect();
        values.sort_unstable();
        values
    }

    fn sink(&self) -> Arc<dyn SinkFactory> {
        sink_of(|stream| {
            let table = self.clone();
            stream.write_ahead_to("Table", move || Ok(Box::new(table.clone())));
        })
    }
}

impl WriteAheadTarget<u64> for Table {
    fn has(&mut self, id: &BatchId) -> Result<bool> {
        Ok(self.batches.lock().unwrap().contains_key(id))
    }

    fn write(&mut self, id: &BatchId, records: Vec<u64>) -> Result<()> {
        let fails = self.fails.lock().unwrap().take();
        if fails != Some(false) {
            let before = self.batches.lock().unwrap().insert(id.clone(), records);
            assert_eq!(before, None, "it was asked first, and said that it has it");
        }
        match fails {
            Some(_) => Err(Error::new(ErrorKind::Retryable, "planted")),
            None => Ok(()),
        }
    }
}

#[test]
fn nothing_is_written_before_the_checkpoint_that_holds_it_is_durable() {
    let table = Table::default();
    let sink = table.sink();
    let mut job = Job::start(&sink, 1, 0, None).unwrap();
    job.write(0, 0..4);
    job.barrier();
    assert_eq!(table.values(), Vec::<u64>::new());
    job.commit().unwrap();
    assert_eq!(table.values(), [0, 1, 2, 3]);
    job.write(0, 4..5);
    assert_eq!(table.values().len(), 4);
    job.end();
    assert_eq!(table.values(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_batch_is_written_once_whether_the_kill_comes_before_in_or_behind_the_write() {
    for (fails, parallelism) in [
        (None, 1),
        (Some(false), 2),
        (Some(true), 1),
        (Some(true), 3),
    ] {
        let table = Table::default();
        let sink = table.sink();
        let mut job = Job::start(&sink, 2, 0, None).unwrap();
        job.write(0, 0..4);
        job.write(1, 4..8);
        let checkpoint = job.barrier();
        *table.fails.lock().unwrap() = fails;
        assert_eq!(job.commit().is_err(), fails.is_some());
        job.write(0, 90..95);
        drop(job);
        // Twice: the second start finds all of it.
        drop(Job::start(&sink, parallelism, 10, Some(&checkpoint)).unwrap());
        let mut job = Job::start(&sink, parallelism, 20, Some(&checkpoint)).unwrap();
        job.write(0, 8..10);
        job.end();
        assert_eq!(table.values(), (0..10).collect::<Vec<_>>(), "{fails:?}");
    }
}

#[test]
fn a_job_that_goes_back_behind_what_was_written_loses_nothing() {
    let table = Table::default();
    let sink = table.sink();
    let mut job = Job::start(&sink, 1, 0, None).unwrap();
    job.write(0, 0..2);
    let older = job.barrier();
    job.commit().unwrap();
    job.write(0, 2..4);
    job.barrier();
    job.commit().unwrap();
    drop(job);
    let mut job = Job::start(&sink, 1, 1, Some(&older)).unwrap();
    job.write(0, 2..6);
    job.end();
    assert_eq!(table.values(), [0, 1, 2, 2, 3, 3, 4, 5]);
}

#[test]
fn sinks_that_are_opened_in_the_same_moment_lose_no_batch_to_each_other() {
    let table = Table::default();
    let (one, other) = (table.sink(), table.sink());
    let mut jobs = [&one, &other, &one].map(|sink| Job::start(sink, 2, 0, None).unwrap());
    for (place, job) in jobs.iter_mut().enumerate() {
        let from = place as u64 * 4;
        job.write(0, from..from + 2);
        job.write(1, from + 2..from + 4);
    }
    jobs.into_iter().for_each(Job::end);
    assert_eq!(table.values(), (0..12).collect::<Vec<_>>());
}

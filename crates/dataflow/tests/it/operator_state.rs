//! State that belongs to instances of operators, sources and sinks, dealt out in each way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Operator, Output, Outputs, Setup};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::sink::{SinkFactory, SinkWriter};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_testkit::run_along;

const PARTITIONS: u64 = 5;
const OF_PARTITION: u64 = 30;

/// Reads partitions, whose offsets are a union: each instance gets those of all, and takes the ones
/// that are its own now.
struct Partitions;

/// Partition, next record.
type Offset = (u64, u64);

struct PartitionReader {
    offsets: OperatorListState<Offset>,
    index: u64,
    parallelism: u64,
}

impl SourceFactory for Partitions {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(PartitionReader {
            offsets: setup.states.operator_list("offsets", Redistribution::Union),
            index: setup.info.index.into(),
            parallelism: setup.info.parallelism.into(),
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

impl SourceReader for PartitionReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let restored = ctx.is_restored();
        let offsets = self.offsets.get_mut(ctx.states_mut());
        if restored {
            assert_eq!(offsets.len() as u64, PARTITIONS, "each gets all");
        } else {
            offsets.extend((0..PARTITIONS).map(|partition| (partition, 0)));
        }
        offsets.retain(|(partition, _)| partition % self.parallelism == self.index);
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let mut offsets = self.offsets.get_mut(ctx.states_mut()).iter_mut();
        let Some((partition, next)) = offsets.find(|(_, next)| *next < OF_PARTITION) else {
            return Ok(Poll::End);
        };
        let mut rows = Rows::default();
        rows.push(*partition * OF_PARTITION + *next, EventTime::NONE);
        *next += 1;
        out.emit(Box::new(rows));
        Ok(Poll::Ready)
    }
}

/// Holds records back in a list that is split, and lets the oldest go when there are several.
struct Holding(OperatorListState<u64>);

impl Operator<u64, u64> for Holding {
    fn process(&mut self, n: Record<u64>, ctx: &mut Context, out: &mut Output<u64>) -> Result<()> {
        let held = self.0.get_mut(ctx.states_mut());
        held.push(n.value);
        if held.len() > 3 {
            out.emit(held.remove(0), n.time);
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Output<u64>) -> Result<()> {
        for n in self.0.get_mut(ctx.states_mut()).drain(..) {
            out.emit(n, EventTime::NONE);
        }
        Ok(())
    }
}

fn numbers(env: &StreamExecutionEnvironment) -> thalweg_dataflow::stream::DataStream<u64> {
    env.from_source::<u64>("Partitions", Arc::new(Partitions), None)
        .uid("partitions")
}

#[test]
fn a_source_takes_its_part_of_a_union_and_an_operator_its_share_of_a_list() {
    let build = |env: &StreamExecutionEnvironment| {
        numbers(env)
            .rebalance()
            .process(|states| Holding(states.operator_list("held", Redistribution::Split)))
            .uid("holding")
    };
    for unaligned in [false, true] {
        let path = [(1, 20), (2, 15), (3, 10), (1, 1)];
        let mut found = run_along(build, &path, unaligned, false).unwrap();
        found.sort_unstable();
        let all: Vec<u64> = (0..PARTITIONS * OF_PARTITION).collect();
        assert_eq!(found, all, "unaligned: {unaligned}");
    }
}

/// Holds everything back in a list until the end. What was written stays: a set, since an instance
/// may end behind a barrier and the job go on from there.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<BTreeSet<u64>>>);

struct WrittenWriter {
    written: Written,
    held: OperatorListState<u64>,
}

impl SinkFactory for Written {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(WrittenWriter {
            written: self.clone(),
            held: setup.states.operator_list("held", Redistribution::Split),
        }))
    }
}

impl SinkWriter for WrittenWriter {
    fn write(&mut self, batch: Payload, ctx: &mut Context) -> Result<()> {
        let held = self.held.get_mut(ctx.states_mut());
        held.extend(downcast::<Rows<u64>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        let mut written = self
            .written
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        written.extend(self.held.get_mut(ctx.states_mut()).drain(..));
        Ok(())
    }
}

#[test]
fn a_sink_writes_at_the_end_what_the_instances_before_it_have_held_back() {
    let written = Written::default();
    let build = |env: &StreamExecutionEnvironment| {
        let numbers = numbers(env).map(|n| n).uid("numbers");
        numbers.sink_to("Written", Arc::new(written.clone()));
        numbers
    };
    run_along(build, &[(1, 20), (2, 15), (3, 10), (1, 1)], false, false).unwrap();
    let all: BTreeSet<u64> = (0..PARTITIONS * OF_PARTITION).collect();
    let written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*written, all);
}

//! State with a time to live in jobs, under the clock of the test kit.

use std::sync::Arc;
use std::time::Duration;

use thalweg_core::data::from_bytes;
use thalweg_core::error::Result;
use thalweg_core::host::ManualClock;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::{StateTtlConfig, TtlListState, TtlMapState, TtlValueState, UpdateType};
use thalweg_dataflow::stream::DataStream;
use thalweg_runtime::MiniCluster;
use thalweg_runtime::checkpoint::MemoryListener;
use thalweg_runtime::mini_cluster::Interruption;
use thalweg_testkit::check;

use crate::recovery::Ledger;

type Pair = (String, i64);

fn ten_millis() -> StateTtlConfig {
    StateTtlConfig::new(Duration::from_millis(10))
}

fn check_keyed<Op: Operator<Pair, Pair>>(
    declare: impl Fn(&mut thalweg_core::state::StateRegistry) -> Op + Clone + Send + Sync + 'static,
    input: &str,
    expected: &str,
) {
    let build = move |stream: DataStream<Pair>| {
        let keyed = stream.key_by(|pair| pair.0.clone());
        keyed.process(declare.clone())
    };
    check(build, input, expected);
}

/// Passes the first record of a key, until it is forgotten.
struct First(TtlValueState<()>);

impl Operator<Pair, Pair> for First {
    fn process(
        &mut self,
        record: Record<Pair>,
        ctx: &mut Context,
        out: &mut Output<Pair>,
    ) -> Result<()> {
        if self.0.get(ctx)?.is_none() {
            self.0.set(ctx, ())?;
            out.push(record);
        }
        Ok(())
    }
}

#[test]
fn a_key_passes_again_once_its_value_is_forgotten_however_the_job_is_run() {
    check_keyed(
        |states| First(states.with_ttl(ten_millis()).value("seen")),
        "a:1@0 P@3 b:2@0 a:3@0 P@10 a:4@0 b:5@0 a:6@0 P@13 b:7@0 P@20 a:8@0",
        "a:1@0 b:2@0 a:4@0 b:7@0 a:8@0",
    );
    let renewed = ten_millis().update_type(UpdateType::OnReadAndWrite);
    check_keyed(
        move |states| First(states.with_ttl(renewed).value("seen")),
        "a:1@0 P@6 a:2@0 P@12 a:3@0 P@22 a:4@0",
        "a:1@0 a:4@0",
    );
}

/// The sum of a key's last values and how many different there are.
struct Recent {
    values: TtlListState<i64>,
    different: TtlMapState<i64, ()>,
}

impl Operator<Pair, Pair> for Recent {
    fn process(
        &mut self,
        record: Record<Pair>,
        ctx: &mut Context,
        out: &mut Output<Pair>,
    ) -> Result<()> {
        let (key, value) = record.value;
        self.values.add(ctx, value)?;
        self.different.insert(ctx, value, ())?;
        let sum: i64 = self.values.get(ctx)?.sum();
        let different = self.different.len(ctx)? as i64;
        out.emit((key, 100 * different + sum), record.time);
        Ok(())
    }
}

#[test]
fn elements_and_entries_are_forgotten_one_by_one_however_the_job_is_run() {
    check_keyed(
        |states| {
            let mut states = states.with_ttl(ten_millis());
            Recent {
                values: states.list("values"),
                different: states.map("different"),
            }
        },
        "a:1@0 P@4 a:2@0 a:1@0 P@10 a:5@0 P@14 b:1@0 a:5@0 P@40 a:7@0",
        "a:101@0 a:203@0 a:204@0 a:308@0 b:101@0 a:110@0 a:107@0",
    );
}

/// The keys and times of the values in a checkpoint, taken after some rounds of a job of 600 keys,
/// at whose 200th record the clock goes on by 1000 ms.
fn stored_times(rounds: u64) -> Vec<(String, i64)> {
    let clock = Arc::new(ManualClock::default());
    let env = thalweg_testkit::environment();
    env.configure(|config| {
        config.batch_rows = 2;
        config.channel_batches = 1;
    });
    let (moved, config) = (clock.clone(), ten_millis().disable_cleanup_in_background());
    env.from_collection(0..600i64)
        .map(move |n| {
            if n == 200 {
                moved.set(1000);
            }
            (n.to_string(), n)
        })
        .key_by(|pair| pair.0.clone())
        .process(move |states| First(states.with_ttl(config).value("seen")))
        .map(|pair| pair.1 as u64)
        .sink_to("Ledger", Arc::new(Ledger::default()));
    let job = env.job_graph().unwrap_or_else(|error| panic!("{error}"));
    let subtasks = job.vertices.iter().map(|v| v.parallelism as usize).sum();
    let listener = Arc::new(MemoryListener::default());
    let complete = || listener.passed(1) == subtasks;
    let plan = Interruption {
        seed: rounds,
        clock,
        listener: listener.clone(),
        restore: None,
        checkpoint_after: Some(rounds),
        abandon_when: Some(&complete),
    };
    let run = MiniCluster.run_interrupted(&job, &env.config(), &plan);
    assert!(run.is_ok(), "{run:?}");
    let snapshot = listener.take(1).unwrap_or_default();
    let instances = snapshot.operators.into_values().flat_map(|o| o.instances);
    let tables = instances.flat_map(|instance| instance.state.tables);
    let seen: Vec<_> = tables.filter(|table| table.name == "seen").collect();
    let entries = seen.iter().flat_map(|table| table.entries.iter());
    entries
        .filter_map(|(_, entry)| from_bytes(entry).ok())
        .collect()
}

#[test]
fn checkpoints_have_no_expired_values() {
    let (mut early, mut late) = (0, 0);
    for rounds in 1..=20 {
        let times = stored_times(rounds);
        let of = |time| times.iter().filter(|(_, since)| *since == time).count();
        assert_eq!(of(0) + of(1000), times.len());
        assert!(of(0) == 0 || of(1000) == 0, "after {rounds}: {times:?}");
        early += of(0);
        late += of(1000);
    }
    assert!(early > 0 && late > 0, "{early} and {late} values");
}

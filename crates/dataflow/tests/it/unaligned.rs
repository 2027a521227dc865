//! Checkpoints of jobs whose sink is stopped: they complete, hold what is in flight, and the job
//! goes on from them at any parallelism with the results of an undisturbed one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thalweg_core::config::{CheckpointMode, ExecutionConfig};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::element::Barrier;
use thalweg_core::error::Result;
use thalweg_core::graph::JobGraph;
use thalweg_core::host::{Clock, ManualClock, Waker};
use thalweg_core::operator::{Context, Operator, Output, OutputTag, Setup, TwoInputOperator};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
use thalweg_dataflow::window::TumblingEventTimeWindows;
use thalweg_runtime::MiniCluster;
use thalweg_runtime::checkpoint::{CheckpointRequest, JobSnapshot, MemoryListener, SharedListener};
use thalweg_runtime::driver::stepped::SteppedDriver;
use thalweg_runtime::mini_cluster::{BuildSpec, Part, Slots, build, subtasks};

use super::recovery::{self, Directory, Ledger};

const COUNT: u64 = 400;
// The sink takes so many batches of each instance in each stage, and then no more.
const BATCHES: usize = 5;
const STOPPED_CHECKPOINTS: u64 = 4;

/// What a sink has received, and whether it takes more.
#[derive(Clone, Default)]
struct Stoppable(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// In front of the last barrier, and behind it.
    before: Vec<String>,
    behind: Vec<String>,
    left: Option<usize>,
}

impl Stoppable {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SinkFactory for Stoppable {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(StoppableWriter(self.clone(), Vec::new())))
    }
}

struct StoppableWriter(Stoppable, Vec<String>);

impl SinkWriter for StoppableWriter {
    fn is_ready(&mut self, _: &mut Context) -> Result<bool> {
        Ok(self.0.state().left != Some(0))
    }

    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        let mut state = self.0.state();
        assert_ne!(state.left, Some(0), "written to while it is not ready");
        state.left = state.left.map(|left| left - 1);
        self.1.extend(downcast::<Rows<String>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        self.0.state().before.append(&mut self.1);
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        self.0.state().behind.append(&mut self.1);
        Ok(())
    }
}

type Build = dyn Fn(&StreamExecutionEnvironment) -> DataStream<String>;

fn compose(
    pipeline: &Build,
    parallelism: u32,
    chaining: bool,
    sink: &Stoppable,
) -> (JobGraph, ExecutionConfig) {
    let env = thalweg_testkit::environment();
    env.set_parallelism(parallelism).configure(|config| {
        config.max_parallelism = Some(16);
        config.batch_rows = 4;
        config.channel_batches = 3;
        config.chaining = chaining;
        config.checkpointing.unaligned = true;
    });
    pipeline(&env).sink_to("Stoppable", Arc::new(sink.clone()));
    (env.job_graph().unwrap(), env.config())
}

/// A job under a stepped driver.
struct Stepped {
    driver: SteppedDriver,
    listener: Arc<MemoryListener>,
    request: Arc<CheckpointRequest>,
    clock: Arc<ManualClock>,
    tasks: usize,
}

impl Stepped {
    fn start(job: &JobGraph, config: &ExecutionConfig, from: Option<&JobSnapshot>) -> Self {
        let listener = Arc::new(MemoryListener::default());
        let shared: SharedListener = listener.clone();
        let request = Arc::new(CheckpointRequest::default());
        let built = build(&BuildSpec {
            job,
            config,
            slots: &Slots::shared(job),
            part: Part::All,
            listener: &shared,
            request: &request,
            restore: from,
            metrics: None,
        })
        .unwrap();
        let all = built.by_slot.into_iter().flatten().collect();
        let clock = Arc::new(ManualClock::default());
        Stepped {
            driver: SteppedDriver::new(all, u64::from(config.parallelism), clock.clone()),
            listener,
            request,
            clock,
            tasks: subtasks(job),
        }
    }

    /// Runs until nothing moves.
    fn run_full(&mut self) {
        loop {
            match self.driver.round() {
                Ok(true) => {}
                Ok(false) => panic!("the job ended although its sink is stopped"),
                Err(error) => {
                    assert!(error.to_string().contains("no task can move"), "{error}");
                    return;
                }
            }
        }
    }

    fn checkpoint(&mut self, number: u64) -> JobSnapshot {
        self.request.request(Barrier::of_checkpoint(number));
        while self.listener.passed(number) < self.tasks {
            self.driver.round().unwrap();
        }
        self.listener.take(number).unwrap()
    }
}

/// Runs until nothing moves with a stopped sink, then takes checkpoints all the same. The last one,
/// and what the sink has received before it.
fn stopped(
    pipeline: &Build,
    parallelism: u32,
    chaining: bool,
    from: Option<&JobSnapshot>,
) -> (JobSnapshot, Vec<String>) {
    let sink = Stoppable::default();
    sink.state().left = Some(BATCHES);
    let (job, config) = compose(pipeline, parallelism, chaining, &sink);
    let mut running = Stepped::start(&job, &config, from);
    running.run_full();
    let mut in_flight = Vec::new();
    let mut last = JobSnapshot::default();
    for checkpoint in 1..=STOPPED_CHECKPOINTS {
        last = running.checkpoint(checkpoint);
        in_flight.push(entries_in_flight(&last));
    }
    // What the first one pushed out is all there is: nothing was read while the sink stood.
    assert!(in_flight[0] > 0, "{in_flight:?}");
    let grows = in_flight[1..].windows(2).any(|pair| pair[1] > pair[0]);
    assert!(!grows, "{in_flight:?}");
    let before = std::mem::take(&mut sink.state().before);
    (last, before)
}

fn entries_in_flight(snapshot: &JobSnapshot) -> usize {
    let instances = snapshot.operators.values().flat_map(|o| &o.instances);
    let tables = instances.flat_map(|instance| &instance.state.tables);
    let in_flight = tables.filter(|table| table.redistribution == Redistribution::InFlight);
    in_flight.map(|table| table.entries.len()).sum()
}

fn to_the_end(pipeline: &Build, parallelism: u32, from: &JobSnapshot) -> Vec<String> {
    let sink = Stoppable::default();
    let (job, config) = compose(pipeline, parallelism, true, &sink);
    Stepped::start(&job, &config, Some(from))
        .driver
        .run()
        .unwrap();
    std::mem::take(&mut sink.state().behind)
}

/// Stops a job again and again at the sink, goes on elsewhere each time, and compares all that came
/// out with `expected`.
#[track_caller]
fn check(pipeline: &Build, expected: impl IntoIterator<Item = String>) {
    let mut expected: Vec<String> = expected.into_iter().collect();
    expected.sort();
    for chaining in [true, false] {
        for path in [&[1, 2, 3, 1][..], &[3, 2], &[2, 2]] {
            let mut from: Option<JobSnapshot> = None;
            let mut rows = Vec::new();
            for parallelism in path {
                let (snapshot, before) = stopped(pipeline, *parallelism, chaining, from.as_ref());
                rows.extend(before);
                from = Some(snapshot);
            }
            rows.extend(to_the_end(pipeline, 2, &from.unwrap()));
            rows.sort();
            assert!(
                rows == expected,
                "path {path:?}, chaining {chaining}\nexpected: {expected:?}\n  actual: {rows:?}"
            );
        }
    }
}

fn numbers(env: &StreamExecutionEnvironment) -> DataStream<u64> {
    env.from_collection(0..COUNT).uid("numbers")
}

#[test]
fn keyed_counts_go_on_with_the_records_in_flight_of_their_keys() {
    let pipeline = |env: &StreamExecutionEnvironment| {
        numbers(env)
            .map(|n| (n % 7, 1u64))
            .key_by(|pair: &(u64, u64)| pair.0)
            .reduce(|one, other| (one.0, one.1 + other.1))
            .uid("count")
            .map(|(key, count)| format!("{key}: {count}"))
            .uid("format")
            .rebalance()
            .map(|row| row)
            .uid("rows")
    };
    check(
        &pipeline,
        (0..COUNT).map(|n| format!("{}: {}", n % 7, n / 7 + 1)),
    );
}

#[test]
fn records_of_a_key_in_flight_keep_their_order() {
    // Each record must be the one behind the last of its key.
    let pipeline = |env: &StreamExecutionEnvironment| {
        let single = env.from_collection(0..COUNT).uid("numbers");
        single
            .set_parallelism(1)
            .key_by(|n: &u64| n % 5)
            .reduce(|one, other| {
                assert_eq!(other, one + 5, "out of order");
                other
            })
            .uid("last")
            .map(|n| n.to_string())
            .uid("text")
    };
    check(&pipeline, (0..COUNT).map(|n| n.to_string()));
}

#[test]
fn windows_get_their_records_in_flight() {
    let pipeline = |env: &StreamExecutionEnvironment| {
        let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(10))
            .with_timestamp_assigner(|n: &u64| *n as i64)
            .with_idleness(Duration::from_millis(5));
        numbers(env)
            .assign_timestamps_and_watermarks(strategy)
            .uid("times")
            .flat_map(|n| [n, n])
            .uid("twice")
            .key_by(|n: &u64| n % 3)
            .window(TumblingEventTimeWindows::of(Duration::from_millis(50)))
            .process(|key, window, numbers: &[u64], out| {
                let sum: u64 = numbers.iter().sum();
                out.collect(format!("{key} {}: {sum}", window.window().start));
                Ok(())
            })
            .uid("windows")
            .union(&[numbers_again(env)])
            .map(|row| row)
            .uid("all")
    };
    fn numbers_again(env: &StreamExecutionEnvironment) -> DataStream<String> {
        env.from_collection(0..COUNT)
            .uid("again")
            .shuffle()
            .map(|n| format!("again {n}"))
            .uid("again text")
    }
    let mut expected = Vec::new();
    for (key, window) in (0..3).flat_map(|key| (0..COUNT / 50).map(move |w| (key, w * 50))) {
        let sum: u64 = (window..window + 50).filter(|n| n % 3 == key).sum();
        expected.push(format!("{key} {window}: {}", sum * 2));
    }
    expected.extend((0..COUNT).map(|n| format!("again {n}")));
    check(&pipeline, expected);
}

#[test]
fn two_inputs_and_side_outputs_keep_what_is_in_flight_apart() {
    let pipeline = |env: &StreamExecutionEnvironment| {
        let tag = OutputTag::<u64>::new("odd");
        let odd = tag.clone();
        let even = numbers(env)
            .process_each(move |record, _, out: &mut Output<u64>| {
                if record.value % 2 == 0 {
                    out.push(record);
                } else {
                    out.side(&odd, record);
                }
                Ok(())
            })
            .uid("split");
        even.side_output(&tag)
            .rebalance()
            .connect(&even.shuffle())
            .map(|n| format!("odd {n}"), |n| format!("even {n}"))
            .uid("both")
    };
    let row = |n: u64| format!("{} {n}", if n.is_multiple_of(2) { "even" } else { "odd" });
    check(&pipeline, (0..COUNT).map(row));
}

/// Takes the numbers of the second input, which every instance gets, that are its own.
struct Own(OperatorListState<u64>);

impl TwoInputOperator<u64, u64, String> for Own {
    fn process_first(
        &mut self,
        record: Record<u64>,
        _: &mut Context,
        out: &mut Output<String>,
    ) -> Result<()> {
        out.emit(format!("once {}", record.value), EventTime::NONE);
        Ok(())
    }

    fn process_second(
        &mut self,
        record: Record<u64>,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> Result<()> {
        // Broadcast state: the same in every instance when the parallelism changes.
        let seen = self.0.get_mut(ctx.states_mut());
        assert_eq!(
            seen.len() as u64,
            record.value,
            "each instance gets each number"
        );
        seen.push(record.value);
        let info = ctx.info();
        if record.value % u64::from(info.parallelism) == u64::from(info.index) {
            out.emit(format!("everywhere {}", record.value), EventTime::NONE);
        }
        Ok(())
    }
}

#[test]
fn no_barrier_overtakes_what_every_instance_must_have_read() {
    let pipeline = |env: &StreamExecutionEnvironment| {
        let everywhere = env.from_collection(0..COUNT).uid("everywhere");
        numbers(env)
            .rebalance()
            .connect(&everywhere.set_parallelism(1).broadcast())
            .apply("Own", |states| {
                Own(states.operator_list("seen", Redistribution::Broadcast))
            })
            .uid("own")
            .rebalance()
            .map(|row| row)
            .uid("rows")
    };
    let rows = (0..COUNT).flat_map(|n| [format!("once {n}"), format!("everywhere {n}")]);
    check(&pipeline, rows);
}

#[test]
fn a_barrier_is_aligned_until_its_time_has_come() {
    let pipeline = |env: &StreamExecutionEnvironment| {
        let rows = numbers(env).rebalance().map(|n| n.to_string());
        rows.uid("text")
    };
    for left in [Some(BATCHES), None] {
        let sink = Stoppable::default();
        sink.state().left = left;
        let (job, mut config) = compose(&pipeline, 2, true, &sink);
        config.checkpointing.aligned_timeout = Duration::from_millis(50);
        let mut running = Stepped::start(&job, &config, None);
        if left.is_some() {
            running.run_full();
        } else {
            assert!(running.driver.round().unwrap());
        }
        let snapshot = running.checkpoint(1);
        // The clock stands as long as anything else can move.
        let waited = running.clock.now().millis();
        let stopped = left.is_some();
        assert_eq!(waited, if stopped { 50 } else { 0 });
        assert_eq!(snapshot.has_in_flight(), stopped);
    }
}

/// Registers a timer a key.
struct Alarms(Arc<AtomicU64>);

impl Operator<u64, String> for Alarms {
    fn process(
        &mut self,
        record: Record<u64>,
        ctx: &mut Context,
        _: &mut Output<String>,
    ) -> Result<()> {
        if record.value < COUNT {
            ctx.register_event_timer(EventTime(record.value as i64));
        }
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        _: &mut Context,
        out: &mut Output<String>,
    ) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        out.emit(time.0.to_string(), time);
        Ok(())
    }
}

#[test]
fn a_barrier_passes_between_rows_of_timers_and_inside_of_a_batch() {
    // All timers are due at once, at a jump of the watermark. Behind it the input goes on.
    let fired = Arc::new(AtomicU64::new(0));
    let alarms = fired.clone();
    let pipeline = move |env: &StreamExecutionEnvironment| {
        let alarms = alarms.clone();
        let late = WatermarkStrategy::for_monotonous_timestamps()
            .with_timestamp_assigner(|n: &u64| if *n < COUNT { 0 } else { 1_000_000 });
        let all = env.from_collection(0..COUNT * 5).uid("numbers");
        let keyed = all
            .assign_timestamps_and_watermarks(late)
            .key_by(|n: &u64| *n);
        keyed.process(move |_| Alarms(alarms.clone())).uid("alarms")
    };
    let sink = Stoppable::default();
    sink.state().left = Some(BATCHES);
    let (job, config) = compose(&pipeline, 2, false, &sink);
    let mut running = Stepped::start(&job, &config, None);
    running.run_full();
    let before = fired.load(Ordering::SeqCst);
    let snapshot = running.checkpoint(1);
    let after = fired.load(Ordering::SeqCst);
    assert!(
        before > 0 && after - before <= 2 * 4,
        "{before}, then {after}"
    );
    let instances = snapshot.operators.values().flat_map(|o| &o.instances);
    let tables = instances.flat_map(|instance| &instance.state.tables);
    let timers = tables.filter(|table| table.redistribution == Redistribution::Timers);
    let left: usize = timers.map(|table| table.entries.len()).sum();
    assert_eq!(
        left as u64 + after,
        COUNT,
        "the others are in the checkpoint"
    );

    // A record makes many rows, and a batch has several such records.
    let begun = Arc::new(AtomicU64::new(0));
    let counted = begun.clone();
    let pipeline = move |env: &StreamExecutionEnvironment| {
        let counted = counted.clone();
        let many = numbers(env).shuffle().flat_map(move |n| {
            counted.fetch_add(1, Ordering::SeqCst);
            (0..50).map(move |copy| n * 50 + copy)
        });
        many.uid("many")
            .shuffle()
            .map(|n| n.to_string())
            .uid("text")
    };
    let sink = Stoppable::default();
    sink.state().left = Some(BATCHES);
    let (job, config) = compose(&pipeline, 2, false, &sink);
    let mut running = Stepped::start(&job, &config, None);
    running.run_full();
    let before = begun.load(Ordering::SeqCst);
    let snapshot = running.checkpoint(1);
    assert_eq!(
        begun.load(Ordering::SeqCst),
        before,
        "no record was begun for the barrier"
    );
    let mut rows = std::mem::take(&mut sink.state().before);
    rows.extend(to_the_end(&pipeline, 3, &snapshot));
    rows.sort();
    let mut expected: Vec<String> = (0..COUNT * 50).map(|n| n.to_string()).collect();
    expected.sort();
    assert!(rows == expected, "{} rows", rows.len());
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let refused = |change: &dyn Fn(&mut ExecutionConfig)| {
        let env = thalweg_testkit::environment();
        env.configure(|config| {
            config.checkpointing.unaligned = true;
            change(config);
        });
        env.from_collection([1u64]).map(|n| n).for_each(|_| {});
        env.execute().unwrap_err().to_string()
    };
    assert_eq!(
        refused(&|config| config.checkpointing.mode = CheckpointMode::AtLeastOnce),
        "`execution.checkpointing.unaligned.enabled` needs \
         `execution.checkpointing.mode = EXACTLY_ONCE`"
    );
    assert_eq!(
        refused(&|config| config.checkpointing.max_concurrent = 2),
        "`execution.checkpointing.unaligned.enabled` needs \
         `execution.checkpointing.max-concurrent-checkpoints = 1`"
    );
}

#[test]
fn an_input_without_a_wire_form_is_refused_before_the_job_starts() {
    let sink = Stoppable::default();
    let pipeline = |env: &StreamExecutionEnvironment| numbers(env).map(|n| n.to_string());
    let (mut job, config) = compose(&pipeline, 1, true, &sink);
    for operator in job.vertices.iter_mut().flat_map(|v| &mut v.operators) {
        operator.codecs.fill(None);
    }
    let clock = Arc::new(ManualClock::default());
    let error = MiniCluster
        .run_stepped(&job, &config, 1, clock)
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("operator `Map`: the batches of its input port 0"),
        "{text}"
    );
}

/// A sink that stands still until it is let go, in front of the ledger.
#[derive(Clone)]
struct Gated {
    ledger: Ledger,
    open: Arc<AtomicBool>,
    wakers: Arc<Mutex<Vec<Waker>>>,
}

impl SinkFactory for Gated {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        self.wakers.lock().unwrap().push(setup.waker.clone());
        let writer = self.ledger.create(setup)?;
        Ok(Box::new(GatedWriter(writer, self.open.clone())))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        self.ledger.committer()
    }
}

struct GatedWriter(Box<dyn SinkWriter>, Arc<AtomicBool>);

impl SinkWriter for GatedWriter {
    fn is_ready(&mut self, _: &mut Context) -> Result<bool> {
        Ok(self.1.load(Ordering::SeqCst))
    }

    fn write(&mut self, batch: Payload, ctx: &mut Context) -> Result<()> {
        assert!(
            self.1.load(Ordering::SeqCst),
            "written to while it is not ready"
        );
        self.0.write(batch, ctx)
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<()> {
        self.0.flush(ctx)
    }

    fn prepare_commit(&mut self, ctx: &mut Context) -> Result<Vec<Vec<u8>>> {
        self.0.prepare_commit(ctx)
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        self.0.finish(ctx)
    }
}

fn gated_job(
    ledger: &Ledger,
    directory: &Directory,
    gated: &Gated,
    aligned_timeout: Duration,
) -> StreamExecutionEnvironment {
    let env = recovery::environment(directory);
    env.configure(|config| {
        config.channel_batches = 2;
        config.checkpointing.unaligned = true;
        config.checkpointing.aligned_timeout = aligned_timeout;
    });
    recovery::numbers(&env, ledger)
        .map(|value| (value % recovery::KEYS, 1u64))
        .key_by(|pair: &(u64, u64)| pair.0)
        .reduce(|one, other| (one.0, one.1 + other.1))
        .map(|(key, count)| key * recovery::NUMBERS + count)
        .rebalance()
        .sink_to("Gated", Arc::new(gated.clone()));
    env
}

/// On threads: checkpoints are stored and committed while the sink stands, the job is cancelled,
/// and another one goes on from the last of them with other parallelism.
#[test]
fn a_job_on_threads_takes_checkpoints_while_its_sink_is_stopped() {
    for timeout in [0, 3] {
        goes_on_from_a_stopped_sink(Duration::from_millis(timeout));
    }
}

fn goes_on_from_a_stopped_sink(aligned_timeout: Duration) {
    let name = format!("stopped-sink-{}", aligned_timeout.as_millis());
    let (ledger, directory) = (Ledger::default(), Directory::new(&name));
    let gated = Gated {
        ledger: ledger.clone(),
        open: Arc::default(),
        wakers: Arc::default(),
    };
    let env = gated_job(&ledger, &directory, &gated, aligned_timeout);
    Directory::retain(&env);
    let job = MiniCluster
        .start(&env.job_graph().unwrap(), &env.config())
        .unwrap();
    // The ledger is told of every durable checkpoint.
    while ledger.commits() < 40 {
        assert!(!job.is_finished(), "the job has failed");
        std::thread::yield_now();
    }
    assert!(ledger.values().is_empty());
    job.client().cancel();
    assert!(job.join().is_err());
    let kept = directory.kept();

    let env = gated_job(&ledger, &directory, &gated, aligned_timeout);
    env.set_parallelism(3)
        .configure(|config| config.recovery = Some(kept.clone()));
    let job = MiniCluster
        .start(&env.job_graph().unwrap(), &env.config())
        .unwrap();
    gated.open.store(true, Ordering::SeqCst);
    for waker in gated.wakers.lock().unwrap().iter() {
        waker.wake();
    }
    job.join().unwrap();
    assert_eq!(ledger.values(), recovery::expected());
}

//! Jobs whose checkpoints and savepoints lie in a bucket.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};

use thalweg_core::config::{
    CheckpointConfig, ClaimMode, ExecutionConfig, Recovery, RestartStrategy, Retention,
};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{from_bytes, to_bytes};
use thalweg_core::error::{ErrorKind, Result};
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_runtime::checkpoint::dispose;
use thalweg_runtime::mini_cluster::{JobStatus, MiniCluster, RunningJob};

use super::server::{Server, uri};

const SPLITS: u64 = 4;
const PER_SPLIT: u64 = 1000;
const KEYS: u64 = 7;

/// How many numbers of each split the source may emit; it waits for more, and ends at the last.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<AtomicU64>,
    emitted: Arc<AtomicU64>,
}

impl Gate {
    fn at(numbers: u64) -> Self {
        let gate = Gate::default();
        gate.open_to(numbers);
        gate
    }

    fn open_to(&self, numbers: u64) {
        self.open.store(numbers, Ordering::SeqCst);
    }

    fn wait_for(&self, emitted: u64) {
        while self.emitted.load(Ordering::SeqCst) < emitted {
            std::thread::yield_now();
        }
    }
}

impl SourceFactory for Gate {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let (index, parallelism) = (setup.info.index, setup.info.parallelism);
        let own = (0..SPLITS).filter(|s| s % u64::from(parallelism) == u64::from(index));
        Ok(Box::new(GatedReader {
            gate: self.clone(),
            own: own.map(|split| (split, 0)).collect(),
            splits: setup.states.operator_list("splits", Redistribution::Split),
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct GatedReader {
    gate: Gate,
    own: Vec<(u64, u64)>,
    splits: OperatorListState<(u64, u64)>,
}

impl SourceReader for GatedReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.splits.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let now = ctx.now();
        let splits = self.splits.get_mut(ctx.states_mut());
        let open = self.gate.open.load(Ordering::SeqCst).min(PER_SPLIT);
        if splits.iter().all(|(_, next)| *next == PER_SPLIT) {
            return Ok(Poll::End);
        }
        let Some((split, next)) = splits.iter_mut().find(|(_, next)| *next < open) else {
            let until = Some(ProcessingTime(now.millis() + 1));
            return Ok(Poll::Idle { until });
        };
        let value = *next * SPLITS + *split;
        *next += 1;
        let rows: Rows<u64> = std::iter::once(Record::new(value, EventTime(0))).collect();
        out.emit(Box::new(rows));
        self.gate.emitted.fetch_add(1, Ordering::SeqCst);
        Ok(Poll::Ready)
    }
}

/// Transactions and their values.
type Committed = BTreeSet<(u64, Vec<u64>)>;

/// The outside world: transactions and their values, each of which counts once.
#[derive(Clone, Default)]
struct Ledger {
    committed: Arc<Mutex<Committed>>,
    transactions: Arc<AtomicU64>,
}

impl Ledger {
    fn values(&self) -> Vec<u64> {
        let committed = self.committed.lock().unwrap();
        let mut values: Vec<u64> = committed.iter().flat_map(|(_, v)| v.clone()).collect();
        values.sort_unstable();
        values
    }
}

impl SinkFactory for Ledger {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(LedgerWriter {
            ledger: self.clone(),
            open: Vec::new(),
        }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(LedgerCommitter(self.clone()))))
    }
}

struct LedgerWriter {
    ledger: Ledger,
    open: Vec<u64>,
}

impl SinkWriter for LedgerWriter {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        self.open.extend(downcast::<Rows<u64>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        let transaction = self.ledger.transactions.fetch_add(1, Ordering::SeqCst);
        let values = std::mem::take(&mut self.open);
        Ok(vec![to_bytes(&(transaction, values))])
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

struct LedgerCommitter(Ledger);

impl Committer for LedgerCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        let mut committed = self.0.committed.lock().unwrap();
        for committable in committables {
            committed.insert(from_bytes(committable)?);
        }
        Ok(())
    }
}

/// Every count of every remainder, once.
fn expected() -> Vec<u64> {
    let numbers = SPLITS * PER_SPLIT;
    let counts = (0..KEYS).flat_map(|key| {
        let of_key = (0..numbers).filter(|n| n % KEYS == key).count() as u64;
        (1..=of_key).map(move |count| key * numbers + count)
    });
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable();
    counts
}

/// Starts a job that counts remainders, with its settings.
fn start(
    server: &Server,
    gate: &Gate,
    ledger: &Ledger,
    parallelism: u32,
    configure: impl FnOnce(&mut ExecutionConfig),
) -> Result<RunningJob> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(thalweg_object_storage::register_s3);
    let env = thalweg_testkit::environment();
    env.set_parallelism(parallelism).configure(|config| {
        config.batch_rows = 4;
        config.file_systems = server.options();
        configure(config);
    });
    env.from_source("Gate", Arc::new(gate.clone()), None)
        .uid("numbers")
        .map(|value: u64| (value % KEYS, 1u64))
        .key_by(|pair: &(u64, u64)| pair.0)
        .reduce(|one, other| (one.0, one.1 + other.1))
        .uid("count")
        .map(|(key, count)| key * SPLITS * PER_SPLIT + count)
        .sink_to("Ledger", Arc::new(ledger.clone()));
    MiniCluster.start(&env.job_graph()?, &env.config())
}

/// Checkpoints in the bucket, on request, kept when the job is cancelled.
fn stored() -> CheckpointConfig {
    CheckpointConfig {
        directory: Some(uri("flink/checkpoints/")),
        retention: Retention::Retain,
        ..CheckpointConfig::default()
    }
}

#[test]
fn a_job_that_ends_in_the_middle_goes_on_from_the_bucket_at_any_parallelism() {
    let server = Server::start();
    let ledger = Ledger::default();
    let mut from: Option<Recovery> = None;
    for (parallelism, numbers) in [(2, 200), (3, 450), (1, 700)] {
        let gate = Gate::at(numbers);
        let job = start(&server, &gate, &ledger, parallelism, |config| {
            config.checkpointing = stored();
            config.recovery = from.take();
        });
        let job = job.unwrap();
        let client = job.client();
        let path = client.trigger_checkpoint().unwrap();
        let directory = uri(&format!("flink/checkpoints/{}", job.id()));
        assert!(path.starts_with(&format!("{directory}/chk-")), "{path}");
        // What comes behind the checkpoint is lost with this process, and comes again.
        gate.open_to(numbers + 50);
        client.cancel();
        drop(job.join());
        from = Some(Recovery::new(directory));
    }
    let last = start(&server, &Gate::at(PER_SPLIT), &ledger, 2, |config| {
        config.recovery = from.take();
        config.checkpointing = stored();
    });
    last.unwrap().join().unwrap();
    assert_eq!(ledger.values(), expected());
}

#[test]
fn a_savepoint_in_the_bucket_is_started_from_at_another_parallelism_moved_claimed_and_disposed() {
    let server = Server::start();
    let ledger = Ledger::default();
    let job = start(&server, &Gate::at(300), &ledger, 2, |_| {}).unwrap();
    let client = job.client();
    let path = client.stop_with_savepoint(Some(&uri("users")), false);
    let path = path.unwrap();
    job.join().unwrap();
    let name = path.strip_prefix(&uri("users/")).unwrap().to_owned();
    assert!(name.starts_with("savepoint-"), "{path}");

    // Into another bucket's directory, as with any tool that copies objects.
    let moved = server.file("moved/here");
    std::fs::create_dir_all(moved.parent().unwrap()).unwrap();
    std::fs::rename(server.file(&format!("users/{name}")), &moved).unwrap();
    let job = start(&server, &Gate::at(600), &ledger, 3, |config| {
        config.recovery = Some(Recovery {
            claim: ClaimMode::Claim,
            ..Recovery::new(uri("moved/here/_metadata"))
        });
        config.checkpointing = stored();
        config.checkpointing.savepoint_directory = Some(uri("users"));
    });
    let job = job.unwrap();
    let client = job.client();
    client.trigger_checkpoint().unwrap();
    client.trigger_checkpoint().unwrap();
    assert!(server.objects("moved").is_empty(), "its owner is the job");
    let path = client.stop_with_savepoint(None, false).unwrap();
    job.join().unwrap();
    let last = start(&server, &Gate::at(PER_SPLIT), &ledger, 1, |config| {
        config.recovery = Some(Recovery::new(&path));
    });
    last.unwrap().join().unwrap();
    assert_eq!(ledger.values(), expected());

    assert!(dispose(&path, &server.options()).unwrap());
    assert!(server.objects("users").is_empty());
    let again = dispose(&path, &server.options()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::User);
}

#[test]
fn a_job_that_may_miss_checkpoints_goes_on_while_its_server_is_away() {
    let mut server = Server::start();
    let ledger = Ledger::default();
    let gate = Gate::at(200);
    let job = start(&server, &gate, &ledger, 2, |config| {
        config.checkpointing = stored();
        config.checkpointing.tolerable_failures = 10;
        config.restart = RestartStrategy::None;
    });
    let job = job.unwrap();
    let client = job.client();
    client.trigger_checkpoint().unwrap();
    server.stop();
    let error = client.trigger_checkpoint().unwrap_err().to_string();
    assert!(error.contains("could not be stored"), "{error}");
    assert_eq!(client.status(), JobStatus::Running);
    gate.open_to(400);
    gate.wait_for(SPLITS * 400);
    server.start_again();
    client.trigger_checkpoint().unwrap();
    gate.open_to(PER_SPLIT);
    job.join().unwrap();
    assert_eq!(ledger.values(), expected());
}

#[test]
fn a_job_that_may_miss_none_starts_again_and_finishes_once_its_server_is_back() {
    let mut server = Server::start();
    let ledger = Ledger::default();
    let gate = Gate::at(200);
    let job = start(&server, &gate, &ledger, 2, |config| {
        config.checkpointing = stored();
        config.restart = RestartStrategy::FixedDelay {
            attempts: u32::MAX,
            delay: std::time::Duration::from_millis(20),
        };
    });
    let job = job.unwrap();
    let client = job.client();
    client.trigger_checkpoint().unwrap();
    server.stop();
    client.trigger_checkpoint().unwrap_err();
    while client.status() == JobStatus::Running {
        std::thread::yield_now();
    }
    server.start_again();
    gate.open_to(PER_SPLIT);
    job.join().unwrap();
    assert_eq!(ledger.values(), expected());
}

#[test]
fn a_job_does_not_start_when_its_checkpoints_have_no_place() {
    let server = Server::start();
    let begin = |directory: &str, secret: &str| {
        let started = start(&server, &Gate::at(1), &Ledger::default(), 1, |config| {
            config.checkpointing = stored();
            config.checkpointing.directory = Some(directory.to_owned());
            config.file_systems.set("s3.secret-key", secret);
        });
        started.err().unwrap()
    };
    let error = begin(&uri("x"), "open-wheat");
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(
        text.starts_with("`execution.checkpointing.dir`: "),
        "{text}"
    );
    assert!(text.contains("`SignatureDoesNotMatch`"), "{text}");
    let error = begin("gs://bucket/x", "");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let started = start(&server, &Gate::at(1), &Ledger::default(), 1, |config| {
        config.recovery = Some(Recovery::new("s3://nowhere/x"));
    });
    let error = started.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(text.contains("there is no bucket `s3://nowhere`"), "{text}");
}

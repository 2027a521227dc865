//! What checkpoints cost a query with many groups.
//!
//!     cargo run --release --package thalweg-bench --bin sql_checkpoints -- \
//!         --keys 5_000_000 --seconds 20 --directory /tmp/checkpoints
//!
//! The query is `SELECT k, COUNT(*), SUM(v) FROM keys GROUP BY k`, or the one behind `--query`. Its
//! source makes one record of each key first, then records of keys drawn at random, in batches of
//! 1,024; it looks at the clock before each. The query runs once without checkpoints and once with one
//! a second, or as `--interval-ms` says. Source and operator are one chain on one thread, so that the
//! longest time between two looks within each second is what a checkpoint makes records wait.
//!
//! One line each: name, records a second after all keys are there, seconds with a checkpoint in
//! them, and the p50, p99 and maximum of the longest waits, in milliseconds.
//!
//! With `--barriers 7` the query runs seven times on one thread instead, up to a barrier behind the
//! first record of each key, and what is printed is how long the task is held up by it: the least,
//! the median and the largest, in milliseconds.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock and sleeps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use thalweg::columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg::columnar::{ColumnBatch, arrow_error};
use thalweg::core::host::ManualClock;
use thalweg::core::id::OperatorUid;
use thalweg::core::operator::{Context, Outputs, Setup, SubtaskInfo};
use thalweg::core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg::core::state::{FrozenState, TableSnapshot};
use thalweg::runtime::MiniCluster;
use thalweg::runtime::checkpoint::{BarrierListener, Moment};
use thalweg::runtime::mini_cluster::Interruption;
use thalweg::sql::dialect::{Statement, parse_script};
use thalweg::sql::session::{InsertJob, Session};
use thalweg_bench::arguments::Arguments;
use thalweg_bench::discard::Discard;
use thalweg_bench::measure::quantile;
use thalweg_bench::mix::mix;
use thalweg_bench::watch::Watch;

const QUERY: &str = "SELECT k, COUNT(*), SUM(v) FROM keys GROUP BY k";
const BATCH_ROWS: u64 = 1024;

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let plan = Plan {
        keys: arguments.value("--keys", 5_000_000)?,
        seconds: arguments.value("--seconds", 20)?,
        interval_ms: arguments.value("--interval-ms", 1000)?,
        query: arguments.value("--query", QUERY.to_owned())?,
    };
    let barriers: usize = arguments.value("--barriers", 0)?;
    let directory: Option<String> = arguments.optional("--directory")?;
    arguments.finish()?;
    if barriers > 0 {
        return plan.print_barriers(barriers);
    }
    let Some(directory) = directory else {
        bail!("`--directory` says where checkpoints go");
    };
    println!("name\trecords/s\tseconds\tp50 ms\tp99 ms\tmax ms");
    let without = plan.run("without", None)?;
    let with = plan.run("with", Some(&directory))?;
    println!("with / without\t{:.3}", with / without);
    Ok(())
}

struct Plan {
    keys: u64,
    seconds: u64,
    interval_ms: u64,
    query: String,
}

impl Plan {
    fn run(&self, name: &str, directory: Option<&str>) -> Result<f64> {
        let watch = Arc::new(Mutex::new(Watch::default()));
        let over = Arc::new(AtomicBool::new(false));
        let query = self.query(&watch, &over, directory)?;
        let job = MiniCluster.start(&query.graph, &query.config)?;
        while !over.load(Ordering::Acquire) && !job.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        job.client().cancel();
        if let Err(error) = job.join()
            && !over.load(Ordering::Acquire)
        {
            return Err(error.into());
        }
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.print(name, self.seconds)
    }

    fn query(
        &self,
        watch: &Arc<Mutex<Watch>>,
        over: &Arc<AtomicBool>,
        directory: Option<&str>,
    ) -> Result<InsertJob> {
        let keys = Keys(Generator {
            keys: self.keys,
            seconds: self.seconds,
            watch: watch.clone(),
            over: over.clone(),
        });
        let mut session = Session::new(vec![Arc::new(keys)]);
        let options = session.options_mut();
        options.set("parallelism.default", "1")?;
        if let Some(directory) = directory {
            let interval = format!("{} ms", self.interval_ms);
            options.set("execution.checkpointing.interval", &interval)?;
            options.set("execution.checkpointing.dir", directory)?;
        }
        let table = "CREATE TABLE keys (k BIGINT, v BIGINT) WITH ('connector' = 'keys')";
        for statement in parse_script(table)? {
            session.execute(&statement.node)?;
        }
        let statements = parse_script(&self.query)?;
        let [statement] = statements.as_slice() else {
            bail!("it is not one statement")
        };
        let Statement::Query(tree) = &statement.node else {
            bail!("it is no query")
        };
        Ok(session.query_into(tree, Arc::new(Discard))?)
    }

    fn print_barriers(&self, barriers: usize) -> Result<()> {
        let mut times_ms = Vec::new();
        for _ in 0..barriers {
            times_ms.push(self.barrier()?);
        }
        times_ms.sort_by(f64::total_cmp);
        let at = |share| quantile(&times_ms, share).context("there was no barrier");
        println!("barriers\tleast ms\tp50 ms\tmax ms");
        println!(
            "{barriers}\t{:.2}\t{:.2}\t{:.2}",
            at(0.0)?,
            at(0.5)?,
            at(1.0)?
        );
        Ok(())
    }

    /// The milliseconds of one.
    fn barrier(&self) -> Result<f64> {
        let watch = Arc::new(Mutex::new(Watch::default()));
        let query = self.query(&watch, &Arc::default(), None)?;
        let listener = Arc::new(Barriers::default());
        let passed = || listener.passed.load(Ordering::Acquire);
        let plan = Interruption {
            seed: 0,
            clock: Arc::new(ManualClock::default()),
            listener: listener.clone(),
            restore: None,
            // A batch a round, and some for what begins late.
            checkpoint_after: Some(self.keys / BATCH_ROWS + 64),
            abandon_when: Some(&passed),
        };
        MiniCluster.run_interrupted(&query.graph, &query.config, &plan)?;
        let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        if !watch.has_started() {
            bail!("the barrier came before all keys were there")
        }
        Ok(listener.nanoseconds.load(Ordering::Acquire) as f64 / 1e6)
    }
}

/// Measures what tasks do at a barrier, and keeps nothing.
#[derive(Default)]
struct Barriers {
    nanoseconds: AtomicU64,
    passed: AtomicBool,
}

impl BarrierListener for Barriers {
    fn on_operator(
        &self,
        moment: Moment,
        _: &OperatorUid,
        _: &SubtaskInfo,
        freeze: &mut dyn FnMut() -> thalweg::Result<FrozenState>,
    ) -> thalweg::Result<()> {
        if moment != Moment::End {
            let before = Instant::now();
            let frozen = freeze()?;
            let spent = before.elapsed().as_nanos() as u64;
            self.nanoseconds.fetch_add(spent, Ordering::AcqRel);
            drop(frozen);
        }
        Ok(())
    }

    fn on_in_flight(&self, _: u64, _: &OperatorUid, _: &SubtaskInfo, _: TableSnapshot) {}

    fn on_subtask(&self, _: Moment, _: usize) {
        self.passed.store(true, Ordering::Release);
    }
}

/// The connector of the only table.
struct Keys(Generator);

#[derive(Clone)]
struct Generator {
    keys: u64,
    seconds: u64,
    watch: Arc<Mutex<Watch>>,
    over: Arc<AtomicBool>,
}

impl TableConnector for Keys {
    fn identifier(&self) -> &'static str {
        "keys"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        &[]
    }

    fn source(
        &self,
        table: &TableSpec,
        scan: &ScanRequest,
    ) -> thalweg::Result<Arc<dyn SourceFactory>> {
        Ok(Arc::new(KeySource {
            generator: self.0.clone(),
            table: table.clone(),
            projection: scan.projection.clone(),
        }))
    }
}

#[derive(Clone)]
struct KeySource {
    generator: Generator,
    table: TableSpec,
    projection: Vec<usize>,
}

impl SourceFactory for KeySource {
    fn create(&self, _: &mut Setup<'_>) -> thalweg::Result<Box<dyn SourceReader>> {
        Ok(Box::new(KeyReader {
            source: self.clone(),
            next: 0,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }
}

struct KeyReader {
    source: KeySource,
    next: u64,
}

impl SourceReader for KeyReader {
    fn poll(&mut self, _: &mut Context, out: &mut Outputs) -> thalweg::Result<Poll> {
        let Generator {
            keys,
            seconds,
            watch,
            over,
        } = &self.source.generator;
        if self.next >= *keys {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.look(self.next - keys, *seconds, over);
        }
        let numbers = self.next..self.next + BATCH_ROWS;
        self.next = numbers.end;
        let key = |n: u64| if n < *keys { n } else { mix(n) % keys };
        let values = numbers.clone().map(|n| n as i64 % 1000);
        let columns: [ArrayRef; 2] = [
            Arc::new(Int64Array::from_iter_values(numbers.map(|n| key(n) as i64))),
            Arc::new(Int64Array::from_iter_values(values)),
        ];
        let whole = RecordBatch::try_new(self.source.table.schema.clone(), columns.to_vec());
        let projected = whole.and_then(|whole| whole.project(&self.source.projection));
        let records = projected.map_err(arrow_error)?;
        out.emit(Box::new(ColumnBatch::insertions(records)));
        Ok(Poll::Ready)
    }
}

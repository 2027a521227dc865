//! How long results take.
//!
//!     cargo run --release --package thalweg-bench --bin latency -- --seconds 10
//!
//! - `window`: SQL over `datagen`, a count of each key in windows of 100 ms of event time, which is
//!   the clock's; how long after a window's end its rows reach the client.
//! - `record`: DataStream on an idle stream; one record each few milliseconds through source, map,
//!   `key_by`, process and sink; from before the source is told of it to within the sink.
//!   At parallelism 1 the operators are one chain; at 2, half the records also change threads.
//!
//! One line each: name, parallelism, samples, unit, p50, p90, p99, maximum.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock and makes its own threads.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use arrow_array::TimestampMillisecondArray;
use thalweg::core::host::Waker;
use thalweg::core::operator::{Outputs, Setup};
use thalweg::core::rows::Rows;
use thalweg::core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg::prelude::*;
use thalweg::runtime::MiniCluster;
use thalweg::sql::dialect::parse_script;
use thalweg::sql::session::Outcome;
use thalweg_bench::arguments::Arguments;
use thalweg_bench::measure::quantile;

const WINDOW_MS: f64 = 100.0;
/// Windows at the start that are not counted: threads start, caches fill.
const WARM_UP_WINDOWS: usize = 5;
/// Records at the start that are not counted.
const WARM_UP_RECORDS: usize = 50;

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let seconds: u64 = arguments.value("--seconds", 10)?;
    let rate: u64 = arguments.value("--rate", 100_000)?;
    let keys: u64 = arguments.value("--keys", 100)?;
    let gap_ms: u64 = arguments.value("--gap-ms", 3)?;
    let only = arguments.list("--only")?;
    arguments.finish()?;
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    println!("name\tparallelism\tsamples\tunit\tp50\tp90\tp99\tmax");
    for parallelism in [1, 2] {
        if wanted("window") {
            let latencies = window(seconds, rate, keys, parallelism)?;
            line("window", parallelism, "ms", latencies)?;
        }
        if wanted("record") {
            let gap = Duration::from_millis(gap_ms.max(1));
            let records = (seconds * 1000 / gap_ms.max(1)) as usize;
            let latencies = record(records, gap, parallelism)?;
            line("record", parallelism, "us", latencies)?;
        }
    }
    Ok(())
}

fn line(name: &str, parallelism: u32, unit: &str, mut values: Vec<f64>) -> Result<()> {
    values.sort_by(f64::total_cmp);
    let at = |share| quantile(&values, share).context(format!("`{name}` has no samples"));
    println!(
        "{name}\t{parallelism}\t{}\t{unit}\t{:.2}\t{:.2}\t{:.2}\t{:.2}",
        values.len(),
        at(0.5)?,
        at(0.9)?,
        at(0.99)?,
        at(1.0)?
    );
    Ok(())
}

/// Milliseconds from the end of each window to the arrival of each of its rows.
fn window(seconds: u64, rate: u64, keys: u64, parallelism: u32) -> Result<Vec<f64>> {
    let script = format!(
        "CREATE TABLE clicks (
           page BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
         ) WITH (
           'connector' = 'datagen',
           'rows-per-second' = '{rate}', 'number-of-rows' = '{}',
           'fields.page.min' = '0', 'fields.page.max' = '{}'
         );
         SELECT page, window_end, COUNT(*)
         FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '0.1' SECOND))
         GROUP BY page, window_start, window_end",
        rate * seconds,
        keys.saturating_sub(1)
    );
    let mut session = thalweg::session();
    let settings = session.options_mut();
    settings.set("parallelism.default", &parallelism.to_string())?;
    let mut jobs = Vec::new();
    for statement in parse_script(&script)? {
        if let Outcome::Query(job) = session.execute(&statement.node)? {
            jobs.push(job);
        }
    }
    let job = jobs.pop().context("the script has no query")?;
    let running = MiniCluster.start(&job.graph, &job.config)?;
    let mut rows: Vec<(i64, f64)> = Vec::new();
    for batch in job.rows {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1000.0;
        let ends = batch.records().column(1);
        let ends = ends.as_any().downcast_ref::<TimestampMillisecondArray>();
        let ends = ends.context("`window_end` is no timestamp of milliseconds")?;
        rows.extend(ends.values().iter().map(|end| (*end, now - *end as f64)));
    }
    running.join()?;
    let mut ends: Vec<i64> = rows.iter().map(|(end, _)| *end).collect();
    ends.sort_unstable();
    ends.dedup();
    // The last window ends with the input and not by the clock.
    if ends.len() < WARM_UP_WINDOWS + 2 {
        bail!(
            "only {} windows of {WINDOW_MS} ms: run it longer",
            ends.len()
        );
    }
    let (first, last) = (ends[WARM_UP_WINDOWS], ends[ends.len() - 1]);
    let counted = rows.iter().filter(|(end, _)| *end >= first && *end < last);
    Ok(counted.map(|(_, latency)| *latency).collect())
}

/// Microseconds of each record's way.
fn record(records: usize, gap: Duration, parallelism: u32) -> Result<Vec<f64>> {
    let feed = Feed::default();
    let started = Instant::now();
    let latencies: Arc<Mutex<Vec<f64>>> = Arc::default();
    let into = latencies.clone();
    let env = StreamExecutionEnvironment::new();
    env.set_parallelism(parallelism);
    env.from_source::<(u64, u64)>("Feed", Arc::new(feed.clone()), Some(1))
        .map(|(number, sent)| (number, sent + 1))
        .key_by(|(number, _)| number % 64)
        .process(|states| Running(states.value("count")))
        .for_each(move |(_, sent)| {
            let took = started.elapsed().as_nanos() as f64 - (sent - 1) as f64;
            let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
            into.push(took / 1000.0);
        });
    let job = MiniCluster.start(&env.job_graph()?, &env.config())?;
    for number in 0..(records + WARM_UP_RECORDS) as u64 {
        thread::sleep(gap);
        let sent = u64::try_from(started.elapsed().as_nanos())?;
        feed.push(number, sent);
    }
    feed.end();
    job.join()?;
    let mut latencies = latencies.lock().map_err(|_| anyhow!("the sink panicked"))?;
    // With several instances of the sink the order of arrival is near enough.
    let warm_up = WARM_UP_RECORDS.min(latencies.len());
    Ok(latencies.split_off(warm_up))
}

/// Counts the records of a key, and passes them on.
struct Running(ValueState<u64>);

impl Operator<(u64, u64), (u64, u64)> for Running {
    fn process(
        &mut self,
        record: Record<(u64, u64)>,
        ctx: &mut Context,
        out: &mut Output<(u64, u64)>,
    ) -> thalweg::Result<()> {
        let count = self.0.get(ctx)?.copied().unwrap_or(0) + 1;
        self.0.set(ctx, count)?;
        out.push(record);
        Ok(())
    }
}

/// A source that another thread hands records to, as a connection does.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<Fed>>);

#[derive(Default)]
struct Fed {
    records: VecDeque<(u64, u64)>,
    ended: bool,
    waker: Option<Waker>,
}

impl Feed {
    fn with<R>(&self, change: impl FnOnce(&mut Fed) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, number: u64, sent: u64) {
        self.with(|fed| fed.records.push_back((number, sent)));
        self.wake();
    }

    fn end(&self) {
        self.with(|fed| fed.ended = true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.with(|fed| fed.waker.clone()) {
            waker.wake();
        }
    }
}

impl SourceFactory for Feed {
    fn create(&self, setup: &mut Setup<'_>) -> thalweg::Result<Box<dyn SourceReader>> {
        self.with(|fed| fed.waker = Some(setup.waker.clone()));
        Ok(Box::new(self.clone()))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }
}

impl SourceReader for Feed {
    fn poll(&mut self, _: &mut Context, out: &mut Outputs) -> thalweg::Result<Poll> {
        let (records, ended) = self.with(|fed| (std::mem::take(&mut fed.records), fed.ended));
        if records.is_empty() {
            return Ok(if ended {
                Poll::End
            } else {
                Poll::Idle { until: None }
            });
        }
        let mut rows = Rows::default();
        for record in records {
            rows.push(record, EventTime::NONE);
        }
        out.emit(Box::new(rows));
        Ok(Poll::Ready)
    }
}

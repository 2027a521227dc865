//! How long checkpoints take while a job's sink takes nothing.
//!
//!     cargo run --release --package thalweg-bench --bin stopped-sink -- --seconds 120
//!
//! A generator, `key_by`, a running count, `rebalance`, and a sink that stops as soon as the job
//! runs. All channels fill up; checkpoints go to disk. With a pause of a second between the end of
//! one and the start of the next, a checkpoint takes as long as the time between two ends is longer
//! than that second. One line each, then how long the job took to end once the sink goes on.
//!
//! `--aligned` shows what happens without overtaking; `--timeout` is the time in milliseconds that
//! barriers are aligned first.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use thalweg::core::container::Payload;
use thalweg::core::host::Waker;
use thalweg::core::operator::{Context, Setup};
use thalweg::core::sink::{SinkFactory, SinkWriter};
use thalweg::prelude::*;
use thalweg::runtime::MiniCluster;
use thalweg_bench::arguments::Arguments;

const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Tap {
    open: AtomicBool,
    written: AtomicU64,
    wakers: Mutex<Vec<Waker>>,
}

#[derive(Clone, Default)]
struct TappedSink(Arc<Tap>);

impl SinkFactory for TappedSink {
    fn create(&self, setup: &mut Setup<'_>) -> thalweg::Result<Box<dyn SinkWriter>> {
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.push(setup.waker.clone());
        Ok(Box::new(self.clone()))
    }
}

impl SinkWriter for TappedSink {
    fn is_ready(&mut self, _: &mut Context) -> thalweg::Result<bool> {
        Ok(self.0.open.load(Ordering::Acquire))
    }

    fn write(&mut self, batch: Payload, _: &mut Context) -> thalweg::Result<()> {
        let records = batch.len() as u64;
        self.0.written.fetch_add(records, Ordering::Relaxed);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> thalweg::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> thalweg::Result<()> {
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let seconds: u64 = arguments.value("--seconds", 120)?;
    let parallelism: u32 = arguments.value("--parallelism", 2)?;
    let records: u64 = arguments.value("--records", 20_000_000)?;
    let keys: u64 = arguments.value("--keys", 100_000)?;
    let timeout: u64 = arguments.value("--timeout", 0)?;
    let aligned = arguments.flag("--aligned");
    arguments.finish()?;

    let directory = std::env::temp_dir().join(format!("stopped-sink-{}", std::process::id()));
    let sink = TappedSink::default();
    let env = StreamExecutionEnvironment::new();
    env.set_parallelism(parallelism).configure(|config| {
        let checkpointing = &mut config.checkpointing;
        checkpointing.interval = Some(PAUSE);
        checkpointing.min_pause = PAUSE;
        checkpointing.directory = Some(directory.display().to_string());
        checkpointing.retained = 10_000;
        checkpointing.unaligned = !aligned;
        checkpointing.aligned_timeout = Duration::from_millis(timeout);
    });
    env.from_generator(Some(records), move |n| (n % keys, 1u64))
        .key_by(|pair: &(u64, u64)| pair.0)
        .reduce(|one, other| (one.0, one.1 + other.1))
        .rebalance()
        .map(|(key, count)| format!("{key}: {count}"))
        .rebalance()
        .sink_to("Tap", Arc::new(sink.clone()));
    let began = Instant::now();
    let job = MiniCluster.start(&env.job_graph()?, &env.config())?;
    while began.elapsed() < Duration::from_secs(seconds) && !job.is_finished() {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let written = sink.0.written.load(Ordering::Relaxed);
    let found = checkpoints(&directory)?;
    sink.0.open.store(true, Ordering::Release);
    let wakers = sink.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
    wakers.iter().for_each(Waker::wake);
    drop(wakers);
    let opened = Instant::now();
    job.join()?;
    let end = opened.elapsed();
    // What the job has not deleted itself.
    drop(std::fs::remove_dir_all(&directory));
    println!("checkpoint\tseconds\tbytes");
    let mut longest = Duration::ZERO;
    for pair in found.windows(2) {
        let [(_, before, _), (number, ended, bytes)] = pair else {
            bail!("windows of two");
        };
        let took = ended.duration_since(*before)?.saturating_sub(PAUSE);
        longest = longest.max(took);
        println!("{number}\t{:.3}\t{bytes}", took.as_secs_f64());
    }
    let all = sink.0.written.load(Ordering::Relaxed);
    println!(
        "checkpoints {}, longest {:.3} s",
        found.len(),
        longest.as_secs_f64()
    );
    println!("written while stopped {written}, at the end {all} of {records}");
    println!("end {:.3} s after the sink went on", end.as_secs_f64());
    Ok(())
}

/// The complete checkpoints, oldest first: number, when it was completed, bytes.
fn checkpoints(directory: &Path) -> Result<Vec<(u64, SystemTime, u64)>> {
    let mut found = Vec::new();
    for job in entries(directory)? {
        for checkpoint in entries(&job)? {
            let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
            let Some(number) = name.strip_prefix("chk-") else {
                continue;
            };
            // One without metadata is still being written.
            let Ok(metadata) = std::fs::metadata(checkpoint.join("_metadata")) else {
                continue;
            };
            let mut bytes = 0;
            for file in entries(&checkpoint)? {
                bytes += std::fs::metadata(file)?.len();
            }
            found.push((number.parse()?, metadata.modified()?, bytes));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(directory)
        .with_context(|| format!("cannot read `{}`", directory.display()))?;
    let paths = read.map(|entry| Ok(entry?.path()));
    paths.collect()
}

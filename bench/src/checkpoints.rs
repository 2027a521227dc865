//! What checkpoints cost a job with many keys.
//!
//!     cargo run --release --package thalweg-bench --bin checkpoints -- \
//!         --keys 5_000_000 --seconds 20 --directory /tmp/checkpoints
//!
//! A DataStream job counts records per key: first one of each key, then keys drawn at random. It
//! runs once without checkpoints and once with one a second, or as `--interval-ms` says. The
//! longest time between two looks of the source at the clock (once in 1,024 records) within each
//! second is what a checkpoint makes records wait: source and count are one chain on one thread.
//!
//! With `--incremental` a checkpoint stores what has changed since the one before; with
//! `--touched-percent 1` only that part of the keys has records once all are there.
//!
//! One line each: name, records a second after all keys are there, seconds with a checkpoint in
//! them, and the p50, p99 and maximum of the longest waits, in milliseconds. Then what the checkpoints
//! begun after all keys were there have written: how many there were, and the least, the median and
//! the largest, in kilobytes.
#![allow(clippy::disallowed_methods)] // A benchmark sleeps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use thalweg::prelude::*;
use thalweg_bench::arguments::Arguments;
use thalweg_bench::measure::quantile;
use thalweg_bench::mix::mix;
use thalweg_bench::watch::Watch;

const LOOK_EVERY: u64 = 1024;

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let plan = Plan {
        keys: arguments.value("--keys", 5_000_000)?,
        seconds: arguments.value("--seconds", 20)?,
        interval_ms: arguments.value("--interval-ms", 1000)?,
        parallelism: arguments.value("--parallelism", 1)?,
        touched_percent: arguments.value("--touched-percent", 100)?,
        incremental: arguments.flag("--incremental"),
    };
    let directory: Option<String> = arguments.optional("--directory")?;
    arguments.finish()?;
    let Some(directory) = directory else {
        bail!("`--directory` says where checkpoints go");
    };
    println!("name\trecords/s\tseconds\tp50 ms\tp99 ms\tmax ms");
    let without = plan.run("without", None)?;
    let with = plan.run("with", Some(directory))?;
    println!("with / without\t{:.3}", with / without);
    Ok(())
}

struct Plan {
    keys: u64,
    seconds: u64,
    interval_ms: u64,
    parallelism: u32,
    touched_percent: u64,
    incremental: bool,
}

impl Plan {
    fn run(&self, name: &str, directory: Option<String>) -> Result<f64> {
        let watch = Arc::new(Mutex::new(Watch::default()));
        let over = Arc::new(AtomicBool::new(false));
        let (keys, seconds) = (self.keys, self.seconds);
        let touched = (keys * self.touched_percent / 100).max(1);
        let mut written = directory.as_deref().map(Written::of);
        let env = StreamExecutionEnvironment::new();
        env.set_parallelism(self.parallelism);
        env.configure(|config| {
            if let Some(directory) = directory {
                let checkpoints = &mut config.checkpointing;
                checkpoints.directory = Some(directory);
                checkpoints.interval = Some(Duration::from_millis(self.interval_ms));
                checkpoints.incremental = self.incremental;
            }
        });
        let (seen, ended) = (watch.clone(), over.clone());
        env.from_generator(None, move |n| {
            if n % LOOK_EVERY == 0 && n >= keys {
                let mut watch = seen.lock().unwrap_or_else(PoisonError::into_inner);
                watch.look(n - keys, seconds, &ended);
            }
            if n < keys { n } else { mix(n) % touched }
        })
        .key_by(|key| *key)
        .process(|states| Count(states.value("count")))
        .for_each(|_| {});
        let job = thalweg::runtime::MiniCluster.start(&env.job_graph()?, &env.config())?;
        while !over.load(Ordering::Acquire) && !job.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
            if let Some(written) = &mut written {
                let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
                let all_there = watch.has_started();
                drop(watch);
                written.look(all_there);
            }
        }
        job.client().cancel();
        if let Err(error) = job.join()
            && !over.load(Ordering::Acquire)
        {
            return Err(error.into());
        }
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = watch.print(name, self.seconds)?;
        if let Some(written) = written {
            written.print(name)?;
        }
        Ok(rate)
    }
}

/// What checkpoints have written, seen from outside.
struct Written {
    directory: PathBuf,
    files: BTreeMap<PathBuf, u64>,
    // The first checkpoint that was begun when all keys were there.
    from: Option<u64>,
}

impl Written {
    fn of(directory: &str) -> Self {
        Written {
            directory: PathBuf::from(directory),
            files: BTreeMap::new(),
            from: None,
        }
    }

    /// Notes the files that are there; each stays for an interval at least.
    fn look(&mut self, all_there: bool) {
        let mut rest = vec![self.directory.clone()];
        while let Some(directory) = rest.pop() {
            // It may be deleted meanwhile.
            let Ok(found) = std::fs::read_dir(&directory) else {
                continue;
            };
            for entry in found {
                let Ok((path, kind)) = entry.and_then(|e| Ok((e.path(), e.metadata()?))) else {
                    continue;
                };
                if kind.is_dir() {
                    rest.push(path);
                } else if number(&path).is_some() {
                    self.files.insert(path, kind.len());
                }
            }
        }
        if all_there && self.from.is_none() {
            let newest = self.files.keys().filter_map(|path| number(path)).max();
            // The next one may be under way already.
            self.from = Some(newest.unwrap_or(0) + 2);
        }
    }

    fn print(self, name: &str) -> Result<()> {
        let from = self.from.context("the job was too short")?;
        let mut bytes: BTreeMap<u64, u64> = BTreeMap::new();
        for (path, len) in &self.files {
            if let Some(checkpoint) = number(path).filter(|number| *number >= from) {
                *bytes.entry(checkpoint).or_default() += len;
            }
        }
        let mut kilobytes: Vec<f64> = bytes.values().map(|b| *b as f64 / 1000.0).collect();
        kilobytes.sort_by(f64::total_cmp);
        let at = |share| quantile(&kilobytes, share).context("no checkpoint was completed");
        println!(
            "{name}: written kB\t{}\t{:.1}\t{:.1}\t{:.1}",
            kilobytes.len(),
            at(0.0)?,
            at(0.5)?,
            at(1.0)?
        );
        Ok(())
    }
}

/// The checkpoint that has written a file: `chk-7/…` or `shared/layer-7-…`.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let directory = path.parent()?.file_name()?.to_str()?;
    match (directory.strip_prefix("chk-"), name.strip_prefix("layer-")) {
        (Some(number), _) if !name.starts_with('.') => number.parse().ok(),
        (None, Some(rest)) => rest.split('-').next()?.parse().ok(),
        _ => None,
    }
}

/// Counts the records of a key.
struct Count(ValueState<u64>);

impl Operator<u64, u64> for Count {
    fn process(
        &mut self,
        record: Record<u64>,
        ctx: &mut Context,
        out: &mut Output<u64>,
    ) -> thalweg::Result<()> {
        let count = self.0.get_or_insert_with(ctx, || 0)?;
        *count += 1;
        if *count == u64::MAX {
            out.push(record);
        }
        Ok(())
    }
}

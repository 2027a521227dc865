//! Keyed counts, with state on the heap or in RocksDB: what `peers/state/` does in Flink.
//!
//! ```text
//! cargo run --release --package thalweg-bench --features rocksdb --bin state -- \
//!     --backend rocksdb --keys 10_000_000 --memory-mb 256 --directory /tmp/state
//! ```
//!
//! A DataStream job draws keys, counts the records of each in a `ValueState`, and emits each count
//! to a sink that drops it. What `--warm` records take is not measured: threads start, keys come
//! into being. One line: records measured, wall seconds, CPU seconds of the whole process, records
//! measured a second of each, the sum of all counts emitted until then (it tells whether two
//! engines did the same), and the most memory the process ever held, in MiB.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use thalweg::core::config::StateStoreConfig;
use thalweg::prelude::*;
use thalweg::runtime::driver::threads::SystemClock;
use thalweg::state_rocksdb::RocksDbOptions;
use thalweg_bench::arguments::Arguments;
use thalweg_bench::measure::{Moment, Span};
use thalweg_bench::mix::mix;

// Instances tell of so many records at once.
const TOLD_AT_ONCE: u64 = 4096;

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let backend: String = arguments.value("--backend", "hashmap".to_owned())?;
    let directory: Option<String> = arguments.optional("--directory")?;
    let plan = Plan {
        keys: arguments.value("--keys", 1_000_000)?,
        warm: arguments.value("--warm", 20_000_000)?,
        records: arguments.value("--records", 200_000_000)?,
        skewed: arguments.flag("--skewed"),
        parallelism: arguments.value("--parallelism", 1)?,
    };
    let memory_mb: u64 = arguments.value("--memory-mb", 256)?;
    let cache_percent: u64 = arguments.value("--cache-percent", 50)?;
    let options = arguments.list("--options")?;
    arguments.finish()?;
    ensure!(plan.keys > 0, "`--keys` is at least 1");
    ensure!(cache_percent < 100, "`--cache-percent` is below 100");
    let store = match backend.as_str() {
        "hashmap" => None,
        "rocksdb" => {
            let directory = directory.context("`--directory` says where the state goes")?;
            let options = rocksdb_options(&options)?;
            Some(store(directory, options, memory_mb << 20, cache_percent)?)
        }
        other => bail!("`--backend` is `hashmap` or `rocksdb`, not `{other}`"),
    };
    let (measured, span, sum) = plan.run(store)?;
    println!("records\twall_s\tcpu_s\trecords/wall_s\trecords/cpu_s\tsum_when_warm\tmax_mib");
    println!(
        "{measured}\t{:.2}\t{:.2}\t{:.0}\t{:.0}\t{sum}\t{}",
        span.wall,
        span.cpu,
        measured as f64 / span.wall,
        measured as f64 / span.cpu,
        peak_mib()?,
    );
    Ok(())
}

/// `key=value` pairs under Flink's keys.
fn rocksdb_options(pairs: &[String]) -> Result<RocksDbOptions> {
    let pair = |pair: &'_ String| -> Result<(String, String)> {
        let (key, value) = pair
            .split_once('=')
            .context("`--options` are `key=value`")?;
        Ok((key.to_owned(), value.to_owned()))
    };
    let pairs: Vec<_> = pairs.iter().map(pair).collect::<Result<_>>()?;
    let pairs = pairs.iter().map(|(key, value)| (&**key, &**value));
    Ok(RocksDbOptions::from_options(pairs)?)
}

/// State in RocksDB. The typed tables and the store share the memory.
fn store(
    directory: String,
    options: RocksDbOptions,
    memory_bytes: u64,
    cache_percent: u64,
) -> Result<StateStoreConfig> {
    let cache_bytes = memory_bytes * cache_percent / 100;
    let backend = thalweg::state_rocksdb::backend(options, memory_bytes - cache_bytes)?;
    Ok(StateStoreConfig::new(
        backend.into(),
        directory,
        usize::try_from(cache_bytes)?,
        Arc::new(SystemClock::default()),
        std::process::id().to_string(),
    ))
}

struct Plan {
    keys: u64,
    warm: u64,
    records: u64,
    skewed: bool,
    parallelism: u32,
}

impl Plan {
    fn run(&self, store: Option<StateStoreConfig>) -> Result<(u64, Span, u64)> {
        let env = StreamExecutionEnvironment::new();
        env.set_parallelism(self.parallelism);
        env.configure(|config| config.state_store = store);
        let progress = Arc::new(Progress {
            warm: self.warm,
            ..Progress::default()
        });
        let (keys, told) = (self.keys, progress.clone());
        let all = Some(self.warm + self.records);
        let keys = match self.skewed {
            false => env.from_generator(all, move |n| uniform(n, keys)),
            true => env.from_generator(all, move |n| skewed(n, keys)),
        };
        keys.key_by(|key| *key)
            .process(move |states| Count {
                count: states.value("count"),
                records: 0,
                sum: 0,
                progress: told.clone(),
            })
            .for_each(|_| {});
        env.execute()?;
        let warm = progress.when_warm.lock();
        let warm = warm.unwrap_or_else(PoisonError::into_inner).take();
        let (moment, before, sum) = warm.context("the job ended before `--warm` records")??;
        let measured = progress.records.load(Ordering::Relaxed) - before;
        Ok((measured, moment.elapsed()?, sum))
    }
}

/// What all instances have done.
#[derive(Default)]
struct Progress {
    warm: u64,
    records: AtomicU64,
    sum: AtomicU64,
    // The moment, and records and their sum by then.
    when_warm: Mutex<Option<Result<(Moment, u64, u64)>>>,
}

impl Progress {
    fn tell(&self, records: u64, sum: u64) {
        let sum = self.sum.fetch_add(sum, Ordering::Relaxed).wrapping_add(sum);
        let before = self.records.fetch_add(records, Ordering::Relaxed);
        let now = before + records;
        if before < self.warm && now >= self.warm {
            let mut when = self
                .when_warm
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *when = Some(Moment::now().map(|moment| (moment, now, sum)));
        }
    }
}

/// Counts the records of a key.
struct Count {
    count: ValueState<u64>,
    // Not yet told of.
    records: u64,
    sum: u64,
    progress: Arc<Progress>,
}

impl Operator<u64, u64> for Count {
    fn process(
        &mut self,
        record: Record<u64>,
        ctx: &mut Context,
        out: &mut Output<u64>,
    ) -> thalweg::Result<()> {
        let count = self.count.get_or_insert_with(ctx, || 0)?;
        *count += 1;
        self.sum = self.sum.wrapping_add(*count);
        out.push(Record::new(*count, record.time));
        self.records += 1;
        if self.records == TOLD_AT_ONCE {
            self.progress.tell(self.records, self.sum);
            (self.records, self.sum) = (0, 0);
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Context, _: &mut Output<u64>) -> thalweg::Result<()> {
        self.progress.tell(self.records, self.sum);
        Ok(())
    }
}

/// A key, each as likely as any other.
fn uniform(n: u64, keys: u64) -> u64 {
    (mix(n) >> 1) % keys
}

/// A key of a few that come often and many that come seldom: the rank of a key is `keys · u⁴` with
/// a uniform `u`, so that the key of rank r comes with a frequency of about `r^-0.75`, and one record in
/// two belongs to a sixteenth of the keys. Ranks are mixed: neighbours in rank are none in the key.
fn skewed(n: u64, keys: u64) -> u64 {
    let u = (mix(n) >> 11) as f64 / (1u64 << 53) as f64;
    mix((u * u * u * u * keys as f64) as u64)
}

/// The most memory that the process ever held.
fn peak_mib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|rest| rest.split_whitespace().next());
    let kib: u64 = peak
        .context("`/proc/self/status` has no `VmHWM`")?
        .parse()?;
    Ok(kib >> 10)
}

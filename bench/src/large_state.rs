//! A job whose keyed state is larger than its memory.
//!
//!     cargo run --release --package thalweg-bench --features rocksdb --bin large_state -- \
//!         --keys 10_000_000 --value-bytes 1000 --memory 1gb --directory /tmp/large
//!
//! Each key has a value that can be computed from the key and from how often it came. The job
//! writes one for every key, then touches some again, several times; what it finds is compared with
//! what must be there, and another value fails the job. A checkpoint is taken behind each phase. What
//! the store still merges after the first one has some time to settle.
//!
//! One line a phase: name, keys, seconds, keys a second, the largest resident memory so far (MB),
//! and of checkpoints their seconds, the bytes they added, and those as a share of the state.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use thalweg::core::config::StateStoreConfig;
use thalweg::core::operator::{Outputs, Setup};
use thalweg::core::rows::Rows;
use thalweg::core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg::prelude::*;
use thalweg::runtime::RunningJob;
use thalweg_bench::arguments::Arguments;
use thalweg_bench::mix::mix;

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let keys: u64 = arguments.value("--keys", 10_000_000)?;
    let value_bytes: usize = arguments.value("--value-bytes", 1000)?;
    let memory: String = arguments.value("--memory", "1gb".to_owned())?;
    let touched_percent: u64 = arguments.value("--touched-percent", 1)?;
    let touches: usize = arguments.value("--touches", 5)?;
    let settle_seconds: u64 = arguments.value("--settle-seconds", 60)?;
    let reads: u64 = arguments.value("--reads", 300_000)?;
    let style: Option<String> = arguments.optional("--compaction-style")?;
    let directory: Option<String> = arguments.optional("--directory")?;
    arguments.finish()?;
    let Some(directory) = directory else {
        bail!("`--directory` says where checkpoints and working files go");
    };
    let checkpoints = format!("{directory}/checkpoints");
    let working = format!("{directory}/working");
    let store = store(&memory, &working, style.as_deref())?;
    let env = StreamExecutionEnvironment::new();
    env.configure(|config| {
        config.state_store = store;
        config.batch_rows = 4096;
        config.checkpointing.directory = Some(checkpoints.clone());
    });
    let feed = Arc::new(Feed {
        keys,
        allowed: AtomicU64::new(0),
    });
    let done = Arc::new(AtomicU64::new(0));
    let check = Check {
        keys,
        value_bytes,
        done: done.clone(),
    };
    env.from_source::<u64>("Keys", Arc::new(Source(feed.clone())), Some(1))
        .map(move |n| if n < keys { n } else { mix(n) % keys })
        .key_by(|key| *key)
        .process(move |states| check.operator(states))
        .for_each(|_| {});
    let job = env.execute_async()?;
    let mut run = Run {
        job: &job,
        feed: &feed,
        done: &done,
        checkpoints: Path::new(&checkpoints),
        state_bytes: keys * value_bytes as u64,
        until: 0,
        before: BTreeMap::new(),
    };
    println!("phase\tkeys\tseconds\tkeys/s\tmax MB\tadded MB\tof state %");
    let touched = keys * touched_percent / 100;
    run.phase("write", keys)?;
    run.checkpoint("written")?;
    std::thread::sleep(Duration::from_secs(settle_seconds));
    run.checkpoint("settled")?;
    for _ in 0..touches {
        run.phase("touch", touched)?;
        run.checkpoint("touched")?;
    }
    run.phase("read", reads)?;
    job.client().cancel();
    // It ends as cancelled.
    drop(job.join());
    Ok(())
}

fn store(
    memory: &str,
    working: &str,
    style: Option<&str>,
) -> thalweg::Result<Option<StateStoreConfig>> {
    let mut options = vec![
        ("state.backend.type", "rocksdb"),
        ("process.memory", memory),
        ("state.backend.rocksdb.localdir", working),
    ];
    options.extend(style.map(|style| ("state.backend.rocksdb.compaction.style", style)));
    thalweg::state_backend(options)
}

/// A job under measurement.
struct Run<'a> {
    job: &'a RunningJob,
    feed: &'a Feed,
    done: &'a AtomicU64,
    checkpoints: &'a Path,
    state_bytes: u64,
    until: u64,
    // The files of checkpoints so far.
    before: BTreeMap<u64, u64>,
}

impl Run<'_> {
    fn phase(&mut self, name: &str, count: u64) -> Result<()> {
        let started = Instant::now();
        self.until += count;
        self.feed.allowed.store(self.until, Ordering::Release);
        while self.done.load(Ordering::Acquire) < self.until {
            if self.job.is_finished() {
                bail!("the job has ended in the middle");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let seconds = started.elapsed().as_secs_f64();
        let (rate, mb) = (count as f64 / seconds, max_resident_mb()?);
        println!("{name}\t{count}\t{seconds:.1}\t{rate:.0}\t{mb:.0}");
        Ok(())
    }

    /// Takes a checkpoint, and says what it has added to the files of those before.
    fn checkpoint(&mut self, name: &str) -> Result<()> {
        let started = Instant::now();
        self.job.client().trigger_checkpoint()?;
        let seconds = started.elapsed().as_secs_f64();
        let after = files(self.checkpoints)?;
        let new = after
            .iter()
            .filter(|(inode, _)| !self.before.contains_key(*inode));
        let added: u64 = new.map(|(_, bytes)| bytes).sum();
        let share = added as f64 * 100.0 / self.state_bytes as f64;
        let (added_mb, mb) = (added as f64 / 1e6, max_resident_mb()?);
        println!("{name}\t\t{seconds:.1}\t\t{mb:.0}\t{added_mb:.1}\t{share:.2}");
        self.before = after;
        Ok(())
    }
}

/// The sizes of all files below a directory, by inode.
fn files(directory: &Path) -> Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if metadata.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.insert(metadata.ino(), metadata.len());
        }
    }
    Ok(found)
}

/// The most memory that this process has held so far.
fn max_resident_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib
        .context("the system does not say how much memory this is")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Numbers, as many as are allowed so far.
struct Feed {
    keys: u64,
    allowed: AtomicU64,
}

struct Source(Arc<Feed>);

struct Reader {
    feed: Arc<Feed>,
    next: u64,
}

impl SourceFactory for Source {
    fn create(&self, _: &mut Setup<'_>) -> thalweg::Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader {
            feed: self.0.clone(),
            next: 0,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }
}

impl SourceReader for Reader {
    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> thalweg::Result<Poll> {
        let allowed = self.feed.allowed.load(Ordering::Acquire);
        if self.next >= allowed {
            let until = ProcessingTime(ctx.now().millis() + 2);
            return Ok(Poll::Idle { until: Some(until) });
        }
        debug_assert!(self.feed.keys > 0);
        let end = allowed.min(self.next + out.rows_max() as u64);
        let mut rows = Rows::with_capacity((end - self.next) as usize);
        for n in self.next..end {
            rows.push(n, EventTime::NONE);
        }
        self.next = end;
        out.emit(Box::new(rows));
        Ok(Poll::Ready)
    }
}

#[derive(Clone)]
struct Check {
    keys: u64,
    value_bytes: usize,
    done: Arc<AtomicU64>,
}

impl Check {
    fn operator(&self, states: &mut StateRegistry) -> Checked {
        Checked {
            value: states.value("value"),
            check: self.clone(),
            expected: Vec::new(),
        }
    }
}

/// Compares what a key has with what it must have, and writes the next value.
struct Checked {
    value: ValueState<(u32, String)>,
    check: Check,
    expected: Vec<u8>,
}

impl Checked {
    /// The value of a key that has come `version` times: letters that do not compress.
    fn compute(&mut self, key: u64, version: u32) {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        self.expected.clear();
        let mut seed = mix(key ^ (u64::from(version) << 40));
        while self.expected.len() < self.check.value_bytes {
            seed = mix(seed);
            for at in 0..8 {
                let letter = (seed >> (at * 8)) & 63;
                self.expected.push(LETTERS[letter as usize]);
            }
        }
        self.expected.truncate(self.check.value_bytes);
    }
}

impl Operator<u64, u64> for Checked {
    fn process(
        &mut self,
        record: Record<u64>,
        ctx: &mut Context,
        out: &mut Output<u64>,
    ) -> thalweg::Result<()> {
        let key = record.value;
        let version = match self.value.get(ctx)? {
            None => 0,
            Some((version, _)) => *version,
        };
        if version > 0 {
            self.compute(key, version);
            let found = self.value.get(ctx)?.map(|(_, text)| text.as_bytes());
            if found != Some(self.expected.as_slice()) {
                return Err(Error::user(format!(
                    "key {key} has another value than it had"
                )));
            }
        } else if self.check.done.load(Ordering::Relaxed) >= self.check.keys {
            return Err(Error::user(format!("key {key} has lost its value")));
        }
        self.compute(key, version + 1);
        let text = String::from_utf8_lossy(&self.expected).into_owned();
        self.value.set(ctx, (version + 1, text))?;
        self.check.done.fetch_add(1, Ordering::Release);
        if version == u32::MAX - 1 {
            out.push(record);
        }
        Ok(())
    }
}

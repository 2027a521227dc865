//! Measures a store: `figures <keys> <memory MB> <directory> [option=value]…`.
//!
//! Loads keys with values of 100 bytes, reads and writes them in batches of 4096 for uniform and
//! for skewed keys, takes checkpoints after touching one key in a hundred. Prints what the
//! process holds in memory beside what it was allowed.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs};

use thalweg_core::error::{Error, Result};
use thalweg_core::host::{ManualClock, Random};
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::state::store::{
    ByteRows, OpenStore, StateStore, StoreCheckpoint, StoreTable, WriteBatch, push_key_prefix,
};
use thalweg_state_rocksdb::{RocksDbBackend, RocksDbOptions, RocksDbStore};

const BATCH: u64 = 4096;
const GROUPS: u32 = 128;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keys, memory_mb, directory, set @ ..] = arguments.as_slice() else {
        return Err(Error::user(
            "figures <keys> <memory MB> <directory> [option=value]…",
        ));
    };
    let number = |text: &str| {
        let parsed = text.parse::<u64>();
        parsed.map_err(|error| Error::user(format!("`{text}`")).with_source(error))
    };
    let (keys, memory) = (number(keys)?, number(memory_mb)? << 20);
    let set = set.iter().filter_map(|pair| pair.split_once('='));
    let options = RocksDbOptions::from_options(set)?;
    println!(
        "{keys} keys, {} MB of memory, {:?}",
        memory >> 20,
        options.compaction_style
    );
    let directory = PathBuf::from(directory);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)?;
    let backend = RocksDbBackend::new(options, memory)?;
    let mut run = Run {
        store: open(&backend, &directory.join("store"), 0..GROUPS, &[])?,
        keys,
        random: Random::new(1),
        directory: directory.clone(),
        known: BTreeSet::new(),
        checkpoints: 0,
        rss_max: 0,
        before: rss_bytes(),
    };
    let last = run.all()?;
    drop(run);
    restore(&backend, &directory, last)?;
    fs::remove_dir_all(&directory)?;
    Ok(())
}

/// Opens the checkpoint whole, in halves, and from the halves.
fn restore(backend: &RocksDbBackend, directory: &Path, last: StoreCheckpoint) -> Result<()> {
    let last = [last];
    let start = Instant::now();
    drop(open(backend, &directory.join("same"), 0..GROUPS, &last)?);
    println!("restored in {:.2} s", start.elapsed().as_secs_f64());
    let half = GROUPS / 2;
    let mut halves = Vec::new();
    for (name, groups) in [("low", 0..half), ("high", half..GROUPS)] {
        let start = Instant::now();
        let mut store = open(backend, &directory.join(name), groups, &last)?;
        println!(
            "{name} half restored in {:.2} s",
            start.elapsed().as_secs_f64()
        );
        halves.push(store.checkpoint(&directory.join(format!("{name}-links")))?);
    }
    let start = Instant::now();
    drop(open(
        backend,
        &directory.join("joined"),
        0..GROUPS,
        &halves,
    )?);
    println!("joined in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn open(
    backend: &RocksDbBackend,
    directory: &Path,
    key_groups: std::ops::Range<u32>,
    restore: &[StoreCheckpoint],
) -> Result<RocksDbStore> {
    backend.open_store(OpenStore {
        directory,
        id: &directory.file_name().unwrap_or_default().to_string_lossy(),
        key_groups,
        tables: &[StoreTable::default()],
        clock: Arc::new(ManualClock::at(0)),
        restore,
    })
}

struct Run {
    store: RocksDbStore,
    keys: u64,
    random: Random,
    directory: PathBuf,
    known: BTreeSet<String>,
    checkpoints: u32,
    rss_max: u64,
    before: u64,
}

impl Run {
    fn all(&mut self) -> Result<StoreCheckpoint> {
        self.load()?;
        self.checkpoint("first checkpoint")?;
        self.checkpoint("nothing changed")?;
        self.lookups("uniform", |random, keys| random.below(keys))?;
        self.lookups("skewed", skewed)?;
        self.checkpoint("after the updates")?;
        self.touch("clustered", 10, |at, _, _| at)?;
        self.touch("scattered", 100, |_, random, keys| random.below(keys))?;
        let last = self.checkpoint("at last")?;
        self.scan()?;
        let beyond = self.rss_max - self.before;
        println!("most RSS beyond the start: {} MB", beyond >> 20);
        Ok(last)
    }

    fn load(&mut self) -> Result<()> {
        let start = Stopwatch::start();
        let mut batch = WriteBatch::default();
        for first in (0..self.keys).step_by(BATCH as usize) {
            batch.clear();
            for number in first..(first + BATCH).min(self.keys) {
                put(&mut batch, number, &mut self.random);
            }
            self.store.write(&batch)?;
            self.sample();
        }
        self.rate("load", self.keys, start);
        Ok(())
    }

    /// Reads a batch of keys, writes it back changed, as the cache above a store does.
    fn lookups(&mut self, name: &str, pick: fn(&mut Random, u64) -> u64) -> Result<()> {
        let rounds = 120;
        let mut rows = ByteRows::default();
        let mut batch = WriteBatch::default();
        let mut reading = Spent::default();
        let mut writing = Spent::default();
        for _ in 0..rounds {
            rows.clear();
            batch.clear();
            for _ in 0..BATCH {
                let number = pick(&mut self.random, self.keys);
                rows.push_with(|out| push_key(out, number));
                put(&mut batch, number, &mut self.random);
            }
            let start = Stopwatch::start();
            let mut found = 0;
            self.store.get_many(&rows, &mut |_, _| {
                found += 1;
                Ok(())
            })?;
            start.add_to(&mut reading);
            assert_eq!(found, rows.len());
            let start = Stopwatch::start();
            self.store.write(&batch)?;
            start.add_to(&mut writing);
            self.sample();
        }
        let count = rounds * BATCH;
        println!(
            "{name}: get_many {}, write {}",
            reading.rate(count),
            writing.rate(count)
        );
        Ok(())
    }

    /// Touches one key in a hundred, then takes a checkpoint; several times.
    fn touch(
        &mut self,
        name: &str,
        times: u64,
        pick: fn(u64, &mut Random, u64) -> u64,
    ) -> Result<()> {
        let count = self.keys / 100;
        let mut shares = Vec::new();
        let mut times_ms = Vec::new();
        for time in 0..times {
            let mut batch = WriteBatch::default();
            for at in 0..count {
                let number = pick(time * count + at, &mut self.random, self.keys);
                put(&mut batch, number, &mut self.random);
            }
            self.store.write(&batch)?;
            let (taken, new, took_ms) = self.take()?;
            shares.push(new as f64 * 100.0 / taken.total_bytes() as f64);
            times_ms.push(took_ms);
        }
        let first = shares.first().copied().unwrap_or_default();
        let mean = shares.iter().sum::<f64>() / times as f64;
        shares.sort_by(f64::total_cmp);
        times_ms.sort_by(f64::total_cmp);
        println!(
            "{times} checkpoints, 1 % touched {name}: new {first:.2} % the first, {:.2} % the \
             median, {:.2} % in 9 of 10, {:.2} % the largest, {mean:.2} % the mean; {:.0} ms the \
             median, {:.0} ms in 9 of 10, {:.0} ms the slowest",
            at(&shares, 50),
            at(&shares, 90),
            at(&shares, 99),
            at(&times_ms, 50),
            at(&times_ms, 90),
            at(&times_ms, 99),
        );
        Ok(())
    }

    fn checkpoint(&mut self, name: &str) -> Result<StoreCheckpoint> {
        let (taken, new, took_ms) = self.take()?;
        println!(
            "{name}: {took_ms:.0} ms, {} files, {} MB, new {:.1} MB, {:.2} %",
            taken.files.len(),
            taken.total_bytes() >> 20,
            new as f64 / f64::from(1 << 20),
            new as f64 * 100.0 / taken.total_bytes() as f64
        );
        Ok(taken)
    }

    /// A checkpoint, the bytes of its files that the one before did not have, and its time in ms.
    fn take(&mut self) -> Result<(StoreCheckpoint, u64, f64)> {
        let links = self.directory.join(format!("links-{}", self.checkpoints));
        self.checkpoints += 1;
        let start = Instant::now();
        let taken = self.store.checkpoint(&links)?;
        let took_ms = start.elapsed().as_secs_f64() * 1000.0;
        let unknown = |name: &String| !self.known.contains(name);
        let new = taken.files.iter();
        let new = new.filter(|file| !file.shared || unknown(&file.name));
        let new = new.map(|file| file.bytes).sum();
        self.known = taken.files.iter().map(|file| file.name.clone()).collect();
        // The files of the one before stay until this one has linked what they share.
        if self.checkpoints > 1 {
            let before = self
                .directory
                .join(format!("links-{}", self.checkpoints - 2));
            fs::remove_dir_all(before)?;
        }
        self.sample();
        Ok((taken, new, took_ms))
    }

    fn scan(&mut self) -> Result<()> {
        let start = Stopwatch::start();
        let mut count = 0;
        self.store.scan(&[0], &[1], &mut |_, _| {
            count += 1;
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        assert_eq!(count, self.keys);
        self.rate("scan", count, start);
        Ok(())
    }

    fn rate(&mut self, name: &str, count: u64, start: Stopwatch) {
        let mut spent = Spent::default();
        start.add_to(&mut spent);
        self.sample();
        println!(
            "{name}: {}; store's memory {} MB, RSS beyond the start {} MB, state {} MB",
            spent.rate(count),
            self.store.memory_bytes() >> 20,
            (rss_bytes() - self.before) >> 20,
            self.store.approximate_bytes() >> 20
        );
    }

    fn sample(&mut self) {
        self.rss_max = self.rss_max.max(rss_bytes());
    }
}

/// Half of the picks hit a key in a thousand, a quarter the next thousandth, and so on.
fn skewed(random: &mut Random, keys: u64) -> u64 {
    let halvings = u64::from(random.next_u64().leading_zeros()).min(999);
    let share = (keys / 1000).max(1);
    (halvings * share + random.below(share)).wrapping_mul(0x9e37_79b1) % keys
}

/// Time by the clock, and of the thread on a core: what it would take if nobody else were there.
#[derive(Default)]
struct Spent {
    seconds: f64,
    core_seconds: f64,
}

impl Spent {
    fn rate(&self, count: u64) -> String {
        let thousands = count as f64 / 1000.0;
        format!(
            "{:.0} k/s ({:.0} k a second of a core)",
            thousands / self.seconds,
            thousands / self.core_seconds
        )
    }
}

struct Stopwatch {
    start: Instant,
    core_seconds: f64,
}

impl Stopwatch {
    fn start() -> Self {
        Stopwatch {
            start: Instant::now(),
            core_seconds: core_seconds(),
        }
    }

    fn add_to(&self, spent: &mut Spent) {
        spent.seconds += self.start.elapsed().as_secs_f64();
        spent.core_seconds += core_seconds() - self.core_seconds;
    }
}

/// How long this thread has run.
fn core_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text
        .split(' ')
        .next()
        .and_then(|first| first.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// The value that so many in a hundred are not above.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let place = sorted.len() * percent / 100;
    sorted.get(place).copied().unwrap_or_default()
}

/// Numbers that follow each other lie together in each key group.
fn push_key(out: &mut Vec<u8>, number: u64) {
    let key = number.to_be_bytes();
    push_key_prefix(out, key_group(stable_hash_bytes(&key), GROUPS), 0);
    out.extend_from_slice(&key);
}

/// 100 bytes, half of which compress.
fn put(batch: &mut WriteBatch, number: u64, random: &mut Random) {
    let mut value = [0; 100];
    for part in value[..48].chunks_exact_mut(8) {
        part.copy_from_slice(&random.next_u64().to_le_bytes());
    }
    batch.put_with(
        |out| push_key(out, number),
        |out| out.extend_from_slice(&value),
    );
}

fn rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
    kib.unwrap_or(0u64) << 10
}

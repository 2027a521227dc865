//! The options of the backend, under Flink's keys.

use std::path::PathBuf;
use std::time::Duration;

use thalweg_core::error::{Error, Result};

const PREFIX: &str = "state.backend.rocksdb.";

/// When sorted files are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionStyle {
    /// Levels, each ten times larger than the one above: least room on disk, most rewriting.
    Level,
    /// Runs of similar size are merged: least rewriting, so that incremental checkpoints of
    /// scattered changes stay small, and up to twice the room.
    Universal,
}

/// How the store is set up.
///
/// # Examples
/// ```
/// use thalweg_state_rocksdb::RocksDbOptions;
///
/// let set = [("state.backend.rocksdb.memory.fixed-per-slot", "256 mb")];
/// let options = RocksDbOptions::from_options(set)?;
/// assert_eq!(options.memory_fixed_per_slot, Some(256 << 20));
/// # Ok::<(), thalweg_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RocksDbOptions {
    /// `state.backend.incremental`: whether files are shared between checkpoints.
    pub incremental: bool,
    /// `….memory.fixed-per-slot`: bytes for all stores of a slot, in place of its managed memory.
    pub memory_fixed_per_slot: Option<u64>,
    /// `….memory.write-buffer-ratio`: the share of the memory for what is not yet written to disk.
    pub write_buffer_ratio: f64,
    /// `….memory.partitioned-index-filters`: whether indexes and filters are read in parts, so
    /// that those of a state much larger than memory need not lie in memory as a whole.
    pub partitioned_index_filters: bool,
    /// `….localdir`: the directories that working directories are created in, separated by `,`.
    /// Empty: where the caller says.
    pub local_directories: Vec<PathBuf>,
    /// `….thread.num`: threads that write and merge files.
    pub threads: u32,
    /// `….block.blocksize`: bytes that are read from disk at once.
    pub block_bytes: usize,
    /// `….bloom-filter.bits-per-key`: memory against reads of files that lack the key.
    pub bloom_bits_per_key: f64,
    /// `….compaction.style`: `LEVEL` or `UNIVERSAL`.
    pub compaction_style: CompactionStyle,
    /// `….compaction.level.target-file-size-base`: bytes of a file.
    pub target_file_bytes: u64,
    /// `….compaction.filter.periodic-compaction-time`: files older than this are merged, so that
    /// what is expired goes even if nothing is written any more. Only for state with a time to
    /// live.
    pub periodic_compaction: Duration,
}

impl Default for RocksDbOptions {
    fn default() -> Self {
        RocksDbOptions {
            incremental: true,
            memory_fixed_per_slot: None,
            write_buffer_ratio: 0.5,
            partitioned_index_filters: true,
            local_directories: Vec::new(),
            threads: 2,
            block_bytes: 4 << 10,
            bloom_bits_per_key: 10.0,
            compaction_style: CompactionStyle::Universal,
            target_file_bytes: 64 << 20,
            periodic_compaction: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

type Setter = fn(&mut RocksDbOptions, &str) -> Result<(), String>;

// Sorted, for the error that lists them.
const KNOWN: [(&str, Setter); 11] = [
    ("block.blocksize", |o, v| {
        o.block_bytes =
            usize::try_from(between(parse_bytes(v)?, 1 << 10, 1 << 20)?).unwrap_or(usize::MAX);
        Ok(())
    }),
    ("bloom-filter.bits-per-key", |o, v| {
        o.bloom_bits_per_key = number_between(v, 1.0, 50.0)?;
        Ok(())
    }),
    ("compaction.filter.periodic-compaction-time", |o, v| {
        o.periodic_compaction = duration(v)?;
        Ok(())
    }),
    ("compaction.level.target-file-size-base", |o, v| {
        o.target_file_bytes = between(parse_bytes(v)?, 1 << 20, 1 << 30)?;
        Ok(())
    }),
    ("compaction.style", |o, v| {
        o.compaction_style = match v.to_ascii_uppercase().as_str() {
            "LEVEL" => CompactionStyle::Level,
            "UNIVERSAL" => CompactionStyle::Universal,
            _ => return Err("it is `LEVEL` or `UNIVERSAL`".to_owned()),
        };
        Ok(())
    }),
    ("localdir", |o, v| {
        let parts = v.split(',').map(str::trim).filter(|part| !part.is_empty());
        o.local_directories = parts.map(PathBuf::from).collect();
        Ok(())
    }),
    ("memory.fixed-per-slot", |o, v| {
        o.memory_fixed_per_slot = Some(parse_bytes(v)?);
        Ok(())
    }),
    ("memory.managed", |_, v| match v {
        "true" => Ok(()),
        "false" => Err("the memory of a store is always bounded; leave it `true`".to_owned()),
        _ => Err("it is `true`".to_owned()),
    }),
    ("memory.partitioned-index-filters", |o, v| {
        o.partitioned_index_filters = boolean(v)?;
        Ok(())
    }),
    ("memory.write-buffer-ratio", |o, v| {
        o.write_buffer_ratio = number_between(v, 0.1, 0.9)?;
        Ok(())
    }),
    ("thread.num", |o, v| {
        o.threads = v.parse().map_err(|_| "it is a whole number".to_owned())?;
        if o.threads == 0 {
            return Err("at least one thread is needed".to_owned());
        }
        Ok(())
    }),
];

impl RocksDbOptions {
    /// Reads the options among `set` that begin with `state.backend.rocksdb.`, and
    /// `state.backend.incremental` or `execution.checkpointing.incremental`. Others are not for
    /// this backend.
    ///
    /// # Errors
    /// `User` for an option of the backend that it does not know, and for a value that is none;
    /// both name the key.
    pub fn from_options<'a>(set: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut options = RocksDbOptions::default();
        for (key, value) in set {
            let value = value.trim();
            let done = match (key, key.strip_prefix(PREFIX)) {
                ("state.backend.incremental" | "execution.checkpointing.incremental", _) => {
                    boolean(value).map(|incremental| options.incremental = incremental)
                }
                (_, Some(name)) => set_one(&mut options, name, value),
                _ => continue,
            };
            done.map_err(|wrong| {
                Error::user(format!("option `{key}` cannot be `{value}`: {wrong}"))
            })?;
        }
        Ok(options)
    }
}

fn set_one(options: &mut RocksDbOptions, name: &str, value: &str) -> Result<(), String> {
    match KNOWN.iter().find(|(known, _)| *known == name) {
        Some((_, set)) => set(options, value),
        None => {
            let known: Vec<String> = KNOWN
                .iter()
                .map(|(known, _)| format!("`{PREFIX}{known}`"))
                .collect();
            Err(format!(
                "there is no such option; the backend knows {}",
                known.join(", ")
            ))
        }
    }
}

fn boolean(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("it is `true` or `false`".to_owned()),
    }
}

fn between(value: u64, least: u64, most: u64) -> Result<u64, String> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("it is {least} to {most} bytes"))
    }
}

fn number_between(value: &str, least: f64, most: f64) -> Result<f64, String> {
    match value.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("it is a number from {least} to {most}")),
    }
}

/// A number and a unit of `units`, of which the first is the one of a bare number.
fn measure(value: &str, units: &[(&str, u64)], what: &str) -> Result<u64, String> {
    let end = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let scale = match units {
        [(_, bare), ..] if unit.is_empty() => Some(*bare),
        _ => units
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, scale)| *scale),
    };
    number
        .parse::<u64>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .ok_or_else(|| format!("it is {what}"))
}

/// Reads a size as options have it: a number, and a unit such as `mb`.
///
/// # Errors
/// What a size looks like, if it is none.
pub fn parse_bytes(value: &str) -> Result<u64, String> {
    let units = [
        ("b", 1),
        ("bytes", 1),
        ("k", 1 << 10),
        ("kb", 1 << 10),
        ("m", 1 << 20),
        ("mb", 1 << 20),
        ("g", 1 << 30),
        ("gb", 1 << 30),
        ("t", 1 << 40),
        ("tb", 1 << 40),
    ];
    measure(value, &units, "a number of bytes, such as `64 mb`")
}

fn duration(value: &str) -> Result<Duration, String> {
    const MINUTE: u64 = 60_000;
    let units = [
        ("ms", 1),
        ("s", 1000),
        ("min", MINUTE),
        ("m", MINUTE),
        ("h", 60 * MINUTE),
        ("d", 24 * 60 * MINUTE),
    ];
    measure(value, &units, "a length of time, such as `30 d`").map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<RocksDbOptions> {
        RocksDbOptions::from_options([(key, value)])
    }

    #[test]
    fn options_are_read_under_their_keys() {
        let options = RocksDbOptions::from_options([
            ("state.backend.type", "rocksdb"),
            ("state.backend.incremental", "false"),
            ("state.backend.rocksdb.memory.managed", "true"),
            ("state.backend.rocksdb.memory.fixed-per-slot", "64mb"),
            ("state.backend.rocksdb.memory.write-buffer-ratio", "0.25"),
            (
                "state.backend.rocksdb.memory.partitioned-index-filters",
                "false",
            ),
            ("state.backend.rocksdb.localdir", "/a, /b"),
            ("state.backend.rocksdb.thread.num", "4"),
            ("state.backend.rocksdb.block.blocksize", "16 kb"),
            ("state.backend.rocksdb.bloom-filter.bits-per-key", "12"),
            ("state.backend.rocksdb.compaction.style", "level"),
            (
                "state.backend.rocksdb.compaction.level.target-file-size-base",
                "8 m",
            ),
            (
                "state.backend.rocksdb.compaction.filter.periodic-compaction-time",
                "7 d",
            ),
        ]);
        let expected = RocksDbOptions {
            incremental: false,
            memory_fixed_per_slot: Some(64 << 20),
            write_buffer_ratio: 0.25,
            partitioned_index_filters: false,
            local_directories: vec!["/a".into(), "/b".into()],
            threads: 4,
            block_bytes: 16 << 10,
            bloom_bits_per_key: 12.0,
            compaction_style: CompactionStyle::Level,
            target_file_bytes: 8 << 20,
            periodic_compaction: Duration::from_secs(7 * 24 * 3600),
        };
        assert_eq!(options.unwrap(), expected);
    }

    #[test]
    fn an_unknown_option_is_refused_and_the_known_ones_are_named() {
        let error = read("state.backend.rocksdb.block.cache-size", "8mb").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`state.backend.rocksdb.block.cache-size`"),
            "{text}"
        );
        assert!(
            text.contains("`state.backend.rocksdb.memory.fixed-per-slot`"),
            "{text}"
        );
    }

    #[test]
    fn a_value_that_is_none_is_refused_with_its_key() {
        for (name, value) in [
            ("memory.managed", "false"),
            ("memory.fixed-per-slot", "much"),
            ("memory.fixed-per-slot", "3 elephants"),
            ("memory.write-buffer-ratio", "1.5"),
            ("thread.num", "0"),
            ("block.blocksize", "1"),
            ("compaction.style", "FIFO"),
            ("compaction.filter.periodic-compaction-time", "soon"),
        ] {
            let key = format!("{PREFIX}{name}");
            let error = read(&key, value).unwrap_err().to_string();
            assert!(error.contains(&key) && error.contains(value), "{error}");
        }
    }

    #[test]
    fn known_options_are_listed_in_order() {
        assert!(KNOWN.is_sorted_by(|a, b| a.0 < b.0));
    }
}

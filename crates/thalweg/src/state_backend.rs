//! `state.backend.type`: where the keyed state of a job lies, from options under Flink's keys.
#![allow(clippy::disallowed_methods)] // A shell: names of directories hold the process and the time.

use std::path::PathBuf;
use std::sync::Arc;

use thalweg_core::config::StateStoreConfig;
use thalweg_core::host::Clock;
use thalweg_core::{Error, Result};
use thalweg_runtime::driver::threads::SystemClock;
use thalweg_state_rocksdb::{NAME as ROCKSDB, RocksDbOptions, parse_bytes};

const HASHMAP: &str = "hashmap";
// The memory of a process of which nobody has said how much it may have.
const PROCESS_BYTES: u64 = 1 << 30;
// What a process needs beside the state it holds: code, threads, records on their way.
const REST_BYTES: u64 = 128 << 20;
const REST_PERCENT: u64 = 20;
// Of what is left, so much is the store's; the rest holds values as the program sees them.
const STORE_PERCENT: u64 = 45;

/// The state backend that options name; `None` for `hashmap`, which is the default.
///
/// | Option | Means |
/// |---|---|
/// | `state.backend.type`, `state.backend` | `hashmap` or `rocksdb` |
/// | `process.memory`, `taskmanager.memory.process.size` | what the process may have; 1 GB if not set |
/// | `state.backend.rocksdb.localdir`, `io.tmp.dirs` | where working files lie; the first one is taken |
/// | `state.backend.rocksdb.*`, `state.backend.incremental` | see [`RocksDbOptions`] |
///
/// Others are left to whom they concern.
///
/// # Errors
/// `User` for a value that is none, or too little memory; `Unsupported` if this program was built
/// without the backend.
///
/// # Examples
/// ```
/// use thalweg::prelude::*;
///
/// let env = StreamExecutionEnvironment::new();
/// let backend = thalweg::state_backend([("state.backend.type", "hashmap")])?;
/// env.configure(|config| config.state_store = backend);
/// # Ok::<(), thalweg::Error>(())
/// ```
pub fn state_backend<'a>(
    options: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<StateStoreConfig>> {
    let options: Vec<(&str, &str)> = options.into_iter().collect();
    let find = |names: &[&str]| {
        let of = |name: &&str| options.iter().rev().find(|(key, _)| key == name).copied();
        names.iter().find_map(of)
    };
    match find(&["state.backend.type", "state.backend"]) {
        None | Some((_, HASHMAP)) => return Ok(None),
        Some((_, ROCKSDB)) => {}
        Some((key, other)) => {
            return Err(Error::user(format!(
                "option `{key}` cannot be `{other}`: there are `{HASHMAP}` and `{ROCKSDB}`"
            )));
        }
    }
    let process = match find(&["process.memory", "taskmanager.memory.process.size"]) {
        None => PROCESS_BYTES,
        Some((key, value)) => parse_bytes(value)
            .map_err(|wrong| Error::user(format!("option `{key}` cannot be `{value}`: {wrong}")))?,
    };
    let rest = REST_BYTES.max(process / 100 * REST_PERCENT);
    let Some(state) = process.checked_sub(rest).filter(|bytes| *bytes > 0) else {
        return Err(Error::user(format!(
            "option `process.memory`: a process needs more than {} MB",
            REST_BYTES >> 20
        )));
    };
    let store = state / 100 * STORE_PERCENT;
    let rocksdb = RocksDbOptions::from_options(options.iter().copied())?;
    let directory = rocksdb.local_directories.first().cloned();
    let directory = directory
        .or_else(|| {
            let (_, set) = find(&["io.tmp.dirs"])?;
            set.split([',', ':']).next().map(PathBuf::from)
        })
        .unwrap_or_else(std::env::temp_dir);
    let clock = Arc::new(SystemClock::default());
    let unique = format!("{}-{}", std::process::id(), clock.now().millis());
    let backend = thalweg_state_rocksdb::backend(rocksdb, store)?;
    let cache = usize::try_from(state - store).unwrap_or(usize::MAX);
    Ok(Some(StateStoreConfig::new(
        Arc::from(backend),
        directory.join("thalweg-state"),
        cache,
        clock,
        unique,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_refused_by_their_key() {
        let refused = |set: &[(&str, &str)]| match state_backend(set.iter().copied()) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        };
        assert_eq!(
            refused(&[("state.backend.type", "forst")]),
            "option `state.backend.type` cannot be `forst`: there are `hashmap` and `rocksdb`"
        );
        let rocksdb = ("state.backend.type", "rocksdb");
        assert!(
            refused(&[rocksdb, ("process.memory", "much")])
                .starts_with("option `process.memory` cannot be `much`")
        );
        assert_eq!(
            refused(&[rocksdb, ("process.memory", "64 mb")]),
            "option `process.memory`: a process needs more than 128 MB"
        );
        assert!(
            refused(&[rocksdb, ("state.backend.rocksdb.thread.num", "0")])
                .contains("state.backend.rocksdb.thread.num")
        );
    }

    #[test]
    fn the_heap_is_the_default() {
        assert!(state_backend([]).unwrap().is_none());
        let set = [("state.backend", "hashmap"), ("process.memory", "1 gb")];
        assert!(state_backend(set).unwrap().is_none());
    }
}

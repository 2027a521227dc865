//! The names of part files, which say whose they are and what may become of them.
//!
//! ```text
//! .part-<run>-<attempt>-<instance>-<n>.csv.inprogress   no checkpoint knows it
//!     │ a checkpoint or savepoint cuts the stream
//!     ▼
//! .part-<run>-<attempt>-<instance>-<n>.csv.pending      one may
//!     │ committed
//!     ▼
//! part-<run>-<attempt>-<instance>-<n>.csv
//! ```
//!
//! A *run* is a job with all its starts from its own checkpoints. A job that starts from a savepoint
//! is a run of its own: several may. An *attempt* is one writer at one start: how many starts of the
//! run there were before, and a number that no other writer has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use thalweg_core::key_group::stable_hash_bytes;

const IN_PROGRESS: &str = ".inprogress";
const PENDING: &str = ".pending";
const LOCK: &str = ".lock";
const NEW: &str = ".new";

/// Sixteen digits that no other caller has got: of the time, the process and a counter.
#[allow(clippy::disallowed_methods)] // A name of a file, which no result depends on.
pub(super) fn unique() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let text = format!("{}-{}-{call}", since.as_nanos(), std::process::id());
    format!("{:016x}", stable_hash_bytes(text.as_bytes()))
}

/// The attempt of a writer that starts after `generation` earlier starts.
pub(super) fn attempt(generation: u64) -> String {
    format!("{generation}x{}", unique())
}

/// How many starts there were before an attempt.
fn generation(attempt: &str) -> Option<u64> {
    attempt.split_once('x')?.0.parse().ok()
}

/// The visible name of a part.
pub(super) fn visible(run: &str, attempt: &str, index: u32, number: u64, format: &str) -> String {
    format!("part-{run}-{attempt}-{index}-{number}.{format}")
}

/// The name of a part that no checkpoint knows.
pub(super) fn in_progress(visible: &str) -> String {
    format!(".{visible}{IN_PROGRESS}")
}

/// The name of a part that a checkpoint may know.
pub(super) fn pending(visible: &str) -> String {
    format!(".{visible}{PENDING}")
}

/// The name of the file that a writer holds locked as long as it lives.
pub(super) fn lock(run: &str, attempt: &str) -> String {
    format!(".part-{run}-{attempt}{LOCK}")
}

/// The name of a lock before it is locked.
pub(super) fn new_lock(lock: &str) -> String {
    format!("{lock}{NEW}")
}

/// Whether a file is a lock, or was about to become one.
pub(super) fn is_lock(name: &str) -> bool {
    let name = name.strip_suffix(NEW).unwrap_or(name);
    name.starts_with(".part-") && name.ends_with(LOCK)
}

/// Whether a directory may be a level of a partition, below the one with the locks.
pub(super) fn is_partition(directory: &str) -> bool {
    directory.contains('=')
}

/// What became of a part so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    InProgress,
    Pending,
    Visible,
}

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub run: &'a str,
    pub attempt: &'a str,
    pub generation: u64,
    pub index: u32,
    pub number: u64,
    pub stage: Stage,
}

/// Reads the name of a part; `None` for any other file.
pub(super) fn parse(name: &str) -> Option<Name<'_>> {
    let (rest, stage) = match name.strip_prefix('.') {
        None => (name, Stage::Visible),
        Some(hidden) => match hidden.strip_suffix(IN_PROGRESS) {
            Some(rest) => (rest, Stage::InProgress),
            None => (hidden.strip_suffix(PENDING)?, Stage::Pending),
        },
    };
    let rest = rest.strip_prefix("part-")?.split('.').next()?;
    let mut parts = rest.split('-');
    let (run, attempt) = (parts.next()?, parts.next()?);
    let (index, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let generation = generation(attempt)?;
    parts.next().is_none().then_some(Name {
        run,
        attempt,
        generation,
        index,
        number,
        stage,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_the_file_is_and_how_far_it_has_come() {
        let attempt = attempt(3);
        let visible = visible("00ab", &attempt, 1, 12, "csv");
        let name = |stage| Name {
            run: "00ab",
            attempt: &attempt,
            generation: 3,
            index: 1,
            number: 12,
            stage,
        };
        assert_eq!(parse(&visible), Some(name(Stage::Visible)));
        assert_eq!(parse(&in_progress(&visible)), Some(name(Stage::InProgress)));
        assert_eq!(parse(&pending(&visible)), Some(name(Stage::Pending)));
        let lock = lock("00ab", &attempt);
        assert!(is_lock(&lock) && is_lock(&new_lock(&lock)) && !is_lock(&pending(&visible)));
        for other in [
            &*lock,
            &*new_lock(&lock),
            &visible[1..],
            ".other.pending",
            "part-a-b-1-2.csv",
            "_SUCCESS",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn no_two_attempts_have_one_name() {
        let some: std::collections::BTreeSet<String> = (0..1000).map(|_| attempt(1)).collect();
        assert_eq!(some.len(), 1000);
    }
}

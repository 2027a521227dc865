//! Where the instances of a sink tell which partitions are whole, so that one of them says so.
//!
//! INVARIANT: an instance posts a mark behind the renaming of all files that it had closed before
//! the mark. So a partition that is open for no instance has all its files.
//!
//! The instances of a job are threads of one process, and the board lies in its memory. It is not
//! stored: what is not committed is in the writers' state, and is marked again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thalweg_core::Data;
use thalweg_core::error::Result;

use super::options::PartitionCommit;

/// What an instance says behind the files of a barrier.
#[derive(Clone, Debug, PartialEq, Data)]
pub(in crate::filesystem::sink) struct Mark {
    pub index: u32,
    pub attempt: String,
    /// Counts the marks of the attempt, from 1.
    pub sequence: u64,
    /// No row at or before it will come to the instance, in ms; the largest number if none will
    /// at all.
    pub watermark: i64,
    /// Whether nothing comes for now, so that others need not wait for the instance.
    pub idle: bool,
    /// Partitions it has written to whose time has come, and of which no file is open.
    pub due: Vec<String>,
    /// The other partitions it has written to.
    pub open: Vec<String>,
}

/// Marks of the instances of one sink.
#[derive(Default)]
pub(in crate::filesystem::sink) struct Board {
    commit: Option<PartitionCommit>,
    state: Mutex<BTreeMap<u32, Slot>>,
}

/// What one instance has said.
struct Slot {
    attempt: String,
    latest: Option<Mark>,
    /// Partitions that are due and not committed, with the mark that said so last.
    due: BTreeMap<String, u64>,
    /// Committed partitions with the mark up to which the instance's rows are in them.
    committed: Vec<(String, u64)>,
}

impl Board {
    pub(in crate::filesystem::sink) fn new(commit: Option<PartitionCommit>) -> Self {
        Board {
            commit,
            state: Mutex::default(),
        }
    }

    /// How partitions are committed, if they are.
    pub(super) fn commit(&self) -> Option<&PartitionCommit> {
        self.commit.as_ref()
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<u32, Slot>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instance begins an attempt: what it has said before does not count any more.
    pub(in crate::filesystem::sink) fn register(
        &self,
        index: u32,
        parallelism: u32,
        attempt: &str,
    ) {
        let mut slots = self.state();
        let empty = |attempt: &str| Slot {
            attempt: attempt.to_owned(),
            latest: None,
            due: BTreeMap::new(),
            committed: Vec::new(),
        };
        slots.retain(|other, _| *other < parallelism);
        for other in 0..parallelism {
            slots.entry(other).or_insert_with(|| empty(""));
        }
        slots.insert(index, empty(attempt));
    }

    /// Takes a mark, and commits the partitions that are due for all instances by then.
    ///
    /// # Errors
    /// What committing a partition fails with; it is not forgotten then.
    pub(in crate::filesystem::sink) fn post(&self, mark: Mark) -> Result<()> {
        let Some(commit) = &self.commit else {
            return Ok(());
        };
        let mut slots = self.state();
        // One of an attempt before: its partitions are in the state of those who write now.
        let Some(slot) = slots.get_mut(&mark.index) else {
            return Ok(());
        };
        if slot.attempt != mark.attempt {
            return Ok(());
        }
        for partition in &mark.due {
            slot.due.insert(partition.clone(), mark.sequence);
        }
        for partition in &mark.open {
            slot.due.remove(partition);
        }
        slot.latest = Some(mark);
        let marks: Option<Vec<&Mark>> = slots.values().map(|slot| slot.latest.as_ref()).collect();
        let Some(marks) = marks else {
            return Ok(());
        };
        let watermark = combined(&marks);
        let is_open = |partition| marks.iter().any(|mark| mark.open.contains(partition));
        let due = slots.values().flat_map(|slot| slot.due.keys());
        let mut due: Vec<String> = due.filter(|due| !is_open(due)).cloned().collect();
        due.sort_unstable();
        due.dedup();
        for partition in due {
            if !commit.is_passed(&partition, watermark)? {
                continue;
            }
            commit.commit(&partition)?;
            for slot in slots.values_mut() {
                if let Some(sequence) = slot.due.remove(&partition) {
                    slot.committed.push((partition.clone(), sequence));
                }
            }
        }
        Ok(())
    }

    /// The watermark of all instances that are not idle, as far as they have all said theirs.
    pub(super) fn watermark(&self) -> i64 {
        let slots = self.state();
        let marks: Option<Vec<&Mark>> = slots.values().map(|slot| slot.latest.as_ref()).collect();
        marks.map_or(i64::MIN, |marks| combined(&marks))
    }

    /// The partitions that were committed since the last call, with the mark up to which this
    /// instance's rows are in them.
    pub(super) fn take_committed(&self, index: u32, attempt: &str) -> Vec<(String, u64)> {
        let mut slots = self.state();
        let slot = slots.get_mut(&index);
        let slot = slot.filter(|slot| slot.attempt == attempt);
        slot.map_or_else(Vec::new, |slot| std::mem::take(&mut slot.committed))
    }
}

/// The lowest watermark of those that are not idle; if all are, the highest.
fn combined(marks: &[&Mark]) -> i64 {
    let active = marks.iter().filter(|mark| !mark.idle);
    let lowest = active.map(|mark| mark.watermark).min();
    let highest = || marks.iter().map(|mark| mark.watermark).max();
    lowest.or_else(highest).unwrap_or(i64::MIN)
}

//! The partitions that one instance has written to and that are not committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thalweg_core::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::Context;
use thalweg_core::state::{OperatorListState, Redistribution, StateRegistry};

use super::super::part::Part;
use super::board::{Board, Mark};

/// A partition as the state has it.
#[derive(Clone, Debug, PartialEq, Data)]
struct Waiting {
    partition: String,
    /// When the instance began to write to it, in ms.
    since: i64,
}

struct Entry {
    since: i64,
    /// The number of the first mark behind the last file that was begun.
    mark: u64,
}

/// The instance's side of the board.
pub(in crate::filesystem::sink) struct Pending {
    board: Arc<Board>,
    index: u32,
    attempt: String,
    /// The number of the next mark.
    next: u64,
    partitions: BTreeMap<String, Entry>,
    due: BTreeSet<String>,
    idle: bool,
    marked: Option<Mark>,
    state: OperatorListState<Waiting>,
}

impl Pending {
    pub(in crate::filesystem::sink) fn new(
        states: &mut StateRegistry,
        board: Arc<Board>,
        (index, attempt): (u32, String),
    ) -> Self {
        Pending {
            board,
            index,
            attempt,
            next: 1,
            partitions: BTreeMap::new(),
            due: BTreeSet::new(),
            idle: false,
            marked: None,
            state: states.operator_list("partitions", Redistribution::Split),
        }
    }

    /// Goes on with what the checkpoint held. If all input had `ended` in it, nothing but this call
    /// will come, and everything is committed that a mark waits for.
    pub(in crate::filesystem::sink) fn open(
        &mut self,
        ended: bool,
        ctx: &mut Context,
    ) -> Result<()> {
        for waiting in std::mem::take(self.state.get_mut(ctx.states_mut())) {
            let entry = Entry {
                since: waiting.since,
                mark: self.next,
            };
            self.partitions.insert(waiting.partition, entry);
        }
        self.store(ctx);
        if ended {
            self.mark_end();
            return self
                .take_mark()
                .map_or(Ok(()), |mark| self.board.post(mark));
        }
        Ok(())
    }

    /// A file of a partition is begun.
    pub(in crate::filesystem::sink) fn touch(&mut self, partition: &str, ctx: &Context) {
        if self.board.commit().is_none() {
            return;
        }
        let mark = self.next;
        let entry = self.partitions.entry(partition.to_owned());
        let since = ctx.now().millis();
        entry.or_insert(Entry { since, mark }).mark = mark;
    }

    /// Whether nothing comes for now, so that others need not wait for this instance.
    pub(in crate::filesystem::sink) fn set_idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    /// Drops what has been committed and not been written to since.
    pub(in crate::filesystem::sink) fn forget_committed(&mut self, open: &BTreeMap<String, Part>) {
        for (partition, mark) in self.board.take_committed(self.index, &self.attempt) {
            let entry = self.partitions.get(&partition);
            if entry.is_some_and(|entry| entry.mark <= mark) && !open.contains_key(&partition) {
                self.partitions.remove(&partition);
            }
        }
    }

    /// Settles at a barrier which partitions are due: their files are to be finished.
    ///
    /// # Errors
    /// `User` for a partition whose values name no time.
    pub(in crate::filesystem::sink) fn mark(&mut self, ctx: &Context) -> Result<()> {
        let Some(commit) = self.board.commit() else {
            return Ok(());
        };
        let own = ctx.watermark().0;
        let others = self.idle.then(|| self.board.watermark());
        let watermark = others.map_or(own, |others| own.max(others));
        self.due.clear();
        for (partition, entry) in &self.partitions {
            if commit.is_due(partition, entry.since, watermark, ctx.now().millis())? {
                self.due.insert(partition.clone());
            }
        }
        self.post_later(watermark);
        Ok(())
    }

    /// The input has ended: everything is due.
    pub(in crate::filesystem::sink) fn mark_end(&mut self) {
        if self.board.commit().is_some() {
            self.due = self.partitions.keys().cloned().collect();
            self.post_later(i64::MAX);
        }
    }

    fn post_later(&mut self, watermark: i64) {
        let open = self.partitions.keys();
        let open = open.filter(|partition| !self.due.contains(*partition));
        self.marked = Some(Mark {
            index: self.index,
            attempt: self.attempt.clone(),
            sequence: self.next,
            watermark,
            idle: self.idle && watermark < i64::MAX,
            due: self.due.iter().cloned().collect(),
            open: open.cloned().collect(),
        });
        self.next += 1;
    }

    /// Whether a partition is due at this barrier.
    pub(in crate::filesystem::sink) fn is_due(&self, partition: &str) -> bool {
        self.due.contains(partition)
    }

    /// What is to be posted when the barrier's files are committed.
    pub(in crate::filesystem::sink) fn take_mark(&mut self) -> Option<Mark> {
        self.marked.take()
    }

    /// Leaves the partitions to the checkpoint.
    pub(in crate::filesystem::sink) fn store(&self, ctx: &mut Context) {
        let waiting = |(partition, entry): (&String, &Entry)| Waiting {
            partition: partition.clone(),
            since: entry.since,
        };
        *self.state.get_mut(ctx.states_mut()) = self.partitions.iter().map(waiting).collect();
    }
}

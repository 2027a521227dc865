//! A source of splits that are drawn beforehand; its state is how far it has read each.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_core::data::{Data, from_bytes};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_runtime::checkpoint::JobSnapshot;

use super::entries;
use crate::seed::Dice;

const SPLITS: &str = "splits";
// After so many records of a split the reader waits a moment, so that tasks run out of work.
const BREATH: u64 = 16;

/// A record of a split.
#[derive(Clone, Debug)]
pub struct SplitRecord<T> {
    /// What is emitted.
    pub value: T,
    /// Its timestamp.
    pub time: i64,
    /// Its place in time, which never falls within a split; `time` is at or after it.
    pub due: i64,
}

/// The splits of a source.
pub type Splits<T> = Arc<Vec<Vec<SplitRecord<T>>>>;

/// Draws splits of `records` records in all; `value` makes each from its number.
pub fn draw_splits<T>(
    dice: &mut Dice,
    records: u64,
    jitter: u64,
    mut value: impl FnMut(&mut Dice, u64) -> T,
) -> Splits<T> {
    let count = dice.between(1, 5);
    let mut splits: Vec<Vec<SplitRecord<T>>> = (0..count).map(|_| Vec::new()).collect();
    let mut due = 0;
    for number in 0..records {
        due += dice.between(0, 6) as i64;
        let split = dice.below(count) as usize;
        let time = due + dice.between(0, jitter) as i64;
        let value = value(dice, number);
        splits[split].push(SplitRecord { value, time, due });
    }
    Arc::new(splits)
}

/// How many records of each split a checkpoint has behind it.
pub fn offsets(snapshot: &JobSnapshot, uid: &str) -> Result<BTreeMap<u64, u64>, String> {
    let mut offsets = BTreeMap::new();
    for bytes in entries(snapshot, uid, SPLITS) {
        let (split, next): (u64, u64) = from_bytes(bytes).map_err(|error| error.to_string())?;
        if offsets.insert(split, next).is_some() {
            return Err(format!("split {split} is in two instances"));
        }
    }
    Ok(offsets)
}

/// The records that a checkpoint has behind it.
pub fn emitted<'a, T>(
    splits: &'a Splits<T>,
    snapshot: &JobSnapshot,
    uid: &str,
) -> Result<Vec<&'a T>, String> {
    let offsets = offsets(snapshot, uid)?;
    if offsets.len() != splits.len() {
        let (found, all) = (offsets.len(), splits.len());
        return Err(format!(
            "{found} of {all} splits of `{uid}` are in the checkpoint"
        ));
    }
    let mut records = Vec::new();
    for (split, next) in offsets {
        let behind = splits[split as usize].iter().take(next as usize);
        records.extend(behind.map(|record| &record.value));
    }
    Ok(records)
}

/// The source.
pub struct SplitSource<T>(pub Splits<T>);

impl<T: Data> SourceFactory for SplitSource<T> {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let (index, parallelism) = (setup.info.index, setup.info.parallelism);
        let all = 0..self.0.len() as u64;
        let own = all.filter(|s| s % u64::from(parallelism) == u64::from(index));
        Ok(Box::new(SplitReader {
            all: self.0.clone(),
            own: own.map(|split| (split, 0)).collect(),
            splits: setup.states.operator_list(SPLITS, Redistribution::Split),
            waited_at: None,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct SplitReader<T> {
    all: Splits<T>,
    own: Vec<(u64, u64)>,
    /// Each split and how many of its records are emitted.
    splits: OperatorListState<(u64, u64)>,
    waited_at: Option<(u64, u64)>,
}

impl<T: Data> SourceReader for SplitReader<T> {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.splits.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let now = ctx.now();
        let splits = self.splits.get_mut(ctx.states_mut());
        let record = |(split, next): &(u64, u64)| {
            let split = self.all.get(*split as usize)?;
            split.get(*next as usize)
        };
        // The earliest first: what is emitted is out of order by no more than the jitter.
        let open = splits.iter_mut().filter(|split| record(split).is_some());
        let due = |split: &&mut (u64, u64)| record(split).map(|record| record.due);
        let Some(split) = open.min_by_key(due) else {
            return Ok(Poll::End);
        };
        if split.1 % BREATH == BREATH - 1 && self.waited_at != Some(*split) {
            self.waited_at = Some(*split);
            return Ok(Poll::Idle {
                until: Some(ProcessingTime(now.millis() + 1)),
            });
        }
        let record = record(split).ok_or_else(|| Error::internal("an open split has no record"))?;
        let mut rows = Rows::default();
        rows.push(record.value.clone(), EventTime(record.time));
        split.1 += 1;
        out.emit(Box::new(rows));
        Ok(Poll::Ready)
    }
}

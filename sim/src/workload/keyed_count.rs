//! Counts by key: every count of every key appears once. Half of the jobs write to a target without
//! transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_runtime::checkpoint::JobSnapshot;

use super::source::{SplitSource, Splits, draw_splits, emitted};
use super::{Workload, keyed_values};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// The workload.
pub struct KeyedCount {
    keys: Splits<u64>,
}

impl KeyedCount {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (records, keys) = (dice.between(50, 400), dice.between(1, 40));
        KeyedCount {
            keys: draw_splits(dice, records, 0, |dice, _| dice.below(keys)),
        }
    }
}

impl KeyedCount {
    // Told by the input, so that a seed means the same jobs and faults as before.
    fn writes_ahead(&self) -> bool {
        self.keys.iter().map(Vec::len).sum::<usize>() % 2 == 0
    }
}

impl Workload for KeyedCount {
    fn name(&self) -> &'static str {
        if self.writes_ahead() {
            "keyed count, written ahead"
        } else {
            "keyed count"
        }
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let counts = env
            .from_source::<u64>("Keys", Arc::new(SplitSource(self.keys.clone())), None)
            .uid("source")
            .map(|key| (key, 1u64))
            .key_by(|pair: &(u64, u64)| pair.0)
            .reduce(|one, other| (one.0, one.1 + other.1))
            .uid("count")
            .map(|(key, count)| format!("{key}: {count}"));
        if self.writes_ahead() {
            let ledger = ledger.clone();
            counts.write_ahead_to("Ledger", move || Ok(Box::new(ledger.clone())));
        } else {
            counts.sink_to("Ledger", Arc::new(ledger.clone()));
        }
    }

    fn expected(&self) -> Vec<String> {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        let records = self.keys.iter().flatten();
        let rows = records.map(|record| {
            let count = counts.entry(record.value).or_default();
            *count += 1;
            format!("{}: {count}", record.value)
        });
        rows.collect()
    }

    fn check_state(&self, snapshot: &JobSnapshot) -> Result<(), String> {
        let mut model: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for key in emitted(&self.keys, snapshot, "source")? {
            model.entry(*key).or_insert((*key, 0)).1 += 1;
        }
        let state: BTreeMap<u64, (u64, u64)> = keyed_values(snapshot, "count", "value")?;
        if state != model {
            return Err(format!("counts are {state:?} instead of {model:?}"));
        }
        Ok(())
    }
}

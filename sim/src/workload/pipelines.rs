//! Several pipelines in one job that have nothing to do with each other, with an exchange or without:
//! each is a region, or each of its instances is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_core::id::OperatorUid;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_runtime::checkpoint::JobSnapshot;

use super::source::{SplitSource, Splits, draw_splits, emitted};
use super::{Workload, keyed_values};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// Key, number of the record.
type Numbered = (u64, u64);

struct Pipeline {
    records: Splits<Numbered>,
    /// Counts by key behind an exchange; or passes records on from instance to instance.
    counts: bool,
}

/// The workload.
pub struct Pipelines(Vec<Pipeline>);

impl Pipelines {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let count = dice.between(1, 3);
        let pipelines = (0..count).map(|_| {
            let (records, keys) = (dice.between(20, 200), dice.between(1, 12));
            Pipeline {
                records: draw_splits(dice, records, 0, |dice, n| (dice.below(keys), n)),
                counts: dice.one_in(2),
            }
        });
        Pipelines(pipelines.collect())
    }
}

impl Workload for Pipelines {
    fn name(&self) -> &'static str {
        "pipelines"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        for (at, pipeline) in self.0.iter().enumerate() {
            let source = Arc::new(SplitSource(pipeline.records.clone()));
            let records = env
                .from_source::<Numbered>("Records", source, None)
                .uid(&format!("{at}-source"));
            let rows = if pipeline.counts {
                records
                    .map(|(key, _)| (key, 1u64))
                    .uid(&format!("{at}-ones"))
                    .key_by(|pair: &Numbered| pair.0)
                    .reduce(|one, other| (one.0, one.1 + other.1))
                    .uid(&format!("{at}-count"))
            } else {
                records
                    .map(|record| record)
                    .uid(&format!("{at}-as it is"))
                    .disable_chaining()
            };
            rows.map(move |(key, number)| format!("{at}: {key}, {number}"))
                .uid(&format!("{at}-rows"))
                .sink_to("Ledger", Arc::new(ledger.clone()));
        }
    }

    fn part(&self, uid: &OperatorUid) -> Option<u64> {
        let (part, _) = uid.as_str().split_once('-')?;
        part.parse().ok()
    }

    fn expected(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for (at, pipeline) in self.0.iter().enumerate() {
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            for record in pipeline.records.iter().flatten() {
                let (key, number) = record.value;
                let count = counts.entry(key).or_default();
                *count += 1;
                let shown = if pipeline.counts { *count } else { number };
                rows.push(format!("{at}: {key}, {shown}"));
            }
        }
        rows
    }

    fn check_state(&self, snapshot: &JobSnapshot) -> Result<(), String> {
        for (at, pipeline) in self.0.iter().enumerate() {
            let behind = emitted(&pipeline.records, snapshot, &format!("{at}-source"))?;
            if !pipeline.counts {
                continue;
            }
            let mut model: BTreeMap<u64, Numbered> = BTreeMap::new();
            for (key, _) in behind {
                model.entry(*key).or_insert((*key, 0)).1 += 1;
            }
            let state: BTreeMap<u64, Numbered> =
                keyed_values(snapshot, &format!("{at}-count"), "value")?;
            if state != model {
                return Err(format!("counts are {state:?} instead of {model:?}"));
            }
        }
        Ok(())
    }
}

//! A stream that branches inside of a chain, comes together again, and ends in two sinks. In one
//! branch a record makes more rows than a batch holds.

use std::sync::Arc;

use thalweg_core::error::Result as EngineResult;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_dataflow::environment::StreamExecutionEnvironment;

use super::Workload;
use super::source::{SplitSource, Splits, draw_splits};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// The workload.
pub struct FanOut {
    numbers: Splits<u64>,
    keys: u64,
}

impl FanOut {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (records, keys) = (dice.between(50, 300), dice.between(1, 20));
        FanOut {
            numbers: draw_splits(dice, records, 0, |_, number| number),
            keys,
        }
    }
}

fn row(kind: &str, number: u64) -> String {
    format!("{kind} {number}")
}

fn odd_rows(number: u64) -> impl Iterator<Item = String> {
    (0..number % 23).map(move |copy| row("odd", number * 100 + copy))
}

impl Workload for FanOut {
    fn name(&self) -> &'static str {
        "fan out"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let keys = self.keys;
        let numbers = env
            .from_source::<u64>("Numbers", Arc::new(SplitSource(self.numbers.clone())), None)
            .uid("source")
            .rebalance()
            .map(|number| number + 1);
        let even = numbers.filter(|number| number % 2 == 0);
        let odd = numbers.filter(|number| number % 2 == 1);
        // What is largest so far depends on the order of records, how often it is said does not.
        even.key_by(move |number| number % keys)
            .reduce(u64::max)
            .map(|_| "largest".to_owned())
            .key_by(Clone::clone)
            .process(|states| Tally(states.value("tally")))
            .union(&[odd.shuffle().flat_map(odd_rows)])
            .sink_to("First", Arc::new(ledger.clone()));
        even.map(|number| row("even", number))
            .sink_to("Second", Arc::new(ledger.clone()));
    }

    fn expected(&self) -> Vec<String> {
        let mut said = 0;
        let mut rows = Vec::new();
        for record in self.numbers.iter().flatten() {
            let number = record.value + 1;
            let even = number % 2 == 0;
            said += u64::from(even);
            if even {
                rows.push(row("even", number));
            } else {
                rows.extend(odd_rows(number));
            }
        }
        rows.extend((1..=said).map(|times| row("largest", times)));
        rows
    }
}

/// Numbers the records of a key.
struct Tally(ValueState<u64>);

impl Operator<String, String> for Tally {
    fn process(
        &mut self,
        record: Record<String>,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> EngineResult<()> {
        let times = self.0.get(ctx)?.copied().unwrap_or(0) + 1;
        self.0.set(ctx, times)?;
        out.emit(row(&record.value, times), record.time);
        Ok(())
    }
}

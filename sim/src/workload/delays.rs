//! Records that are held back for a while of processing time: timers of a clock that jumps.

use std::sync::Arc;
use std::time::Duration;

use thalweg_core::error::Result as EngineResult;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_dataflow::environment::StreamExecutionEnvironment;

use super::Workload;
use super::source::{SplitSource, Splits, draw_splits};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// Key, number of the record.
type Letter = (u64, u64);

/// The workload.
pub struct Delays {
    letters: Splits<Letter>,
    delay: Duration,
}

impl Delays {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (records, keys) = (dice.between(50, 300), dice.between(1, 30));
        Delays {
            letters: draw_splits(dice, records, 0, |dice, n| (dice.below(keys), n)),
            delay: Duration::from_millis(dice.between(1, 200)),
        }
    }
}

fn row(key: u64, number: u64) -> String {
    format!("{number} for {key}")
}

impl Workload for Delays {
    fn name(&self) -> &'static str {
        "delays"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let delay = self.delay;
        env.from_source::<Letter>("Letters", Arc::new(SplitSource(self.letters.clone())), None)
            .uid("source")
            .key_by(|letter: &Letter| letter.0)
            .process(move |states| Delay {
                held: states.value("held"),
                delay,
            })
            .uid("delay")
            .sink_to("Ledger", Arc::new(ledger.clone()));
    }

    fn expected(&self) -> Vec<String> {
        let records = self.letters.iter().flatten();
        records.map(|r| row(r.value.0, r.value.1)).collect()
    }
}

/// Holds the records of a key until its timer fires, at the latest until the end.
struct Delay {
    held: ValueState<Vec<u64>>,
    delay: Duration,
}

impl Delay {
    fn release(&self, ctx: &mut Context, out: &mut Output<String>) -> EngineResult<()> {
        let key = *ctx.key::<u64>()?;
        for number in self.held.take(ctx)?.unwrap_or_default() {
            out.emit(row(key, number), EventTime::NONE);
        }
        Ok(())
    }
}

impl Operator<Letter, String> for Delay {
    fn process(
        &mut self,
        record: Record<Letter>,
        ctx: &mut Context,
        _: &mut Output<String>,
    ) -> EngineResult<()> {
        let mut held = self.held.take(ctx)?.unwrap_or_default();
        held.push(record.value.1);
        self.held.set(ctx, held)?;
        ctx.register_processing_timer(ctx.now() + self.delay);
        ctx.register_event_timer(EventTime(i64::MAX));
        Ok(())
    }

    fn on_processing_timer(
        &mut self,
        _: ProcessingTime,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> EngineResult<()> {
        self.release(ctx, out)
    }

    fn on_event_timer(
        &mut self,
        _: EventTime,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> EngineResult<()> {
        self.release(ctx, out)
    }
}

//! A join of two sources by key and tumbling window: two inputs, one watermark.

use std::sync::Arc;
use std::time::Duration;

use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
use thalweg_dataflow::window::TumblingEventTimeWindows;

use super::Workload;
use super::source::{SplitSource, Splits, draw_splits};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// Key, number of the record.
type Side = (u64, u64);

/// The workload.
pub struct WindowJoin {
    left: Splits<Side>,
    right: Splits<Side>,
    jitter: u64,
    size: u64,
}

impl WindowJoin {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (jitter, size, keys) = (dice.between(0, 20), dice.between(5, 60), dice.between(1, 8));
        let side = |dice: &mut Dice| {
            let records = dice.between(30, 200);
            draw_splits(dice, records, jitter, |dice, n| (dice.below(keys), n))
        };
        WindowJoin {
            left: side(dice),
            right: side(dice),
            jitter,
            size,
        }
    }

    fn side(
        &self,
        env: &StreamExecutionEnvironment,
        name: &str,
        splits: &Splits<Side>,
    ) -> DataStream<Side> {
        let jitter = Duration::from_millis(self.jitter);
        env.from_source::<Side>(name, Arc::new(SplitSource(splits.clone())), None)
            .uid(name)
            .assign_timestamps_and_watermarks(WatermarkStrategy::for_bounded_out_of_orderness(
                jitter,
            ))
    }
}

fn row(key: u64, left: u64, right: u64) -> String {
    format!("{key}: {left} and {right}")
}

impl Workload for WindowJoin {
    fn name(&self) -> &'static str {
        "window join"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let left = self.side(env, "left", &self.left);
        let right = self.side(env, "right", &self.right);
        left.join(&right)
            .where_key(|side| side.0)
            .equal_to(|side| side.0)
            .window(TumblingEventTimeWindows::of(Duration::from_millis(
                self.size,
            )))
            .apply(|left, right| row(left.0, left.1, right.1))
            .uid("join")
            .sink_to("Ledger", Arc::new(ledger.clone()));
    }

    fn expected(&self) -> Vec<String> {
        let size = self.size as i64;
        let mut rows = Vec::new();
        for left in self.left.iter().flatten() {
            for right in self.right.iter().flatten() {
                if left.value.0 == right.value.0 && left.time / size == right.time / size {
                    rows.push(row(left.value.0, left.value.1, right.value.1));
                }
            }
        }
        rows
    }
}

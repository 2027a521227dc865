//! Session windows over records out of order: merging windows, and the timers that end them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
use thalweg_dataflow::window::EventTimeSessionWindows;

use super::Workload;
use super::source::{SplitRecord, SplitSource, Splits, draw_splits};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// Key, number of the record.
type Visit = (u64, u64);

/// The workload.
pub struct Sessions {
    visits: Splits<Visit>,
    jitter: u64,
    gap: u64,
}

impl Sessions {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (records, keys) = (dice.between(50, 300), dice.between(1, 12));
        let (jitter, gap) = (dice.between(0, 20), dice.between(1, 30));
        let drawn = draw_splits(dice, records, jitter, |dice, n| (dice.below(keys), n));
        // Of records exactly a gap apart the second may come on time and still behind the end of
        // the first one's session. Even times and an odd gap leave no such records.
        let even = |record: &SplitRecord<Visit>| SplitRecord {
            time: record.time * 2,
            due: record.due * 2,
            value: record.value,
        };
        let splits = drawn.iter().map(|split| split.iter().map(even).collect());
        Sessions {
            visits: Arc::new(splits.collect()),
            jitter: jitter * 2,
            gap: gap * 2 + 1,
        }
    }
}

fn row(key: u64, start: i64, end: i64, visits: usize, sum: u64) -> String {
    format!("{key} from {start} to {end}: {visits} visits, {sum}")
}

impl Workload for Sessions {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let jitter = Duration::from_millis(self.jitter);
        let gap = Duration::from_millis(self.gap);
        env.from_source::<Visit>("Visits", Arc::new(SplitSource(self.visits.clone())), None)
            .uid("source")
            .assign_timestamps_and_watermarks(WatermarkStrategy::for_bounded_out_of_orderness(
                jitter,
            ))
            .key_by(|visit: &Visit| visit.0)
            .window(EventTimeSessionWindows::with_gap(gap))
            .process(|key, window, visits: &[Visit], out| {
                let window = *window.window();
                let sum = visits.iter().map(|visit| visit.1).sum();
                out.collect(row(*key, window.start, window.end, visits.len(), sum));
                Ok(())
            })
            .uid("sessions")
            .sink_to("Ledger", Arc::new(ledger.clone()));
    }

    fn expected(&self) -> Vec<String> {
        let gap = self.gap as i64;
        let mut by_key: BTreeMap<u64, Vec<(i64, u64)>> = BTreeMap::new();
        for record in self.visits.iter().flatten() {
            let (key, number) = record.value;
            by_key.entry(key).or_default().push((record.time, number));
        }
        let mut rows = Vec::new();
        for (key, mut visits) in by_key {
            visits.sort_unstable();
            for session in visits.chunk_by(|one, next| next.0 - one.0 < gap) {
                let sum = session.iter().map(|visit| visit.1).sum();
                let end = session[session.len() - 1].0 + gap;
                rows.push(row(key, session[0].0, end, session.len(), sum));
            }
        }
        rows
    }
}

//! Broadcast state: rules from several senders reach every instance, records are judged by the rules
//! of their time, and each key hears of every rule once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thalweg_core::data::from_bytes;
use thalweg_core::error::Result as EngineResult;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::{BroadcastContext, BroadcastOperator, Context, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::{BroadcastState, ListState, ValueState};
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
use thalweg_runtime::checkpoint::JobSnapshot;

use super::Workload;
use super::source::{SplitSource, Splits, draw_splits, emitted};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// Key or rule, number of the record.
type Numbered = (u64, u64);

const LAST: i64 = i64::MAX;

/// The workload.
pub struct Rules {
    records: Splits<Numbered>,
    rules: Splits<Numbered>,
    jitter: u64,
}

impl Rules {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (jitter, keys) = (dice.between(0, 20), dice.between(1, 12));
        let records = dice.between(30, 200);
        let records = draw_splits(dice, records, jitter, |dice, n| (dice.below(keys), n));
        let rules = dice.between(1, 60);
        Rules {
            records,
            rules: draw_splits(dice, rules, jitter, |dice, n| (dice.below(1000), n)),
            jitter,
        }
    }

    fn side(
        &self,
        env: &StreamExecutionEnvironment,
        name: &str,
        splits: &Splits<Numbered>,
    ) -> DataStream<Numbered> {
        let jitter = Duration::from_millis(self.jitter);
        env.from_source::<Numbered>(name, Arc::new(SplitSource(splits.clone())), None)
            .uid(name)
            .assign_timestamps_and_watermarks(WatermarkStrategy::for_bounded_out_of_orderness(
                jitter,
            ))
    }
}

fn row(number: u64, rules: usize, sum: u64) -> String {
    format!("record {number}: {rules} rules, {sum}")
}

fn last_row(key: u64, heard: u64) -> String {
    format!("key {key} has heard {heard}")
}

impl Workload for Rules {
    fn name(&self) -> &'static str {
        "rules"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let rules = self.side(env, "rules", &self.rules);
        self.side(env, "records", &self.records)
            .key_by(|record| record.0)
            .connect(&rules.broadcast_stream())
            .process(|states| Judge {
                rules: states.broadcast("rules"),
                waiting: states.list("waiting"),
                heard: states.value("heard"),
            })
            .uid("judge")
            .sink_to("Ledger", Arc::new(ledger.clone()));
    }

    fn expected(&self) -> Vec<String> {
        let mut rows = Vec::new();
        let mut keys = BTreeMap::new();
        for record in self.records.iter().flatten() {
            let rules = self.rules.iter().flatten();
            let held = rules.filter(|rule| rule.time <= record.time);
            let held: Vec<u64> = held.map(|rule| rule.value.0).collect();
            rows.push(row(record.value.1, held.len(), held.iter().sum()));
            keys.insert(record.value.0, ());
        }
        let heard = self.rules.iter().flatten().map(|rule| rule.value.0).sum();
        rows.extend(keys.keys().map(|key| last_row(*key, heard)));
        rows
    }

    /// Every instance has the rules that all senders had emitted.
    fn check_state(&self, snapshot: &JobSnapshot) -> Result<(), String> {
        let mut model: Vec<(u64, u64)> = emitted(&self.rules, snapshot, "rules")?
            .into_iter()
            .map(|(rule, number)| (*number, *rule))
            .collect();
        model.sort_unstable();
        let Some(judge) = snapshot.operators.get(&OperatorUid::new("judge")) else {
            return Err("`judge` is not in the checkpoint".to_owned());
        };
        for (index, instance) in judge.instances.iter().enumerate() {
            let mut tables = instance.state.tables.iter();
            let copy = tables.find(|table| table.name == "rules");
            let entries = copy.into_iter().flat_map(|table| table.entries.iter());
            let rules = entries.map(|(_, entry)| from_bytes::<(u64, (i64, u64))>(entry));
            let rules: EngineResult<Vec<_>> = rules.collect();
            let rules = rules.map_err(|error| error.to_string())?;
            let mut rules: Vec<_> = rules.iter().map(|(n, (_, rule))| (*n, *rule)).collect();
            rules.sort_unstable();
            if rules != model {
                return Err(format!(
                    "instance {index} has the rules {rules:?} instead of {model:?}"
                ));
            }
        }
        Ok(())
    }
}

struct Judge {
    /// By number, with its time.
    rules: BroadcastState<u64, (i64, u64)>,
    waiting: ListState<(i64, u64)>,
    heard: ValueState<u64>,
}

impl BroadcastOperator<Numbered, Numbered, String> for Judge {
    fn process(
        &mut self,
        record: Record<Numbered>,
        ctx: &mut Context,
        _: &mut Output<String>,
    ) -> EngineResult<()> {
        if self.heard.get(ctx)?.is_none() {
            let before = self.rules.iter(ctx).map(|(_, (_, rule))| rule).sum();
            self.heard.set(ctx, before)?;
            ctx.register_event_timer(EventTime(LAST));
        }
        self.waiting.add(ctx, (record.time.0, record.value.1))?;
        ctx.register_event_timer(record.time);
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        rule: Record<Numbered>,
        ctx: &mut BroadcastContext<'_>,
        _: &mut Output<String>,
    ) -> EngineResult<()> {
        let (rule, time) = (rule.value, rule.time.0);
        self.rules.insert(ctx, rule.1, (time, rule.0));
        ctx.apply_to_keyed_state(&self.heard, |ctx| {
            *self.heard.get_or_insert_with(ctx, || 0)? += rule.0;
            Ok(())
        })
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> EngineResult<()> {
        if time.0 == LAST {
            let heard = self.heard.get(ctx)?.copied().unwrap_or_default();
            out.emit(last_row(*ctx.key::<u64>()?, heard), time);
            return Ok(());
        }
        let waiting = self.waiting.take(ctx)?.into_iter();
        let (due, later): (Vec<_>, Vec<_>) = waiting.partition(|(at, _)| *at <= time.0);
        self.waiting.update(ctx, later)?;
        for (at, number) in due {
            let rules = self.rules.iter(ctx).map(|(_, rule)| *rule);
            let held = rules.filter(|(since, _)| *since <= at);
            let held: Vec<u64> = held.map(|(_, rule)| rule).collect();
            out.emit(row(number, held.len(), held.iter().sum()), time);
        }
        Ok(())
    }
}

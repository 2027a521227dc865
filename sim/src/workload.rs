//! What is run: jobs with bounded input whose results are known beforehand.

mod bank;
mod delays;
mod fan_out;
mod keyed_count;
mod pipelines;
mod rules;
mod sessions;
mod source;
mod window_join;

use std::collections::BTreeMap;

use thalweg_core::data::Data;
use thalweg_core::id::OperatorUid;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_runtime::checkpoint::JobSnapshot;

use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// A job with known results. Each row has a text of its own, whatever the order of records.
pub trait Workload {
    /// Its name in summaries.
    fn name(&self) -> &'static str;

    /// Adds the job to an environment; its results go to the ledger.
    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger);

    /// Which part an operator belongs to, if the workload has parts that have nothing to do with
    /// each other.
    fn part(&self, _uid: &OperatorUid) -> Option<u64> {
        None
    }

    /// All rows, in any order.
    fn expected(&self) -> Vec<String>;

    /// Whether the state of a checkpoint is that of the records its sources had emitted.
    ///
    /// # Errors
    /// What differs.
    fn check_state(&self, _snapshot: &JobSnapshot) -> Result<(), String> {
        Ok(())
    }
}

/// Draws a workload.
pub fn draw(dice: &mut Dice) -> Box<dyn Workload> {
    match dice.below(10) {
        0 => Box::new(keyed_count::KeyedCount::draw(dice)),
        1 => Box::new(bank::Bank::draw(dice)),
        2 => Box::new(delays::Delays::draw(dice)),
        3 => Box::new(fan_out::FanOut::draw(dice)),
        4 => Box::new(rules::Rules::draw(dice)),
        5..=7 => Box::new(pipelines::Pipelines::draw(dice)),
        8 => Box::new(sessions::Sessions::draw(dice)),
        _ => Box::new(window_join::WindowJoin::draw(dice)),
    }
}

/// The values of a keyed state in a checkpoint, over all instances of an operator.
fn keyed_values<K: Data + Ord, V: Data>(
    snapshot: &JobSnapshot,
    uid: &str,
    table: &str,
) -> Result<BTreeMap<K, V>, String> {
    let mut values = BTreeMap::new();
    for mut bytes in entries(snapshot, uid, table) {
        let key = K::decode(&mut bytes).map_err(|error| error.to_string())?;
        let value = V::decode(&mut bytes).map_err(|error| error.to_string())?;
        if values.insert(key, value).is_some() {
            return Err(format!("a key of `{uid}` is in two instances"));
        }
    }
    Ok(values)
}

/// The entries of a state in a checkpoint, over all instances of an operator.
fn entries<'a>(
    snapshot: &'a JobSnapshot,
    uid: &str,
    table: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    let operator = snapshot.operators.get(&OperatorUid::new(uid));
    let instances = operator
        .into_iter()
        .flat_map(|operator| &operator.instances);
    let tables = instances.flat_map(|instance| &instance.state.tables);
    let named = tables.filter(move |found| found.name == table);
    named.flat_map(|found| found.entries.iter().map(|(_, entry)| entry))
}

//! Transfers between accounts: two records each, and no checkpoint holds only one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg_core::error::Result as EngineResult;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_runtime::checkpoint::JobSnapshot;

use super::source::{SplitSource, Splits, draw_splits, emitted};
use super::{Workload, keyed_values};
use crate::seed::Dice;
use crate::world::ledger::Ledger;

/// From, to, amount.
type Transfer = (u64, u64, i64);

/// The workload.
pub struct Bank {
    transfers: Splits<Transfer>,
}

impl Bank {
    /// Draws its input.
    pub fn draw(dice: &mut Dice) -> Self {
        let (records, accounts) = (dice.between(50, 300), dice.between(2, 20));
        Bank {
            transfers: draw_splits(dice, records, 0, |dice, _| {
                let amount = dice.between(1, 1000) as i64;
                (dice.below(accounts), dice.below(accounts), amount)
            }),
        }
    }
}

/// How many entries an account has had, and their sum.
type Balances = BTreeMap<u64, (u64, i64)>;

fn book<'a>(transfers: impl IntoIterator<Item = &'a Transfer>) -> Balances {
    let mut balances = Balances::new();
    for (from, to, amount) in transfers {
        for (account, change) in [(from, -amount), (to, *amount)] {
            let balance = balances.entry(*account).or_default();
            *balance = (balance.0 + 1, balance.1 + change);
        }
    }
    balances
}

impl Workload for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn compose(&self, env: &StreamExecutionEnvironment, ledger: &Ledger) {
        let source = SplitSource(self.transfers.clone());
        env.from_source::<Transfer>("Transfers", Arc::new(source), None)
            .uid("source")
            .flat_map(|(from, to, amount)| [(from, -amount), (to, amount)])
            .key_by(|change: &(u64, i64)| change.0)
            .process(|states| Account(states.value("balance")))
            .uid("accounts")
            .sink_to("Ledger", Arc::new(ledger.clone()));
    }

    fn expected(&self) -> Vec<String> {
        let transfers = self.transfers.iter().flatten().map(|record| &record.value);
        let mut rows = Vec::new();
        for (account, (entries, balance)) in book(transfers) {
            rows.extend((1..=entries).map(|entry| format!("entry {entry} of {account}")));
            rows.push(format!("{account} has {balance}"));
        }
        rows
    }

    fn check_state(&self, snapshot: &JobSnapshot) -> Result<(), String> {
        let state: Balances = keyed_values(snapshot, "accounts", "balance")?;
        let sum: i64 = state.values().map(|(_, balance)| balance).sum();
        if sum != 0 {
            return Err(format!("money has come from nowhere or is lost: {sum}"));
        }
        let model = book(emitted(&self.transfers, snapshot, "source")?);
        if state != model {
            return Err(format!("balances are {state:?} instead of {model:?}"));
        }
        Ok(())
    }
}

/// Notes every entry, and says the balance at the end.
struct Account(ValueState<(u64, i64)>);

impl Operator<(u64, i64), String> for Account {
    fn process(
        &mut self,
        record: Record<(u64, i64)>,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> EngineResult<()> {
        let (account, change) = record.value;
        let (entries, balance) = match self.0.get(ctx)? {
            Some(known) => *known,
            None => {
                ctx.register_event_timer(EventTime(i64::MAX));
                (0, 0)
            }
        };
        self.0.set(ctx, (entries + 1, balance + change))?;
        out.emit(format!("entry {} of {account}", entries + 1), record.time);
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> EngineResult<()> {
        let account = *ctx.key::<u64>()?;
        if let Some((_, balance)) = self.0.get(ctx)? {
            out.emit(format!("{account} has {balance}"), time);
        }
        Ok(())
    }
}

//! The outside world that sinks write to: what is committed there stays, whatever happens to the
//! process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{from_bytes, to_bytes};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::watermark::Watermark;
use thalweg_dataflow::operators::write_ahead::{BatchId, WriteAheadTarget};

use super::power::Power;
use crate::checker::watermarks::Rising;
use crate::journal::Journal;
use crate::plant::Plant;

/// A committed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// What it made appear.
    pub rows: Vec<String>,
    /// How often the job had gone back behind commits before: see [`Ledger::go_back`].
    pub epoch: u64,
}

#[derive(Default)]
struct State {
    committed: BTreeMap<u64, Transaction>,
    next_transaction: u64,
    epoch: u64,
    failing_in: Option<u64>,
    stopped: bool,
    asked: BTreeSet<u64>,
}

/// A ledger of committed rows.
#[derive(Clone)]
pub struct Ledger {
    state: Arc<Mutex<State>>,
    power: Arc<Power>,
    journal: Journal,
    plant: Option<Plant>,
}

impl Ledger {
    /// An empty ledger whose transactions are numbered from `first`.
    pub fn new(first: u64, power: Arc<Power>, journal: Journal, plant: Option<Plant>) -> Self {
        let state = State {
            next_transaction: first,
            ..State::default()
        };
        Ledger {
            state: Arc::new(Mutex::new(state)),
            power,
            journal,
            plant,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, transaction: u64) -> bool {
        let mut state = self.state();
        if self.plant == Some(Plant::TrustAsked) && !state.asked.insert(transaction) {
            return true;
        }
        state.committed.contains_key(&transaction)
    }

    /// What is committed, by transaction.
    pub fn committed(&self) -> BTreeMap<u64, Transaction> {
        self.state().committed.clone()
    }

    /// How often the job has gone back behind commits.
    pub fn epoch(&self) -> u64 {
        self.state().epoch
    }

    /// The job goes back to a checkpoint before some commits, because the newer ones are damaged:
    /// rows committed before may come once more.
    pub fn go_back(&self) {
        self.state().epoch += 1;
    }

    /// Writers can take nothing, or can again.
    pub fn stop(&self, stopped: bool) {
        self.state().stopped = stopped;
    }

    /// A commit fails, after `transactions` more.
    pub fn fail_after(&self, transactions: u64) {
        self.state().failing_in = Some(transactions);
    }

    fn new_transaction(&self) -> u64 {
        let mut state = self.state();
        state.next_transaction += 1;
        state.next_transaction
    }

    fn commit(&self, transaction: u64, rows: Vec<String>) -> Result<()> {
        let failed = |what: &str| Error::new(ErrorKind::Retryable, format!("planted: {what}"));
        if self.power.is_off() || !self.power.begin() {
            return Err(failed("the process ends in a commit"));
        }
        let mut state = self.state();
        match state.failing_in {
            Some(0) => {
                state.failing_in = None;
                return Err(failed("a commit fails"));
            }
            Some(left) => state.failing_in = Some(left - 1),
            None => {}
        }
        let transaction = match self.plant {
            Some(Plant::CommitTwice) => {
                state.next_transaction += 1;
                state.next_transaction
            }
            _ => transaction,
        };
        let epoch = state.epoch;
        self.journal
            .note(format_args!("commit {transaction} {rows:?}"));
        let new = Transaction { rows, epoch };
        if let Some(before) = state.committed.get(&transaction) {
            if before.rows != new.rows {
                self.journal
                    .violate(format!("transaction {transaction} has changed"));
            }
            return Ok(());
        }
        state.committed.insert(transaction, new);
        Ok(())
    }
}

impl SinkFactory for Ledger {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        let name = format!("{} {}", setup.info.operator, setup.info.index);
        Ok(Box::new(LedgerWriter {
            ledger: self.clone(),
            open: Vec::new(),
            watermarks: Rising::new(name, self.journal.clone()),
        }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(LedgerCommitter(self.clone()))))
    }
}

struct LedgerWriter {
    ledger: Ledger,
    open: Vec<String>,
    watermarks: Rising,
}

impl SinkWriter for LedgerWriter {
    // Whoever asks is asked again after a step: no waker is needed.
    fn is_ready(&mut self, _: &mut Context) -> Result<bool> {
        Ok(!self.ledger.state().stopped)
    }

    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        self.open.extend(downcast::<Rows<String>>(batch)?.values);
        Ok(())
    }

    fn write_watermark(&mut self, watermark: Watermark, _: &mut Context) -> Result<()> {
        self.watermarks.see(watermark);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        if self.open.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = self.ledger.new_transaction();
        let rows = std::mem::take(&mut self.open);
        Ok(vec![to_bytes(&(transaction, rows))])
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

struct LedgerCommitter(Ledger);

impl Committer for LedgerCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        for committable in committables {
            let (transaction, rows) = from_bytes(committable)?;
            self.0.commit(transaction, rows)?;
        }
        Ok(())
    }
}

/// A batch is a transaction: it is there as a whole, under its id.
impl WriteAheadTarget<String> for Ledger {
    fn has(&mut self, id: &BatchId) -> Result<bool> {
        Ok(Ledger::has(self, transaction(id)))
    }

    fn write(&mut self, id: &BatchId, rows: Vec<String>) -> Result<()> {
        self.commit(transaction(id), rows)
    }
}

fn transaction(id: &BatchId) -> u64 {
    stable_hash_bytes(&to_bytes(id))
}

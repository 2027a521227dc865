//! A job that fails in its middle, and two tables outside of it that cannot take a write back: one
//! gets each payment once because batches of them have ids, the other the balance of each account
//! because a balance replaces the one before.
//!
//!     cargo run --package thalweg-examples --bin outside_systems

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thalweg::ErrorKind;
use thalweg::core::config::RestartStrategy;
use thalweg::dataflow::operators::write_ahead::{BatchId, WriteAheadTarget};
use thalweg::prelude::*;

const PAYMENTS: u64 = 60_000;
const ACCOUNTS: u64 = 5;
// Counted over all attempts.
const FAILS_AT: u64 = 40_000;

/// A table without transactions that takes a batch with its id in one go.
#[derive(Clone, Default)]
struct Payments(Arc<Mutex<BTreeMap<BatchId, Vec<u64>>>>);

impl WriteAheadTarget<u64> for Payments {
    fn has(&mut self, id: &BatchId) -> Result<bool> {
        let batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(batches.contains_key(id))
    }

    fn write(&mut self, id: &BatchId, payments: Vec<u64>) -> Result<()> {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        batches.insert(id.clone(), payments);
        Ok(())
    }
}

/// A table in which a row replaces the one with its key.
type Balances = Arc<Mutex<BTreeMap<u64, u64>>>;

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("thalweg-outside-{}", std::process::id()));
    let (payments, balances) = (Payments::default(), Balances::default());
    let seen = Arc::new(AtomicU64::new(0));

    let env = StreamExecutionEnvironment::new();
    env.configure(|config| {
        config.checkpointing.interval = Some(Duration::from_millis(20));
        config.checkpointing.directory = Some(directory.display().to_string());
        config.restart = RestartStrategy::FixedDelay {
            attempts: 1,
            delay: Duration::ZERO,
        };
    });
    let counted = seen.clone();
    let stream = env
        .from_generator(Some(PAYMENTS), |payment| payment)
        .try_map(move |payment: u64| {
            if counted.fetch_add(1, Ordering::SeqCst) == FAILS_AT {
                return Err(Error::new(ErrorKind::Retryable, "a network fails"));
            }
            Ok(payment)
        });
    let target = payments.clone();
    stream.write_ahead_to("Payments", move || Ok(Box::new(target.clone())));
    let table = balances.clone();
    stream
        .map(|payment| (payment % ACCOUNTS, 1u64))
        .key_by(|entry: &(u64, u64)| entry.0)
        .reduce(|one, other| (one.0, one.1 + other.1))
        .for_each(move |(account, balance): (u64, u64)| {
            let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
            table.insert(account, balance);
        });
    env.execute()?;

    println!("failed: {}", seen.load(Ordering::SeqCst) > PAYMENTS);
    let batches = payments.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut written: Vec<u64> = batches.values().flatten().copied().collect();
    written.sort_unstable();
    let once = written.iter().copied().eq(0..PAYMENTS);
    println!("{} payments, each once: {once}", written.len());
    let balances = balances.lock().unwrap_or_else(PoisonError::into_inner);
    println!("balances: {balances:?}");
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

//! A job is stopped with a savepoint, and a newer version of it whose state has another type goes
//! on from there: a counter has become wider, and the largest order is kept beside it.
//!
//!     cargo run --package thalweg-examples --bin state_migration

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use thalweg::core::config::Recovery;
use thalweg::core::data::Data;
use thalweg::prelude::*;

const CUSTOMERS: u64 = 3;
const ORDERS: u64 = 90_000;

/// What is kept of a customer, in the first version.
mod v1 {
    #[derive(Clone, Debug, Default, thalweg::Data)]
    #[data(crate = "thalweg::core")]
    pub struct Totals {
        pub orders: u32,
    }
}

/// The same in the second one, under another name.
mod v2 {
    #[derive(Clone, Debug, Default, thalweg::Data)]
    #[data(crate = "thalweg::core", alias = "Totals")]
    pub struct Statistics {
        #[data(alias = "orders")]
        pub count: u64,
        pub largest: Option<u64>,
    }
}

/// Applies each order to what is kept of its customer, and emits what `update` makes of it.
struct Keep<S, F> {
    kept: ValueState<S>,
    update: F,
}

impl<S, F> Operator<u64, String> for Keep<S, F>
where
    S: Data + Default,
    F: Fn(&mut S, u64) -> String + Send + 'static,
{
    fn process(
        &mut self,
        order: Record<u64>,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> Result<()> {
        let kept = self.kept.get_or_insert_with(ctx, S::default)?;
        out.emit((self.update)(kept, order.value), order.time);
        Ok(())
    }
}

/// The job: the last line of each customer is kept in `lines`. `seen` counts its orders.
fn compose<S: Data + Default>(
    lines: &Arc<Mutex<Vec<String>>>,
    seen: &Arc<AtomicU64>,
    update: impl Fn(&mut S, u64) -> String + Clone + Send + Sync + 'static,
) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::new();
    let (lines, seen) = (lines.clone(), seen.clone());
    env.from_generator(Some(ORDERS), |order| order)
        .uid("orders")
        .key_by(|order| order % CUSTOMERS)
        .process(move |states| Keep {
            kept: states.value("kept"),
            update: update.clone(),
        })
        .uid("customers")
        .for_each(move |line: String| {
            let seen = seen.fetch_add(1, Ordering::SeqCst);
            if let Ok(mut lines) = lines.lock() {
                let customer = seen % CUSTOMERS;
                lines.resize(CUSTOMERS as usize, String::new());
                lines[customer as usize] = line;
            }
        });
    env
}

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("thalweg-migration-{}", std::process::id()));
    let (lines, seen) = (Arc::default(), Arc::default());

    let first = compose(&lines, &seen, |totals: &mut v1::Totals, order| {
        totals.orders += 1;
        format!("customer {}: {} orders", order % CUSTOMERS, totals.orders)
    });
    let job = first.execute_async()?;
    while seen.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let savepoint = job
        .client()
        .stop_with_savepoint(directory.to_str(), false)?;
    job.join()?;
    let before = seen.load(Ordering::SeqCst);
    println!("stopped in the middle: {}", before > 0 && before < ORDERS);

    let second = compose(&lines, &seen, |kept: &mut v2::Statistics, order| {
        kept.count += 1;
        kept.largest = kept.largest.max(Some(order));
        let (customer, count) = (order % CUSTOMERS, kept.count);
        let largest = kept.largest.unwrap_or_default();
        format!("customer {customer}: {count} orders, order {largest} last")
    });
    second.configure(|config| config.recovery = Some(Recovery::new(savepoint)));
    second.execute()?;
    if let Ok(lines) = lines.lock() {
        lines.iter().for_each(|line| println!("{line}"));
    }
    println!("each order once: {}", seen.load(Ordering::SeqCst) == ORDERS);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

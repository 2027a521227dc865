//! Deterministic simulation: the engine's own subtasks, coordinator and checkpoint store, one step
//! at a time, in a world that crashes, fills its disk, loses messages and jumps in time.
//!
//! ```text
//!   seed ──▶ scenario ──▶ world ──────────────────────────────────────▶ report
//!            workload     │ process   subtasks, coordinator, store      hash of the trace,
//!            settings     │ storage   files in memory                   counts, violation
//!            faults       │ ledger    what sinks have committed
//!                         │ clock     moves with the steps, and jumps
//!                         └ checkers  one property each, during the run and at its end
//! ```
//!
//! One seed is one run: the same seed gives the same steps, so a failure is found again by its
//! number. A crash takes all memory; storage and ledger stay. After the last fault the job must
//! come to its end.

pub mod checker;
pub mod faults;
pub mod journal;
pub mod plant;
pub mod regressions;
pub mod seed;
pub mod workload;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use thalweg_core::host::SeededNonces;

pub use journal::{Counts, Journal, Report};
pub use plant::Plant;

/// Runs one seed to its end.
pub fn run(seed: u64, plant: Option<Plant>, print: bool) -> Report {
    let journal = Journal::new(print);
    let noting = journal.clone();
    let _nonces = SeededNonces::new(seed);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        world::World::new(seed, plant, noting.clone()).run();
    }));
    if let Err(panic) = ran {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        journal.violate(format!("panicked: {}", text.unwrap_or_default()));
    }
    journal.report(seed)
}

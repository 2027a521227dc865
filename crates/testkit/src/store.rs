//! Keyed state in a store, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_core::config::StateStoreConfig;
use thalweg_core::host::ManualClock;
use thalweg_state::store::MemoryBackend;

/// A store of which next to nothing is held in the tables: what a batch does not need is written
/// down behind it.
pub(crate) fn tiny() -> StateStoreConfig {
    static EXECUTIONS: AtomicU64 = AtomicU64::new(0);
    let execution = EXECUTIONS.fetch_add(1, Ordering::Relaxed);
    let unique = format!("{}-{execution}", std::process::id());
    let directory = std::env::temp_dir().join("thalweg-testkit");
    let clock = Arc::new(ManualClock::default());
    StateStoreConfig::new(Arc::new(MemoryBackend), directory, 1, clock, unique)
}

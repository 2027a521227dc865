//! Where keyed state lies that need not fit into memory.

use std::fmt::{Debug, Formatter};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::host::Clock;
use crate::state::store::StateBackend;

/// `state.backend.type`, if it is another one than `hashmap`.
#[derive(Clone)]
pub struct StateStoreConfig {
    /// What opens stores.
    pub backend: Arc<dyn StateBackend>,
    /// Working directories lie below it.
    pub directory: PathBuf,
    /// What all operator instances may hold in memory of their state.
    pub cache: Arc<CacheMemory>,
    /// What time it is for values with a time to live.
    pub clock: Arc<dyn Clock>,
    /// Stands in the names of files: no other execution has it, of any process.
    pub unique: String,
    // Attempts at jobs with these settings.
    attempts: Arc<AtomicU64>,
}

impl StateStoreConfig {
    /// Settings; `unique` tells the files of this execution from those of all others.
    pub fn new(
        backend: Arc<dyn StateBackend>,
        directory: impl Into<PathBuf>,
        cache_bytes: usize,
        clock: Arc<dyn Clock>,
        unique: impl Into<String>,
    ) -> Self {
        StateStoreConfig {
            backend,
            directory: directory.into(),
            cache: Arc::new(CacheMemory::new(cache_bytes)),
            clock,
            unique: unique.into(),
            attempts: Arc::default(),
        }
    }

    /// A name that no other attempt has.
    pub fn next_attempt(&self) -> String {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        format!("{}-{attempt}", self.unique)
    }
}

impl Debug for StateStoreConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateStoreConfig")
            .field("backend", &self.backend.name())
            .field("directory", &self.directory)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// Memory that operator instances share for what they hold of their state.
#[derive(Debug)]
pub struct CacheMemory {
    bytes: usize,
    users: AtomicUsize,
}

impl CacheMemory {
    /// So many bytes for all.
    pub fn new(bytes: usize) -> Self {
        CacheMemory {
            bytes,
            users: AtomicUsize::new(0),
        }
    }

    /// What each of those who share it may have now, in bytes.
    pub fn share_bytes(&self) -> usize {
        self.bytes / self.users.load(Ordering::Relaxed).max(1)
    }

    /// One more shares it.
    pub fn enter(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// One less shares it.
    pub fn leave(&self) {
        self.users.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Where the keyed state of an operator instance is kept that is larger than memory.

use std::path::PathBuf;
use std::sync::Arc;

use super::snapshot::KeyGroups;
use super::store::StateBackend;
use crate::config::CacheMemory;
use crate::host::Clock;

/// A directory that is deleted when nobody uses it any more.
pub struct WorkingDirectory {
    path: PathBuf,
    backend: Arc<dyn StateBackend>,
}

impl WorkingDirectory {
    /// A directory for stores of a backend.
    pub fn new(path: PathBuf, backend: Arc<dyn StateBackend>) -> Arc<Self> {
        Arc::new(WorkingDirectory { path, backend })
    }
}

impl Drop for WorkingDirectory {
    fn drop(&mut self) {
        self.backend.release(&self.path);
    }
}

/// Where the keyed state of an operator instance is kept.
#[derive(Clone)]
pub struct PagingSpec {
    /// What opens its store.
    pub backend: Arc<dyn StateBackend>,
    /// A working directory of its own, which goes with the last user of it.
    pub directory: Arc<WorkingDirectory>,
    /// Stands in the names of its files; unique over all instances and attempts of a job.
    pub id: String,
    /// The key groups of the instance.
    pub key_groups: KeyGroups,
    /// How many key groups there are.
    pub max_parallelism: u32,
    /// What it may hold in memory, shared with others.
    pub cache: Arc<CacheMemory>,
    /// What time it is for values with a time to live.
    pub clock: Arc<dyn Clock>,
}

impl PagingSpec {
    /// Where the store itself lies.
    pub(super) fn store(&self) -> PathBuf {
        self.directory.path.join("store")
    }

    /// Where the files of a checkpoint are linked.
    pub(super) fn links(&self, checkpoint: u64) -> PathBuf {
        self.directory.path.join(format!("links-{checkpoint}"))
    }
}

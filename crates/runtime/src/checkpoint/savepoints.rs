//! Where the savepoints of one job go, and the one it has started from and owns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thalweg_core::config::{ExecutionConfig, FileSystemOptions};
use thalweg_core::error::{Error, Result};
use thalweg_core::id::JobId;
use thalweg_state::{CheckpointStorage, CheckpointStore, savepoints, storage};

/// Opens a directory that a user has named.
pub type Opener = Arc<dyn Fn(&str) -> Result<Arc<dyn CheckpointStorage>> + Send + Sync>;

/// Where the savepoints of one job go.
#[derive(Clone)]
pub struct Savepoints {
    /// The job.
    pub job: JobId,
    /// Its name, which is written into each.
    pub job_name: String,
    /// `execution.checkpointing.savepoint-dir`: where they go if their request does not say it.
    pub directory: Option<String>,
    /// Opens a directory.
    pub open: Opener,
}

impl Savepoints {
    /// From the settings.
    pub fn of(config: &ExecutionConfig, job: JobId) -> Self {
        let options = config.file_systems.clone();
        Savepoints {
            job,
            job_name: config.job_name.clone(),
            directory: config.checkpointing.savepoint_directory.clone(),
            open: Arc::new(move |directory| storage::open(directory, &options)),
        }
    }

    /// The place of a new savepoint, which can be written. `seed` is used for no other one.
    ///
    /// # Errors
    /// `User` if nobody has named a directory; what the storage fails with.
    pub fn place(&self, directory: Option<&str>, seed: &str) -> Result<CheckpointStore> {
        let directory = directory.or(self.directory.as_deref()).ok_or_else(|| {
            Error::user(
                "no directory for the savepoint: name one, or set \
                 `execution.checkpointing.savepoint-dir`",
            )
        })?;
        let storage = (self.open)(directory)?;
        let mut name = savepoints::directory_name(self.job, seed);
        while !storage.list(&name)?.is_empty() {
            name = savepoints::directory_name(self.job, &name);
        }
        let store = CheckpointStore::savepoint(storage, name);
        store.check_writable()?;
        Ok(store)
    }
}

/// Deletes the savepoint in a directory. Returns whether the directory is gone: files of others in
/// it are kept. `options` are those of the file system that it lies in.
///
/// # Errors
/// As [`storage::open`] and [`savepoints::dispose`].
pub fn dispose(path: &str, options: &FileSystemOptions) -> Result<bool> {
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/_metadata").unwrap_or(path);
    savepoints::dispose(storage::open(path, options)?.as_ref())
}

/// A checkpoint or savepoint that a job has started from and become the owner of: it is deleted as
/// if the job had written it.
pub struct Claimed {
    storage: Arc<dyn CheckpointStorage>,
    gone: AtomicBool,
}

impl Claimed {
    /// The one at the root of a storage.
    pub fn new(storage: Arc<dyn CheckpointStorage>) -> Self {
        Claimed {
            storage,
            gone: AtomicBool::new(false),
        }
    }

    /// Whether it was deleted.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Deletes it.
    ///
    /// # Errors
    /// What the storage fails with. It is not tried again.
    pub fn delete(&self) -> Result<()> {
        if self.gone.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let place = self.storage.display("");
        let deleted = savepoints::delete_claimed(self.storage.as_ref());
        deleted
            .map(drop)
            .map_err(|error| error.context(format!("claimed `{place}` was not deleted")))
    }
}

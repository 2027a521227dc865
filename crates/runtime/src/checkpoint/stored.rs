//! Where a job's checkpoints are, and where an attempt starts from.

use std::collections::VecDeque;
use std::sync::Arc;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::{Error, Result};
use thalweg_core::id::JobId;
use thalweg_state::{CheckpointStorage, CheckpointStore, Loaded, storage};

use super::{InstanceSnapshot, JobSnapshot, OperatorSnapshot};

/// The checkpoints of one job.
#[derive(Clone)]
pub struct Checkpoints {
    /// Where they are.
    pub store: CheckpointStore,
    /// The job's name, which is written into each.
    pub job_name: String,
    /// How many completed ones are kept, at least 1.
    pub retained: usize,
    /// Hears of what should not have happened but stops nobody.
    pub warn: fn(&str),
}

/// What an attempt starts from.
#[derive(Default)]
pub struct StartingPoint {
    /// The number of the checkpoint; 0 for none.
    pub checkpoint: u64,
    /// Its state; `None` to start from nothing.
    pub snapshot: Option<JobSnapshot>,
    /// Where it was read from, which is kept for the files that it has brought to this machine.
    pub storage: Option<Arc<dyn CheckpointStorage>>,
}

impl Checkpoints {
    /// From the settings; `None` if they name no directory.
    ///
    /// # Errors
    /// `Unsupported` for a scheme that this build does not have; `Retryable` if nothing can be written
    /// there.
    pub fn of(config: &ExecutionConfig, job: JobId) -> Result<Option<Self>> {
        let Some(directory) = &config.checkpointing.directory else {
            return Ok(None);
        };
        let in_option = |error: Error| error.context("`execution.checkpointing.dir`");
        let storage = storage::open(directory, &config.file_systems).map_err(in_option)?;
        let store = CheckpointStore::new(storage, job.to_string());
        store.check_writable().map_err(in_option)?;
        Ok(Some(Checkpoints {
            store,
            job_name: config.job_name.clone(),
            retained: config.checkpointing.retained.max(1),
            warn: to_standard_error,
        }))
    }

    /// The completed checkpoints, oldest first; deletes what there is of others.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn completed(&self) -> Result<VecDeque<u64>> {
        let mut completed = VecDeque::new();
        for checkpoint in self.store.numbers()? {
            if self.store.is_complete(checkpoint)? {
                completed.push_front(checkpoint);
            } else {
                self.store.discard(checkpoint)?;
            }
        }
        Ok(completed)
    }

    /// The newest whole checkpoint of this job, if it has one.
    ///
    /// # Errors
    /// As [`CheckpointStore::load_newest`].
    pub fn newest(&self) -> Result<Option<StartingPoint>> {
        let loaded = self
            .store
            .load_newest(&mut |error| (self.warn)(&passed_over(error)))?;
        Ok(loaded.map(StartingPoint::from))
    }
}

impl From<Loaded> for StartingPoint {
    fn from(mut loaded: Loaded) -> Self {
        let mut snapshot = JobSnapshot::default();
        for operator in loaded.metadata.operators {
            let states = loaded.states.remove(&operator.uid).unwrap_or_default();
            let instances = states.into_iter().zip(operator.instances);
            let instances = instances.map(|(state, instance)| InstanceSnapshot {
                state,
                finished: instance.finished,
            });
            let snapshots = OperatorSnapshot {
                name: operator.name,
                max_parallelism: operator.max_parallelism,
                instances: instances.collect(),
            };
            snapshot.operators.insert(operator.uid, snapshots);
        }
        StartingPoint {
            checkpoint: loaded.metadata.checkpoint,
            snapshot: Some(snapshot),
            storage: Some(loaded.storage),
        }
    }
}

/// What is said of a damaged checkpoint: loudly, because output since the older one is repeated.
pub(crate) fn passed_over(error: &Error) -> String {
    format!("a damaged checkpoint is passed over: {error}")
}

/// Warns whoever runs the program.
pub(crate) fn to_standard_error(warning: &str) {
    eprintln!("warning: {warning}");
}

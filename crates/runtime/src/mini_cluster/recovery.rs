//! Where a job's checkpoints are, and where an attempt starts from.

use std::collections::VecDeque;
use std::sync::Arc;

use thalweg_core::config::{ExecutionConfig, Recovery};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_core::id::JobId;
use thalweg_state::{CheckpointStore, Loaded, LocalDirectory};

use crate::checkpoint::{InstanceSnapshot, JobSnapshot, OperatorSnapshot};

/// The checkpoints of one job.
#[derive(Clone)]
pub(super) struct Checkpoints {
    pub(super) store: CheckpointStore,
    pub(super) job_name: String,
    pub(super) retained: usize,
}

/// What an attempt starts from.
#[derive(Default)]
pub(super) struct StartingPoint {
    /// The number of the checkpoint; 0 for none.
    pub(super) checkpoint: u64,
    pub(super) snapshot: Option<JobSnapshot>,
}

impl Checkpoints {
    /// From the settings; `None` if they name no directory.
    pub(super) fn of(config: &ExecutionConfig, job: JobId) -> Result<Option<Self>> {
        let Some(directory) = &config.checkpointing.directory else {
            return Ok(None);
        };
        let storage = Arc::new(LocalDirectory::from_uri(directory)?);
        let store = CheckpointStore::new(storage, job.to_string());
        store
            .check_writable()
            .map_err(|error| error.context("`execution.checkpointing.dir`"))?;
        Ok(Some(Checkpoints {
            store,
            job_name: config.job_name.clone(),
            retained: config.checkpointing.retained.max(1),
        }))
    }

    /// The completed checkpoints, oldest first; deletes what there is of others.
    pub(super) fn completed(&self) -> Result<VecDeque<u64>> {
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
    pub(super) fn newest(&self) -> Result<Option<StartingPoint>> {
        let loaded = self.store.load_newest(&mut warn)?;
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
        }
    }
}

/// Reads what a user wants a job to start from, and checks that the job can take all of it.
pub(super) fn recover(recovery: &Recovery, job: &JobGraph) -> Result<StartingPoint> {
    // What users copy from elsewhere may end in the metadata file.
    let path = recovery.path.trim_end_matches('/');
    let path = path.strip_suffix("/_metadata").unwrap_or(path);
    let storage = Arc::new(LocalDirectory::from_uri(path)?);
    let loaded = thalweg_state::checkpoints::load_named(storage, &mut warn)?;
    let operators = job.vertices.iter().flat_map(|vertex| &vertex.operators);
    let known: Vec<_> = operators.map(|operator| &operator.uid).collect();
    let stateful = |uid| {
        let states = loaded.states.get(uid).into_iter().flatten();
        states
            .flat_map(|state| &state.tables)
            .any(|table| !table.entries.is_empty())
    };
    let mut stored = loaded.metadata.operators.iter();
    let orphan = stored.find(|operator| !known.contains(&&operator.uid) && stateful(&operator.uid));
    if let Some(orphan) = orphan.filter(|_| !recovery.ignore_unclaimed) {
        return Err(Error::user(format!(
            "checkpoint `{}` has state of operator `{}` (uid `{}`), which the job does not have; \
             set `execution.state-recovery.ignore-unclaimed-state` to leave it behind",
            loaded.place, orphan.name, orphan.uid
        )));
    }
    Ok(StartingPoint::from(loaded))
}

/// A damaged checkpoint was passed over: loudly, because output since the older one is repeated.
fn warn(error: &Error) {
    eprintln!("warning: a damaged checkpoint is passed over: {error}");
}

//! What a user wants a job to start from.

use std::sync::Arc;

use thalweg_core::config::Recovery;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_state::LocalDirectory;

use crate::checkpoint::{StartingPoint, passed_over, to_standard_error};

/// Reads what a user wants a job to start from, and checks that the job can take all of it.
pub(super) fn recover(recovery: &Recovery, job: &JobGraph) -> Result<StartingPoint> {
    // What users copy from elsewhere may end in the metadata file.
    let path = recovery.path.trim_end_matches('/');
    let path = path.strip_suffix("/_metadata").unwrap_or(path);
    let storage = Arc::new(LocalDirectory::from_uri(path)?);
    let loaded = thalweg_state::checkpoints::load_named(storage, &mut |error| {
        to_standard_error(&passed_over(error));
    })?;
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

//! What a user wants a job to start from.

use std::sync::Arc;

use thalweg_core::config::{ClaimMode, FileSystemOptions, Recovery};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_state::storage;

use crate::checkpoint::{Claimed, StartingPoint, passed_over, to_standard_error};

/// What a job starts from.
#[derive(Default)]
pub(super) struct Recovered {
    pub(super) from: StartingPoint,
    /// It, if the job becomes its owner.
    pub(super) claimed: Option<Arc<Claimed>>,
}

/// Reads what a user wants a job to start from, and checks that the job can take all of it.
pub(super) fn recover(
    recovery: &Recovery,
    options: &FileSystemOptions,
    job: &JobGraph,
) -> Result<Recovered> {
    // What users copy from elsewhere may end in the metadata file.
    let path = recovery.path.trim_end_matches('/');
    let path = path.strip_suffix("/_metadata").unwrap_or(path);
    let storage = storage::open(path, options)?;
    let loaded = thalweg_state::checkpoints::load_named(storage, &mut |error| {
        to_standard_error(&passed_over(error));
    })?;
    if loaded.metadata.is_finished() {
        to_standard_error(&format!(
            "`{}` is of a job that had come to its end, or was drained: there is nothing left to do",
            loaded.place
        ));
    }
    let operators = job.vertices.iter().flat_map(|vertex| &vertex.operators);
    let known: Vec<_> = operators.map(|operator| &operator.uid).collect();
    let stateful = |uid| {
        let states = loaded.states.get(uid).into_iter().flatten();
        states
            .flat_map(|state| &state.tables)
            .any(|table| !table.entries.is_empty())
    };
    let orphans = loaded.metadata.operators.iter();
    let orphans = orphans.filter(|stored| !known.contains(&&stored.uid) && stateful(&stored.uid));
    let orphans =
        orphans.map(|stored| format!("operator `{}` (uid `{}`)", stored.name, stored.uid));
    let orphans: Vec<String> = orphans.collect();
    if !orphans.is_empty() && !recovery.ignore_unclaimed {
        return Err(Error::user(format!(
            "checkpoint `{}` has state of {}, which the job does not have; \
             set `execution.state-recovery.ignore-unclaimed-state` to leave it behind",
            loaded.place,
            orphans.join(", ")
        )));
    }
    let claimed = match recovery.claim {
        ClaimMode::NoClaim => None,
        ClaimMode::Claim => {
            let storage = storage::open(&loaded.place, options)?;
            Some(Arc::new(Claimed::new(storage)))
        }
    };
    Ok(Recovered {
        from: StartingPoint::from(loaded),
        claimed,
    })
}

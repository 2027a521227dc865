//! Nothing is left behind: directories of checkpoints that nobody will delete.

use std::collections::BTreeSet;

use thalweg_state::CheckpointStore;

use super::Verdict;

/// The directories of checkpoints against the checkpoints that are kept or being made.
///
/// # Errors
/// The first directory that nobody knows.
pub fn check(directories: &[u64], known: &[u64]) -> Verdict {
    match directories.iter().find(|found| !known.contains(found)) {
        Some(leaked) => Err(format!(
            "leaks: nobody knows of checkpoint {leaked}; known are {known:?}"
        )),
        None => Ok(()),
    }
}

/// The shared files against the checkpoints in `directories`. What one refers to that cannot be read
/// is not known: then none is deleted.
///
/// # Errors
/// The first file that no checkpoint refers to.
pub fn check_shared(store: &CheckpointStore, directories: &[u64]) -> Verdict {
    let told = |error| format!("leaks: {error}");
    let mut referred = BTreeSet::new();
    for directory in directories {
        if !store.is_complete(*directory).map_err(told)? {
            continue;
        }
        match store.references(*directory) {
            Ok(names) => referred.extend(names),
            Err(_) => return Ok(()),
        }
    }
    let shared = store.shared().map_err(told)?;
    match shared.iter().find(|name| !referred.contains(*name)) {
        Some(leaked) => Err(format!(
            "leaks: no checkpoint of {directories:?} refers to `{leaked}`"
        )),
        None => Ok(()),
    }
}

/// The storage of a job that has ended.
///
/// # Errors
/// The first file.
pub fn check_end(paths: &[String]) -> Verdict {
    match paths.first() {
        Some(path) => Err(format!("leaks: `{path}` is left at the end")),
        None => Ok(()),
    }
}

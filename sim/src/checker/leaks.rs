//! Nothing is left behind: directories of checkpoints that nobody will delete.

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

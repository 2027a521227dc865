//! Which files a process has given their visible names.
//!
//! After a failure a job commits once more what its checkpoint holds. By then a consumer may have
//! moved a file away, which looks like a file that was lost before anybody saw it. The process
//! knows better, as long as it lives: a start of another one has nothing but the directory.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A checkpoint that a job goes back to holds files of a barrier or two.
const REMEMBERED_MAX: usize = 10_000;

/// The last files that were shown, by all instances of a sink in all attempts.
#[derive(Default)]
pub(super) struct Shown(Mutex<VecDeque<PathBuf>>);

impl Shown {
    fn files(&self) -> MutexGuard<'_, VecDeque<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file was given its visible name, or was found under it.
    pub(super) fn remember(&self, file: PathBuf) {
        let mut files = self.files();
        if files.len() == REMEMBERED_MAX {
            files.pop_front();
        }
        files.push_back(file);
    }

    /// Whether a file was seen by this process under its visible name.
    pub(super) fn contains(&self, file: &Path) -> bool {
        self.files().iter().any(|known| known == file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_files_are_remembered_and_older_ones_take_no_memory() {
        let shown = Shown::default();
        let file = |number: usize| PathBuf::from(format!("/d/{number}"));
        (0..REMEMBERED_MAX + 2).for_each(|number| shown.remember(file(number)));
        assert_eq!(shown.files().len(), REMEMBERED_MAX);
        assert!(!shown.contains(&file(1)) && shown.contains(&file(2)));
    }
}

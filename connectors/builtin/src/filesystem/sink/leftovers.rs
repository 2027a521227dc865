//! What earlier runs and attempts have left behind, and what of it may go.
//!
//! | Hidden file                                   | Goes when its writer is dead and …             |
//! |-----------------------------------------------|------------------------------------------------|
//! | `.inprogress`, of any run                     | always: no checkpoint knows it                 |
//! | `.pending`, of this run, known to the checkpoint that the job starts from   | never           |
//! | `.pending`, of this run, else                 | always: it was written behind that checkpoint  |
//! | `.pending`, of another run                    | never: one of its checkpoints may need it      |
//!
//! What a writer that lives has written is never touched.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind as IoKind};
use std::path::{Path, PathBuf};

use thalweg_core::Data;
use thalweg_core::error::{Error, ErrorKind, Result};

use super::names::{self, Name, Stage};
use super::owner;

/// How far a writer had come when a checkpoint or savepoint cut its stream.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub(super) struct Written {
    /// What the names of all files of the job begin with, over all starts from its checkpoints.
    pub run: String,
    /// The writer.
    pub attempt: String,
    /// How many starts of the run there were before.
    pub generation: u64,
    /// The number of its next file.
    pub next: u64,
    /// The files of earlier attempts that it commits.
    pub adopted: Vec<String>,
    /// Whether a user owns the snapshot: then several jobs may start from it.
    pub savepoint: bool,
    /// Whether its input had ended.
    pub ended: bool,
}

/// What the writers of the checkpoint had written that the job starts from: all of them, as every
/// restored writer sees them. Empty if it starts from none.
pub(super) struct Earlier<'a>(pub &'a [Written]);

impl Earlier<'_> {
    /// The run that goes on, and how many starts of it there were. `None` if a new one begins.
    pub(super) fn goes_on(&self) -> Option<(String, u64)> {
        // Writers whose input had ended do not hear of the savepoint: one that has heard is enough.
        if self.0.iter().any(|written| written.savepoint) {
            return None;
        }
        let first = self.0.first()?;
        let latest = self.0.iter().map(|written| written.generation).max();
        Some((first.run.clone(), latest.unwrap_or(0) + 1))
    }

    fn is_of_run(&self, name: Name<'_>) -> bool {
        self.goes_on().is_some() && self.0.iter().any(|written| written.run == name.run)
    }

    fn writer(&self, name: Name<'_>) -> Option<&Written> {
        self.0
            .iter()
            .find(|written| written.attempt == name.attempt)
    }

    /// Whether a file goes, once its writer is known to be dead.
    fn may_go(&self, name: Name<'_>, visible: &str) -> bool {
        match name.stage {
            Stage::Visible => false,
            Stage::InProgress => true,
            Stage::Pending if !self.is_of_run(name) => false,
            Stage::Pending => match self.writer(name) {
                Some(written) => name.number >= written.next,
                // What an attempt has not finished, the next one adopts or commits when it starts.
                None => !self
                    .0
                    .iter()
                    .any(|written| written.adopted.iter().any(|adopted| adopted == visible)),
            },
        }
    }

    /// Whether a visible file was committed behind the checkpoint.
    fn is_behind(&self, name: Name<'_>) -> bool {
        let Some((_, generation)) = self.goes_on() else {
            return false;
        };
        name.stage == Stage::Visible
            && self.is_of_run(name)
            && match self.writer(name) {
                Some(written) => name.number >= written.next,
                None => name.generation >= generation,
            }
    }

    /// Removes what may go, as far as it is this instance's share, and returns how many files were
    /// committed behind the checkpoint. There are some only if a newer one was passed over: their
    /// rows come again, but they stay, because a committed file never changes.
    ///
    /// # Errors
    /// `Retryable` if the directory cannot be read; `User` if it is none.
    pub(super) fn clear(&self, root: &Path, index: u32, parallelism: u32) -> Result<usize> {
        let mut living = BTreeMap::new();
        let mut behind = 0;
        let mut visit = |path: &Path| -> io::Result<()> {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if names::is_lock(&name) {
                // Of a dead writer it is removed.
                owner::lives(path);
                return Ok(());
            }
            let Some(part) = names::parse(&name) else {
                return Ok(());
            };
            behind += usize::from(self.is_behind(part));
            let owner = if self.is_of_run(part) { part.index } else { 0 };
            let mine = owner == index || (index == 0 && owner >= parallelism);
            let visible = name.trim_start_matches('.');
            let visible = visible.strip_suffix(".pending").unwrap_or(visible);
            if mine && self.may_go(part, visible) && !writer_lives(root, path, part, &mut living) {
                tolerate_missing(fs::remove_file(path))?;
            }
            Ok(())
        };
        let walked = walk(root, &mut visit);
        walked.map_err(|(path, error)| {
            if error.kind() == IoKind::NotADirectory {
                return Error::user(format!(
                    "cannot write to `{}`: it is no directory",
                    root.display()
                ));
            }
            let message = format!(
                "cannot clear `{}` of unfinished files: `{}`",
                root.display(),
                path.display()
            );
            Error::new(ErrorKind::Retryable, message).with_source(error)
        })?;
        Ok(behind)
    }
}

fn writer_lives(
    root: &Path,
    path: &Path,
    part: Name<'_>,
    known: &mut BTreeMap<PathBuf, bool>,
) -> bool {
    let directory = path.parent().unwrap_or(root);
    owner::places(root, directory).any(|place| {
        let lock = place.join(names::lock(part.run, part.attempt));
        *known
            .entry(lock)
            .or_insert_with_key(|lock| owner::lives(lock))
    })
}

/// Every file of a directory and of its partitions. A failure comes with what it is about.
fn walk(
    directory: &Path,
    visit: &mut dyn FnMut(&Path) -> io::Result<()>,
) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (directory.to_owned(), error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == IoKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    let mut partitions: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if !entry.file_type().map_err(failed)?.is_dir() {
            visit(&path).map_err(|error| (path, error))?;
        } else if names::is_partition(&entry.file_name().to_string_lossy()) {
            partitions.push(path);
        }
    }
    partitions.iter().try_for_each(|inner| walk(inner, visit))
}

/// Another instance or job may have removed it.
fn tolerate_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == IoKind::NotFound => Ok(()),
        removed => removed,
    }
}

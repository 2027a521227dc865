//! From hidden files to visible ones.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind as IoKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thalweg_core::Data;
use thalweg_core::data::{from_bytes, to_bytes};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::sink::Committer;

use super::names;
use super::part::sync;
use super::partition::board::{Board, Mark};
use super::shown::Shown;

/// A part as a checkpoint holds it. It says its directory: a job that starts from a savepoint may
/// write to another one, and commits what the savepoint holds where it is.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub(super) struct PartFile {
    pub directory: String,
    /// Its visible name.
    pub name: String,
    /// What is behind these bytes was written behind the checkpoint.
    pub bytes: u64,
}

impl PartFile {
    pub(super) fn new(directory: &Path, name: &str, bytes: u64) -> Self {
        PartFile {
            directory: directory.display().to_string(),
            name: name.to_owned(),
            bytes,
        }
    }

    fn pending(&self) -> PathBuf {
        Path::new(&self.directory).join(names::pending(&self.name))
    }

    fn visible(&self) -> PathBuf {
        Path::new(&self.directory).join(&self.name)
    }

    /// Gives it its visible name, without what was written behind the checkpoint.
    fn show(&self, shown: &Shown) -> Result<()> {
        let (pending, visible) = (self.pending(), self.visible());
        let failed = |error: io::Error| {
            let message = format!("cannot commit `{}`", visible.display());
            Error::new(ErrorKind::Retryable, message).with_source(error)
        };
        let Some(length) = self.hidden_length()? else {
            return self.check_shown(shown);
        };
        let cut = self.cut(&pending, length);
        match cut.and_then(|()| fs::rename(&pending, &visible)) {
            // Another committer of the file was faster: a job that has started from there as well.
            Err(error) if error.kind() == IoKind::NotFound => self.check_shown(shown),
            Err(error) => Err(failed(error)),
            Ok(()) => {
                shown.remember(visible);
                Ok(())
            }
        }
    }

    fn cut(&self, pending: &Path, length: u64) -> io::Result<()> {
        if length > self.bytes {
            let file = File::options().write(true).open(pending)?;
            file.set_len(self.bytes)?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// How long it is if it is not shown yet.
    fn hidden_length(&self) -> Result<Option<u64>> {
        let pending = self.pending();
        match fs::metadata(&pending) {
            Ok(metadata) => {
                self.check_length(&pending, metadata.len())?;
                Ok(Some(metadata.len()))
            }
            Err(error) if error.kind() == IoKind::NotFound => Ok(None),
            Err(error) => {
                let message = format!("cannot look for `{}`", pending.display());
                Err(Error::new(ErrorKind::Retryable, message).with_source(error))
            }
        }
    }

    /// Whether what the checkpoint holds of it is there, shown or not.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, if it is gone or shorter; `Retryable` if nobody can say.
    pub(super) fn check(&self, shown: &Shown) -> Result<()> {
        match self.hidden_length()? {
            Some(_) => Ok(()),
            None => self.check_shown(shown),
        }
    }

    /// It may have been committed by an earlier attempt. Behind that a consumer may take it away;
    /// nothing else does.
    fn check_shown(&self, shown: &Shown) -> Result<()> {
        let visible = self.visible();
        match fs::metadata(&visible) {
            Ok(metadata) => {
                self.check_length(&visible, metadata.len())?;
                if let Some(warning) = self.repeated(metadata.len()) {
                    eprintln!("warning: {warning}");
                }
                shown.remember(visible);
                Ok(())
            }
            Err(error) if error.kind() == IoKind::NotFound && shown.contains(&visible) => {
                eprintln!(
                    "warning: `{}` was committed and is gone: somebody has taken it away",
                    visible.display()
                );
                Ok(())
            }
            Err(error) if error.kind() == IoKind::NotFound => Err(Error::corrupt(format!(
                "`{}` was written and is gone: its rows are lost; if `{}` was moved away since it \
                 was committed, put it back until the job runs",
                self.pending().display(),
                visible.display()
            ))),
            Err(error) => {
                let message = format!("cannot look for `{}`", visible.display());
                Err(Error::new(ErrorKind::Retryable, message).with_source(error))
            }
        }
    }

    /// What there is to say of a file that was shown with more than the checkpoint holds: it was
    /// committed for a newer one, which was passed over.
    fn repeated(&self, length: u64) -> Option<String> {
        (length > self.bytes).then(|| {
            format!(
                "`{}` has {length} bytes, and had {} when the checkpoint was taken: it was \
                 committed behind the checkpoint, and the rows of the last {} bytes come again",
                self.visible().display(),
                self.bytes,
                length - self.bytes
            )
        })
    }

    fn check_length(&self, path: &Path, length: u64) -> Result<()> {
        if length >= self.bytes {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "`{}` has {length} bytes, but had {} when the checkpoint was taken: rows are lost",
            path.display(),
            self.bytes
        )))
    }
}

/// What a checkpoint holds for the committer.
#[derive(Clone, Debug, PartialEq, Data)]
pub(super) enum Committable {
    /// A whole file, or what of one belongs to the checkpoint.
    Part(PartFile),
    /// Behind the files of a barrier, where partitions are committed.
    Mark(Mark),
}

impl Committable {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

/// Renames files, and then tells the board of partitions.
pub(super) struct FileCommitter {
    board: Arc<Board>,
    shown: Arc<Shown>,
}

impl FileCommitter {
    pub(super) fn new(board: Arc<Board>, shown: Arc<Shown>) -> Self {
        FileCommitter { board, shown }
    }
}

impl Committer for FileCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        let mut directories = BTreeSet::new();
        let mut marks = Vec::new();
        for committable in committables {
            match from_bytes(committable)? {
                Committable::Part(part) => {
                    part.show(&self.shown)?;
                    directories.insert(part.directory);
                }
                Committable::Mark(mark) => marks.push(mark),
            }
        }
        for directory in &directories {
            sync(Path::new(directory)).map_err(|error| {
                let message = format!("cannot commit what is in `{directory}`");
                Error::new(ErrorKind::Retryable, message).with_source(error)
            })?;
        }
        // Readers of a partition that is whole must find its files.
        for mark in marks {
            self.board.post(mark)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            let name = format!("thalweg-commit-{}", names::unique());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }

        fn part(&self, name: &str, text: &str, bytes: u64) -> PartFile {
            fs::write(self.0.join(names::pending(name)), text).unwrap();
            PartFile::new(&self.0, name, bytes)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn commit(parts: &[&PartFile]) -> Result<()> {
        commit_in(&Arc::default(), parts)
    }

    /// In a process that has shown files before.
    fn commit_in(shown: &Arc<Shown>, parts: &[&PartFile]) -> Result<()> {
        let bytes = |part: &&PartFile| Committable::Part((*part).clone()).to_bytes();
        let committables: Vec<Vec<u8>> = parts.iter().map(bytes).collect();
        FileCommitter::new(Arc::default(), shown.clone()).commit(&committables)
    }

    #[test]
    fn a_commit_may_be_repeated_but_a_lost_file_is_an_error() {
        let scratch = Scratch::new();
        let part = scratch.part("a.csv", "1\n", 2);
        for _again in 0..2 {
            commit(&[&part]).unwrap();
            assert_eq!(fs::read_to_string(part.visible()).unwrap(), "1\n");
            assert!(!part.pending().exists());
        }
        let gone = PartFile::new(&scratch.0, "b.csv", 1);
        let error = commit(&[&part, &gone]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let expected = format!(
            "`{}` was written and is gone: its rows are lost; if `{}` was moved away since it was \
             committed, put it back until the job runs",
            gone.pending().display(),
            gone.visible().display()
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }

    #[test]
    fn a_file_that_a_consumer_has_taken_away_is_no_error_for_who_has_shown_it() {
        let scratch = Scratch::new();
        let shown = Arc::default();
        let part = scratch.part("a.csv", "1\n", 2);
        commit_in(&shown, &[&part]).unwrap();
        fs::remove_file(part.visible()).unwrap();
        commit_in(&shown, &[&part]).unwrap();
        part.check(&shown).unwrap();
        // Nobody else can tell it from one that was lost.
        assert_eq!(commit(&[&part]).unwrap_err().kind(), ErrorKind::Corrupt);
        let other = PartFile::new(&scratch.0, "b.csv", 2);
        let error = commit_in(&shown, &[&other]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn what_was_written_behind_the_checkpoint_is_cut_off() {
        let scratch = Scratch::new();
        let part = scratch.part("a.csv", "1\n2\nhal", 4);
        commit(&[&part]).unwrap();
        assert_eq!(fs::read_to_string(part.visible()).unwrap(), "1\n2\n");
        // A file that is shown already is never changed.
        assert_eq!(part.repeated(4), None);
        let earlier = PartFile { bytes: 2, ..part };
        let warning = earlier.repeated(4).unwrap();
        let path = earlier.visible().display().to_string();
        assert!(warning.starts_with(&format!("`{path}` has 4 bytes, and had 2 when")));
        assert!(warning.ends_with("the rows of the last 2 bytes come again"));
        commit(&[&earlier]).unwrap();
        assert_eq!(fs::read_to_string(earlier.visible()).unwrap(), "1\n2\n");
    }

    #[test]
    fn of_two_who_commit_a_file_at_once_none_fails() {
        let scratch = Scratch::new();
        for round in 0..200 {
            let part = scratch.part(&format!("{round}.csv"), "1\n2\nhal", 4);
            let both = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                let run = || {
                    both.wait();
                    commit(&[&part])
                };
                let other = scope.spawn(run);
                run().unwrap();
                other.join().unwrap().unwrap();
            });
            assert_eq!(fs::read_to_string(part.visible()).unwrap(), "1\n2\n");
        }
    }

    #[test]
    fn a_file_that_is_shorter_than_the_checkpoint_says_is_named() {
        let scratch = Scratch::new();
        let part = scratch.part("a.csv", "1\n", 4);
        let error = commit(&[&part]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let expected = "has 2 bytes, but had 4 when the checkpoint was taken: rows are lost";
        let path = part.pending().display().to_string();
        assert!(error.to_string().contains(expected) && error.to_string().contains(&path));
        fs::rename(part.pending(), part.visible()).unwrap();
        let error = commit(&[&part]).unwrap_err().to_string();
        let path = part.visible().display().to_string();
        assert!(error.contains(expected) && error.contains(&path), "{error}");
    }
}

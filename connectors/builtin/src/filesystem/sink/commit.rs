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
    fn show(&self) -> Result<()> {
        let (pending, visible) = (self.pending(), self.visible());
        let failed = |error: io::Error| {
            let message = format!("cannot commit `{}`", visible.display());
            Error::new(ErrorKind::Retryable, message).with_source(error)
        };
        let length = match fs::metadata(&pending) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == IoKind::NotFound => return self.check_shown(),
            Err(error) => return Err(failed(error)),
        };
        self.check_length(&pending, length)?;
        if length > self.bytes {
            let file = File::options().write(true).open(&pending);
            let cut = file.and_then(|file| {
                file.set_len(self.bytes)?;
                file.sync_all()
            });
            cut.map_err(failed)?;
        }
        fs::rename(&pending, &visible).map_err(failed)
    }

    /// It may have been committed by an earlier attempt; nothing else takes it away.
    fn check_shown(&self) -> Result<()> {
        let visible = self.visible();
        match fs::metadata(&visible) {
            Ok(metadata) => self.check_length(&visible, metadata.len()),
            Err(error) if error.kind() == IoKind::NotFound => Err(Error::corrupt(format!(
                "`{}` was written and is gone: its rows are lost",
                self.pending().display()
            ))),
            Err(error) => {
                let message = format!("cannot look for `{}`", visible.display());
                Err(Error::new(ErrorKind::Retryable, message).with_source(error))
            }
        }
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
}

impl FileCommitter {
    pub(super) fn new(board: Arc<Board>) -> Self {
        FileCommitter { board }
    }
}

impl Committer for FileCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        let mut directories = BTreeSet::new();
        let mut marks = Vec::new();
        for committable in committables {
            match from_bytes(committable)? {
                Committable::Part(part) => {
                    part.show()?;
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
        let bytes = |part: &&PartFile| Committable::Part((*part).clone()).to_bytes();
        let committables: Vec<Vec<u8>> = parts.iter().map(bytes).collect();
        FileCommitter::new(Arc::default()).commit(&committables)
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
            "`{}` was written and is gone: its rows are lost",
            gone.pending().display()
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }

    #[test]
    fn what_was_written_behind_the_checkpoint_is_cut_off() {
        let scratch = Scratch::new();
        let part = scratch.part("a.csv", "1\n2\nhal", 4);
        commit(&[&part]).unwrap();
        assert_eq!(fs::read_to_string(part.visible()).unwrap(), "1\n2\n");
        // A file that is shown already is never changed.
        let earlier = PartFile { bytes: 2, ..part };
        commit(&[&earlier]).unwrap();
        assert_eq!(fs::read_to_string(earlier.visible()).unwrap(), "1\n2\n");
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

//! From hidden files to visible ones, and what becomes of those that never will be.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind as IoKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use thalweg_core::Data;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::sink::Committer;

const SUFFIX: &str = ".inprogress";

/// How far a writer had come when a checkpoint cut its stream.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub(super) struct Written {
    /// What the names of all writers of the job begin with, over all its attempts.
    pub run: String,
    /// The writer.
    pub index: u32,
    /// The number of its next file.
    pub next: u64,
}

/// A name for a job's files that no other has: of the time, the process and a counter.
#[allow(clippy::disallowed_methods)] // A name of a file, which no result depends on.
pub(super) fn new_run() -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let text = format!("{}-{}-{run}", since.as_nanos(), std::process::id());
    format!("{:016x}", stable_hash_bytes(text.as_bytes()))
}

/// The name under which a file is written.
pub(super) fn hidden_name(name: &str) -> String {
    format!(".{name}{SUFFIX}")
}

/// Makes the names in a directory durable.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What the writers of a checkpoint had written: all of them, as every restored writer sees them.
pub(super) struct Earlier<'a>(pub &'a [Written]);

impl Earlier<'_> {
    /// The job's name for its files, if the checkpoint has one.
    pub(super) fn run(&self) -> Option<String> {
        self.0.first().map(|written| written.run.clone())
    }

    /// A number that no file of the checkpoint has, whichever instance wrote it.
    pub(super) fn next(&self) -> u64 {
        self.0.iter().map(|written| written.next).max().unwrap_or(0)
    }

    /// How many files were committed behind the checkpoint, and a number behind all of theirs.
    ///
    /// There are some only if a newer checkpoint was passed over: their rows come again, but they
    /// themselves stay, because a committed file never changes.
    pub(super) fn committed_behind(&self, directory: &Path) -> Result<(usize, u64)> {
        let (mut files, mut next) = (0, self.next());
        if self.0.is_empty() || !directory.is_dir() {
            return Ok((files, next));
        }
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if self.leftover_of(&hidden_name(&name)).is_some()
                && let Some((_, _, number)) = parse_hidden(&hidden_name(&name))
            {
                files += 1;
                next = next.max(number + 1);
            }
        }
        Ok((files, next))
    }

    /// Deletes what was written behind the checkpoint, as far as it is this instance's share: its
    /// own files, which others must not touch while it writes new ones, and for the first instance
    /// those of instances that are no more.
    pub(super) fn delete_leftovers(
        &self,
        directory: &Path,
        index: u32,
        parallelism: u32,
    ) -> Result<()> {
        let is_mine = |owner: u32| owner == index || (index == 0 && owner >= parallelism);
        let failed = |error: io::Error| {
            let message = format!("cannot clear `{}` of unfinished files", directory.display());
            Error::new(ErrorKind::Retryable, message).with_source(error)
        };
        if self.0.is_empty() || !directory.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if self.leftover_of(&name).is_some_and(is_mine) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Whose leftover a file is, if it is one.
    fn leftover_of(&self, name: &str) -> Option<u32> {
        let (run, index, number) = parse_hidden(name)?;
        let mut known = self.0.iter().filter(|written| written.run == run);
        known.clone().next()?;
        let own = known.find(|written| written.index == index);
        // An instance that the checkpoint does not know began behind everything in it.
        let first = own.map_or_else(|| self.next(), |own| own.next);
        (number >= first).then_some(index)
    }
}

/// The run, writer and number in the name of a hidden file.
fn parse_hidden(name: &str) -> Option<(&str, u32, u64)> {
    let name = name.strip_prefix(".part-")?.strip_suffix(SUFFIX)?;
    let mut parts = name.split('.').next()?.split('-');
    let (run, index, number) = (parts.next()?, parts.next()?, parts.next()?);
    Some((run, index.parse().ok()?, number.parse().ok()?))
}

/// A file that is to be committed. It says its directory: a job that starts from a savepoint may
/// write to another one, and commits what the savepoint holds where it is.
pub(super) fn committable(directory: &Path, name: &str) -> Vec<u8> {
    format!("{}/{name}", directory.display()).into_bytes()
}

/// Renames whole files.
pub(super) struct FileCommitter {
    // Of committables that do not say theirs, as those of earlier versions.
    directory: PathBuf,
}

impl FileCommitter {
    pub(super) fn new(directory: PathBuf) -> Self {
        FileCommitter { directory }
    }

    fn show(&self, committable: &str) -> Result<PathBuf> {
        let (directory, name) = match committable.rsplit_once('/') {
            Some((directory, name)) => (Path::new(directory), name),
            None => (self.directory.as_path(), committable),
        };
        let (hidden, visible) = (directory.join(hidden_name(name)), directory.join(name));
        match fs::rename(&hidden, &visible) {
            Ok(()) => Ok(directory.to_owned()),
            // An earlier attempt has committed it.
            Err(error) if error.kind() == IoKind::NotFound && visible.exists() => {
                Ok(directory.to_owned())
            }
            Err(error) if error.kind() == IoKind::NotFound => Err(Error::corrupt(format!(
                "`{}` was written and is gone: its rows are lost",
                hidden.display()
            ))),
            Err(error) => {
                let message = format!("cannot commit `{}`", visible.display());
                Err(Error::new(ErrorKind::Retryable, message).with_source(error))
            }
        }
    }
}

impl Committer for FileCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        let mut directories = BTreeSet::new();
        for committable in committables {
            let name = std::str::from_utf8(committable)
                .map_err(|_| Error::corrupt("the name of a written file is no text"))?;
            directories.insert(self.show(name)?);
        }
        for directory in &directories {
            sync(directory)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_behind_the_checkpoint_are_left_over_and_others_are_not() {
        let written = |index, next| Written {
            run: "00ab".to_owned(),
            index,
            next,
        };
        let written = [written(0, 7), written(1, 3)];
        let earlier = Earlier(&written);
        assert_eq!(
            (earlier.run(), earlier.next()),
            (Some("00ab".to_owned()), 7)
        );
        for leftover in [
            ".part-00ab-1-3.csv.inprogress",
            ".part-00ab-1-12.csv.inprogress",
            ".part-00ab-0-7.csv.inprogress",
            ".part-00ab-2-7.csv.inprogress",
        ] {
            assert!(earlier.leftover_of(leftover).is_some(), "{leftover}");
        }
        for kept in [
            ".part-00ab-1-2.csv.inprogress",
            ".part-00ab-0-6.csv.inprogress",
            ".part-00ab-2-6.csv.inprogress",
            ".part-00ac-1-3.csv.inprogress",
            "part-00ab-1-3.csv",
            ".part-00ab-1-3.csv",
            ".other",
        ] {
            assert_eq!(earlier.leftover_of(kept), None, "{kept}");
        }
        assert_eq!(
            Earlier(&[]).leftover_of(".part-00ab-1-3.csv.inprogress"),
            None
        );
    }

    #[test]
    fn a_file_is_committed_where_it_is_whatever_directory_the_job_writes_to_now() {
        let scratch = std::env::temp_dir().join(format!("thalweg-elsewhere-{}", new_run()));
        let (here, there) = (scratch.join("here"), scratch.join("there"));
        for (directory, name) in [(&there, ".a.inprogress"), (&here, ".b.inprogress")] {
            fs::create_dir_all(directory).unwrap();
            fs::write(directory.join(name), "").unwrap();
        }
        let mut committer = FileCommitter::new(here.clone());
        // The second one is of a version that kept names only.
        let committables = [committable(&there, "a"), b"b".to_vec()];
        for _again in 0..2 {
            committer.commit(&committables).unwrap();
            assert!(there.join("a").exists() && here.join("b").exists());
        }
        let lost = committer.commit(&[committable(&here, "a")]).unwrap_err();
        assert!(lost.to_string().contains("its rows are lost"), "{lost}");
        fs::remove_dir_all(scratch).unwrap();
    }

    #[test]
    fn a_file_that_was_committed_behind_the_checkpoint_is_kept_and_its_number_not_used_again() {
        let directory = std::env::temp_dir().join(format!("thalweg-behind-{}", new_run()));
        fs::create_dir_all(&directory).unwrap();
        for name in [
            "part-ab-0-1.csv",
            "part-ab-0-2.csv",
            "part-ab-1-5.csv",
            "part-cd-0-9.csv",
        ] {
            fs::write(directory.join(name), "").unwrap();
        }
        let written = [Written {
            run: "ab".to_owned(),
            index: 0,
            next: 2,
        }];
        let earlier = Earlier(&written);
        assert_eq!(earlier.committed_behind(&directory).unwrap(), (2, 6));
        earlier.delete_leftovers(&directory, 0, 1).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 4);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_commit_may_be_repeated_but_a_lost_file_is_an_error() {
        let directory = std::env::temp_dir().join(format!("thalweg-commit-{}", new_run()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(hidden_name("part-a-0.csv")), "1\n").unwrap();
        let mut committer = FileCommitter::new(directory.clone());
        let written = [b"part-a-0.csv".to_vec()];
        committer.commit(&written).unwrap();
        committer.commit(&written).unwrap();
        assert_eq!(
            fs::read_to_string(directory.join("part-a-0.csv")).unwrap(),
            "1\n"
        );
        let error = committer.commit(&[b"part-a-1.csv".to_vec()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().ends_with("its rows are lost"), "{error}");
        fs::remove_dir_all(&directory).unwrap();
    }
}

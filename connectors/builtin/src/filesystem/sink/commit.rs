//! From hidden files to visible ones, and what becomes of those that never will be.

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
    /// The writer.
    pub run: String,
    /// The number of its next file.
    pub next: u64,
}

/// A name for a writer that no other has: of the time, the process and a counter.
#[allow(clippy::disallowed_methods)] // A name of a file, which no result depends on.
pub(super) fn new_run(index: u32) -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let text = format!("{}-{}-{run}", since.as_nanos(), std::process::id());
    format!("{:016x}-{index}", stable_hash_bytes(text.as_bytes()))
}

/// The name under which a file is written.
pub(super) fn hidden_name(name: &str) -> String {
    format!(".{name}{SUFFIX}")
}

/// Makes the names in a directory durable.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Deletes what was written behind the checkpoint that these writers were restored from.
pub(super) fn delete_leftovers(directory: &Path, earlier: &[Written]) -> Result<()> {
    let failed = |error: io::Error| {
        let message = format!("cannot clear `{}` of unfinished files", directory.display());
        Error::new(ErrorKind::Retryable, message).with_source(error)
    };
    if earlier.is_empty() || !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_leftover(&name, earlier) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn is_leftover(name: &str, earlier: &[Written]) -> bool {
    let file = name
        .strip_prefix(".part-")
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    let Some(file) = file else { return false };
    earlier.iter().any(|written| {
        let rest = file
            .strip_prefix(&written.run)
            .and_then(|rest| rest.strip_prefix('-'));
        let number = rest.and_then(|rest| rest.split('.').next()?.parse::<u64>().ok());
        number.is_some_and(|number| number >= written.next)
    })
}

/// Renames whole files.
pub(super) struct FileCommitter {
    directory: PathBuf,
}

impl FileCommitter {
    pub(super) fn new(directory: PathBuf) -> Self {
        FileCommitter { directory }
    }

    fn show(&self, name: &str) -> Result<()> {
        let (hidden, visible) = (
            self.directory.join(hidden_name(name)),
            self.directory.join(name),
        );
        match fs::rename(&hidden, &visible) {
            Ok(()) => Ok(()),
            // An earlier attempt has committed it.
            Err(error) if error.kind() == IoKind::NotFound && visible.exists() => Ok(()),
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
        for committable in committables {
            let name = std::str::from_utf8(committable)
                .map_err(|_| Error::corrupt("the name of a written file is no text"))?;
            self.show(name)?;
        }
        if !committables.is_empty() {
            sync(&self.directory)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_behind_the_checkpoint_are_left_over_and_others_are_not() {
        let earlier = [Written {
            run: "00ab-1".to_owned(),
            next: 3,
        }];
        let leftover = |name: &str| is_leftover(name, &earlier);
        assert!(leftover(".part-00ab-1-3.csv.inprogress"));
        assert!(leftover(".part-00ab-1-12.csv.inprogress"));
        for kept in [
            ".part-00ab-1-2.csv.inprogress",
            ".part-00ab-11-3.csv.inprogress",
            ".part-00ac-1-3.csv.inprogress",
            "part-00ab-1-3.csv",
            ".part-00ab-1-3.csv",
            ".other",
        ] {
            assert!(!leftover(kept), "{kept}");
        }
    }

    #[test]
    fn a_commit_may_be_repeated_but_a_lost_file_is_an_error() {
        let directory = std::env::temp_dir().join(format!("thalweg-commit-{}", new_run(0)));
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

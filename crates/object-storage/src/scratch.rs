//! Directories for files that were brought to this machine.
//!
//! One goes with its owner. One whose owner was killed goes when the next is made, by any process of the
//! same user: an owner holds a lock beside its directory, which the system releases with the process.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

const NAME: &str = "thalweg-object-storage-";
const LOCK: &str = ".lock";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory that is deleted with this value.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: PathBuf,
    lock: PathBuf,
    // Held, not read.
    _locked: File,
}

impl Scratch {
    /// A new, empty one among the temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        Scratch::below(&env::temp_dir())
    }

    fn below(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let directory = parent.join(format!("{NAME}{}-{number}", process::id()));
            let lock = lock_of(&directory);
            let options = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&lock);
            let locked = options?;
            // Somebody sweeps it just now, or has: then the name is not ours, and the next one is.
            if locked.try_lock().is_err() || !lock.exists() {
                continue;
            }
            // A process of the same number may have left one, as in containers.
            remove(&directory)?;
            create_private(&directory)?;
            return Ok(Scratch {
                directory,
                lock,
                _locked: locked,
            });
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next one.
        if remove(&self.directory).is_ok() {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

fn lock_of(directory: &Path) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(LOCK);
    name.into()
}

/// Removes the directories whose owners are gone. What cannot be looked into belongs to other users.
fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(LOCK)) else {
            continue;
        };
        if !name.starts_with(NAME) {
            continue;
        }
        let lock = entry.path();
        let Ok(file) = OpenOptions::new().write(true).open(&lock) else {
            continue;
        };
        if file.try_lock().is_ok() && remove(&parent.join(name)).is_ok() {
            let _ = fs::remove_file(&lock);
        }
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// State is nobody else's business.
fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parent(name: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("thalweg-scratch-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_directory_goes_with_its_owner() {
        let parent = parent("owner");
        let scratch = Scratch::below(&parent).unwrap();
        fs::write(scratch.path().join("a"), b"x").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
        fs::remove_dir(&parent).unwrap();
    }

    #[test]
    fn what_a_killed_process_has_left_is_swept_and_what_is_in_use_is_not() {
        let parent = parent("killed");
        let left = parent.join(format!("{NAME}1-0"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("a"), b"x").unwrap();
        fs::write(lock_of(&left), b"").unwrap();
        let other = parent.join("of-somebody-else.lock");
        fs::write(&other, b"").unwrap();
        let first = Scratch::below(&parent).unwrap();
        assert!(!left.exists() && !lock_of(&left).exists());
        let second = Scratch::below(&parent).unwrap();
        assert!(first.path().exists() && second.path().exists());
        assert!(other.exists());
        fs::remove_dir_all(&parent).unwrap();
    }
}

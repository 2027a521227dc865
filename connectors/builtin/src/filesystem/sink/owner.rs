//! Whether the writer of a file lives: as long as it does it holds a lock.
//!
//! The lock is one of the operating system on a hidden file beside the output, and goes with the
//! process however that ends. A writer takes it before it creates its first part, and no other
//! writer ever has its name: who finds the file unlocked, or finds none, knows that the writer is
//! dead and stays so. Where files cannot be locked a file that is there counts as locked.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The lock of a writer that lives. Dropping it says that it does not.
#[derive(Debug)]
pub(super) struct Owner {
    path: PathBuf,
    file: File,
}

impl Owner {
    /// Creates the file and locks it.
    pub(super) fn lock(path: PathBuf) -> io::Result<Self> {
        loop {
            let file = File::create(&path)?;
            match file.try_lock() {
                // Somebody found it before it was locked, and is about to remove it.
                Err(TryLockError::WouldBlock) => {}
                // Somebody did remove it.
                Ok(()) if !path.exists() => {}
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Owner { path, file }),
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Left behind it is removed by whoever finds it unlocked.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Whether a writer lives that would hold this lock. The file of a dead one is removed.
pub(super) fn lives(path: &Path) -> bool {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return error.kind() != ErrorKind::NotFound,
    };
    if file.try_lock().is_err() {
        return true;
    }
    // Whoever comes next finds it if this fails.
    let _ = fs::remove_file(path);
    false
}

#[cfg(test)]
mod tests {
    use super::super::names::unique;
    use super::*;

    #[test]
    fn a_writer_lives_until_it_is_dropped_and_its_file_does_not_stay() {
        let path = std::env::temp_dir().join(format!(".thalweg-owner-{}", unique()));
        assert!(!lives(&path));
        let owner = Owner::lock(path.clone()).unwrap();
        assert!(lives(&path) && lives(&path) && path.exists());
        drop(owner);
        assert!(!lives(&path) && !path.exists());
        // As a process leaves it that was killed.
        File::create(&path).unwrap();
        assert!(!lives(&path) && !path.exists());
    }

    #[test]
    fn who_looks_while_a_lock_is_taken_does_not_take_it_away() {
        for _ in 0..300 {
            let path = std::env::temp_dir().join(format!(".thalweg-owner-{}", unique()));
            std::thread::scope(|scope| {
                let looking = scope.spawn(|| (0..20).filter(|_| lives(&path)).count());
                let owner = Owner::lock(path.clone()).unwrap();
                assert!(lives(&path) && path.exists());
                looking.join().unwrap();
                assert!(lives(&path) && path.exists());
                drop(owner);
            });
            assert!(!path.exists());
        }
    }
}

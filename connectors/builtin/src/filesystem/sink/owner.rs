//! Whether the writer of a file lives: as long as it does it holds a lock.
//!
//! The lock is one of the operating system on a hidden file beside the output, and goes with the
//! process however that ends. A writer takes it before it creates its first part, and no other
//! writer ever has its name: who finds the file unlocked, or finds none, knows that the writer is
//! dead and stays so. Where files cannot be locked a file that is there counts as locked.
//!
//! INVARIANT: a lock gets its name when it is locked. Who looks takes a shared lock for a moment,
//! so that of two who look none takes the other for the writer.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::names;

/// The lock of a writer that lives. Dropping it says that it does not.
#[derive(Debug)]
pub(super) struct Owner {
    path: PathBuf,
    file: File,
}

impl Owner {
    /// Creates the file and locks it.
    pub(super) fn lock(path: PathBuf) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = path.with_file_name(names::new_lock(&name));
        loop {
            let file = File::create(&new)?;
            // Somebody found it before it was locked, and is about to remove it.
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                continue;
            }
            match fs::rename(&new, &path) {
                // Somebody did remove it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                renamed => return renamed.map(|()| Owner { path, file }),
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
    if file.try_lock_shared().is_err() {
        return true;
    }
    // Whoever comes next finds it if this fails.
    let _ = fs::remove_file(path);
    false
}

/// The directories that may hold the lock of the writer of a file in `directory`: `root`, and each
/// one of which `directory` may be a partition. Jobs may have a directory and one of its partitions
/// as their paths.
pub(super) fn places<'a>(
    root: &'a Path,
    directory: &'a Path,
) -> impl Iterator<Item = &'a Path> + 'a {
    let is_partition = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        names::is_partition(&name.to_string_lossy())
    };
    let above = std::iter::successors(Some(directory), move |path| {
        path.parent().filter(|_| is_partition(path))
    });
    std::iter::once(root).chain(above.filter(move |path| *path != root))
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
    fn of_two_who_look_at_once_none_takes_the_other_for_the_writer() {
        let path = std::env::temp_dir().join(format!(".thalweg-owner-{}", unique()));
        File::create(&path).unwrap();
        let other = File::open(&path).unwrap();
        other.try_lock_shared().unwrap();
        assert!(!lives(&path) && !path.exists());
    }

    #[test]
    fn a_lock_is_looked_for_wherever_a_job_may_have_put_it() {
        let all = |root: &str, directory: &str| -> Vec<String> {
            let places = places(Path::new(root), Path::new(directory));
            places.map(|place| place.display().to_string()).collect()
        };
        assert_eq!(all("/d", "/d"), ["/d"]);
        assert_eq!(all("/d", "/d/a=1/b=2"), ["/d", "/d/a=1/b=2", "/d/a=1"]);
        assert_eq!(all("/e/d/a=1", "/e/d/a=1"), ["/e/d/a=1", "/e/d"]);
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

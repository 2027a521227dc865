//! A directory of the local file system, or of a shared one that is mounted.

use std::fs::{self, File};
use std::io::{self, ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};

use thalweg_core::error::{Error, ErrorKind, Result};

use super::{CheckpointStorage, StorageFile};

/// A directory.
///
/// A file is written under a hidden name, synced, renamed, and its directory synced: after a crash
/// it is there whole or not at all.
#[derive(Clone, Debug)]
pub struct LocalDirectory {
    root: PathBuf,
}

impl LocalDirectory {
    /// A storage below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LocalDirectory { root: root.into() }
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Begins a file under a hidden name.
    fn begin(&self, path: &Path) -> io::Result<Hidden> {
        let directory = path.parent().unwrap_or(&self.root);
        create_directories(directory)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Hidden {
            hidden: directory.join(format!(".{name}.writing")),
            directory: directory.to_owned(),
            path: path.to_owned(),
            is_there: false,
        })
    }
}

/// A file under a hidden name, which goes with this unless it was given its own.
struct Hidden {
    hidden: PathBuf,
    directory: PathBuf,
    path: PathBuf,
    is_there: bool,
}

impl Hidden {
    /// The hidden file is written and synced: gives it its name.
    fn reveal(mut self) -> io::Result<()> {
        fs::rename(&self.hidden, &self.path)?;
        self.is_there = true;
        sync_directory(&self.directory)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if !self.is_there {
            // The error that led here is the one to report; the file may not even be there.
            let _ = fs::remove_file(&self.hidden);
        }
    }
}

/// A file that is written piece by piece.
struct LocalFile {
    file: File,
    place: Hidden,
}

impl LocalFile {
    fn failed(&self, error: io::Error) -> Error {
        failed("write", &self.place.path, error)
    }
}

impl StorageFile for LocalFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| self.failed(error))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let LocalFile { file, place } = *self;
        let path = place.path.clone();
        file.sync_all()
            .and_then(|()| place.reveal())
            .map_err(|error| failed("write", &path, error))
    }
}

/// Creates directories and makes their names durable.
fn create_directories(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new(""));
    create_directories(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() == IoKind::AlreadyExists => {}
        created => created?,
    }
    sync_directory(parent)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    File::open(directory)?.sync_all()
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let message = format!("cannot {what} `{}`", path.display());
    Error::new(ErrorKind::Retryable, message).with_source(error)
}

impl CheckpointStorage for LocalDirectory {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(path)?;
        file.append(bytes)?;
        file.finish()
    }

    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>> {
        let place = self.place(path);
        let begun = self.begin(&place).and_then(|hidden| {
            let file = File::create(&hidden.hidden)?;
            Ok(LocalFile {
                file,
                place: hidden,
            })
        });
        match begun {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(failed("write", &place, error)),
        }
    }

    fn put_file(&self, path: &str, from: &Path) -> Result<()> {
        let place = self.place(path);
        let put = self.begin(&place).and_then(|hidden| {
            // Another name of the same file where that is possible: files of stores never change.
            if fs::hard_link(from, &hidden.hidden).is_err() {
                fs::copy(from, &hidden.hidden)?;
            }
            File::open(&hidden.hidden)?.sync_all()?;
            hidden.reveal()
        });
        put.map_err(|error| {
            failed("write", &place, error).context(format!("from `{}`", from.display()))
        })
    }

    fn get_file(&self, path: &str, bytes: u64) -> Result<PathBuf> {
        let place = self.place(path);
        match fs::metadata(&place) {
            Ok(found) if found.len() == bytes => Ok(place),
            Ok(found) => Err(Error::corrupt(format!(
                "`{}` is not whole: {} bytes, {bytes} expected",
                place.display(),
                found.len()
            ))),
            Err(error) if error.kind() == IoKind::NotFound => Err(Error::corrupt(format!(
                "`{}` does not exist",
                place.display()
            ))),
            Err(error) => Err(failed("read", &place, error)),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let place = self.place(path);
        fs::read(&place).map_err(|error| match error.kind() {
            IoKind::NotFound => Error::corrupt(format!("`{}` does not exist", place.display())),
            _ => failed("read", &place, error),
        })
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        let place = self.place(directory);
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == IoKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list", &place, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed("list", &place, error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<()> {
        let place = self.place(path);
        let deleted = match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&place),
            Ok(_) => fs::remove_file(&place),
            Err(error) => Err(error),
        };
        match deleted {
            Err(error) if error.kind() != IoKind::NotFound => Err(failed("delete", &place, error)),
            _ => Ok(()),
        }
    }

    fn display(&self, path: &str) -> String {
        let place = self.place(path).display().to_string();
        place.trim_end_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> LocalDirectory {
        let root = std::env::temp_dir().join(format!("thalweg-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        LocalDirectory::new(root)
    }

    #[test]
    fn what_is_written_is_read_listed_and_deleted() {
        let storage = scratch("storage");
        storage.write("job/chk-1/a", b"one").unwrap();
        storage.write("job/chk-1/b", b"two").unwrap();
        assert_eq!(storage.read("job/chk-1/a").unwrap(), b"one");
        storage.write("job/chk-1/a", b"three").unwrap();
        assert_eq!(storage.read("job/chk-1/a").unwrap(), b"three");
        assert_eq!(storage.list("job/chk-1").unwrap(), ["a", "b"]);
        assert!(storage.list("nowhere").unwrap().is_empty());
        storage.delete("job/chk-1/b").unwrap();
        storage.delete("job/chk-1/b").unwrap();
        storage.delete("job").unwrap();
        assert!(storage.list("").unwrap().is_empty());
        fs::remove_dir_all(&storage.root).unwrap();
    }

    #[test]
    fn a_file_that_is_not_finished_is_not_there() {
        let storage = scratch("pieces");
        let mut file = storage.create("chk-1/state").unwrap();
        file.append(b"one, ").unwrap();
        assert_eq!(storage.list("chk-1").unwrap(), [".state.writing"]);
        drop(file);
        assert!(storage.list("chk-1").unwrap().is_empty());
        let mut file = storage.create("chk-1/state").unwrap();
        file.append(b"one, ").unwrap();
        file.append(b"two").unwrap();
        file.finish().unwrap();
        assert_eq!(storage.list("chk-1").unwrap(), ["state"]);
        assert_eq!(storage.read("chk-1/state").unwrap(), b"one, two");
        fs::remove_dir_all(&storage.root).unwrap();
    }

    #[test]
    fn errors_name_the_file() {
        let storage = scratch("errors");
        let missing = storage.read("chk-1/_metadata").unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::Corrupt);
        assert!(
            missing
                .to_string()
                .ends_with("chk-1/_metadata` does not exist")
        );
        // A file in the place of a directory: nothing can be created below it.
        storage.write("chk-1", b"").unwrap();
        let refused = storage.write("chk-1/_metadata", b"x").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Retryable);
        assert!(refused.to_string().contains("cannot write `"), "{refused}");
        fs::remove_dir_all(&storage.root).unwrap();
    }
}

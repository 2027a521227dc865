//! Where checkpoint files lie.

mod buffered;
mod local;
mod schemes;

use std::fmt;
use std::path::{Path, PathBuf};

use thalweg_core::error::Result;

pub use buffered::Buffered;
pub use local::LocalDirectory;
pub use schemes::{Opener, open, register};

/// A tree of files that are written once and read back whole.
///
/// Paths are relative to the storage's root, with `/` between their parts.
///
/// Besides the errors that are named below, all fail with `User` if the storage does not exist where it
/// cannot be made, or refuses who asks: nothing helps then but another option.
pub trait CheckpointStorage: Send + Sync {
    /// Writes a file. When this returns it is durable; until then no reader sees any of it.
    ///
    /// # Errors
    /// `Retryable` if the storage cannot take it: no room, no right, no connection.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// Begins a file that is written piece by piece. It is there when it is finished, and never if it
    /// is dropped before.
    ///
    /// # Errors
    /// As [`CheckpointStorage::write`].
    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>>;

    /// Reads a file.
    ///
    /// # Errors
    /// `Corrupt` if there is none (a checkpoint refers to it); `Retryable` if it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>>;

    /// Stores a file of this machine. Durable as what [`CheckpointStorage::write`] writes.
    ///
    /// # Errors
    /// As [`CheckpointStorage::write`]; `Retryable` if `from` cannot be read.
    fn put_file(&self, path: &str, from: &Path) -> Result<()>;

    /// Where a file of `bytes` bytes can be read on this machine; it is brought there if need be,
    /// and stays at least as long as this storage.
    ///
    /// # Errors
    /// `Corrupt` if there is none or it is of another length; `Retryable` if it cannot be read.
    fn get_file(&self, path: &str, bytes: u64) -> Result<PathBuf>;

    /// The names right under a directory, sorted; none if there is no such directory.
    ///
    /// # Errors
    /// `Retryable` if it cannot be read.
    fn list(&self, directory: &str) -> Result<Vec<String>>;

    /// Deletes a file, or a directory with all that is in it. What is not there is deleted already.
    ///
    /// # Errors
    /// `Retryable` if it cannot be deleted.
    fn delete(&self, path: &str) -> Result<()>;

    /// What users see of a path: with the root, so that it can be typed, and [`open`]ed.
    fn display(&self, path: &str) -> String;
}

/// A file of a storage on its way.
pub trait StorageFile {
    /// Goes on with the file.
    ///
    /// # Errors
    /// As [`CheckpointStorage::write`].
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Ends the file. When this returns it is durable; until then no reader sees any of it.
    ///
    /// # Errors
    /// As [`CheckpointStorage::write`].
    fn finish(self: Box<Self>) -> Result<()>;
}

impl fmt::Debug for dyn CheckpointStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display(""))
    }
}

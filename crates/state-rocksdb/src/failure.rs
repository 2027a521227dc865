//! Errors of RocksDB and of the file system as the engine's.

use std::io;
use std::path::Path;

use thalweg_core::error::{Error, ErrorKind, Result};

/// What RocksDB says, which names the file, in the engine's kinds.
pub(crate) fn failed(doing: &str, error: rocksdb::Error) -> Error {
    use rocksdb::ErrorKind as Rocks;
    let kind = match error.kind() {
        Rocks::Corruption => ErrorKind::Corrupt,
        // A file that others refer to: a database never looks for one that may be missing.
        Rocks::IOError if error.as_ref().contains("No such file") => ErrorKind::Corrupt,
        Rocks::IOError
        | Rocks::InvalidArgument
        | Rocks::Incomplete
        | Rocks::ShutdownInProgress
        | Rocks::TimedOut
        | Rocks::Aborted
        | Rocks::Busy
        | Rocks::TryAgain => ErrorKind::Retryable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("the state store cannot {doing}")).with_source(error)
}

/// Adds what was done to which path.
pub(crate) fn on_path<T>(done: io::Result<T>, doing: &str, path: &Path) -> Result<T> {
    done.map_err(|error| {
        let message = format!("cannot {doing} `{}`", path.display());
        Error::new(ErrorKind::Retryable, message).with_source(error)
    })
}

//! Checkpoints and savepoints in object stores.
//!
//! ```text
//! s3://bucket/checkpoints/<job id>/chk-7/_metadata        one request: the checkpoint exists, or does not
//!                                        <state files>    large ones in parts, some on their way at a time
//!                                 /shared/<store files>
//! ```
//!
//! An object store has no directories and no renaming, and needs neither: an object is there when the
//! request that stores it has succeeded, whole and durable. A directory is what keys have in common up to
//! a `/`.
//!
//! The engine calls from its own threads and waits. Requests run on a small runtime of this crate
//! ([`io`]), so that no thread of the engine needs one.

mod download;
mod errors;
mod io;
mod s3;
mod scratch;
mod storage;
mod upload;

use std::sync::Arc;

use thalweg_state::storage::register;

pub use s3::open as open_s3;
pub use storage::ObjectStorage;

/// Makes `s3:` and `s3a:` known to [`thalweg_state::storage::open`].
///
/// # Examples
/// ```
/// use thalweg_core::config::FileSystemOptions;
///
/// thalweg_object_storage::register_s3();
/// let options = FileSystemOptions::default()
///     .with("s3.endpoint", "http://127.0.0.1:9000")
///     .with("s3.access-key", "minio")
///     .with("s3.secret-key", "minio123");
/// let storage = thalweg_state::storage::open("s3://flink/checkpoints/", &options)?;
/// assert_eq!(storage.display("chk-7"), "s3://flink/checkpoints/chk-7");
/// # Ok::<(), thalweg_core::error::Error>(())
/// ```
pub fn register_s3() {
    for scheme in ["s3", "s3a"] {
        register(
            scheme,
            Arc::new(|uri, options| Ok(Arc::new(open_s3(uri, options)?))),
        );
    }
}

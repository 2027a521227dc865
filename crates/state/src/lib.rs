//! Snapshots on disk: their format, their storage, which of them are kept.
//!
//! ```text
//! <checkpoint dir>/<job id>/chk-7/_metadata      written last: the checkpoint exists when it does
//!                                 <state files>  one an operator instance, unless it is small
//!                           shared/<layers>      what several checkpoints refer to
//! ```
//!
//! A file is an [`envelope`](format): magic, kind, version, length, body, checksum. What is in the
//! bodies is written down in `docs/formats/checkpoint.md`; golden files hold every version.

pub mod checkpoints;
pub mod format;
pub mod savepoints;
mod shared_files;
pub mod storage;
pub mod store;

pub use checkpoints::{CheckpointStore, Loaded, WrittenLayer};
pub use format::{
    CheckpointKind, InstanceState, LayerFile, Metadata, OperatorState, StateLocation,
};
pub use shared_files::SharedFiles;
pub use storage::{CheckpointStorage, LocalDirectory, StorageFile};

//! What a store hands over at a checkpoint: files.

use std::path::PathBuf;

use crate::state::KeyGroups;

/// A checkpoint of one store, as files that do not change any more.
///
/// Incremental checkpoints need nothing else: a shared file whose name is already stored is not
/// stored again, only referred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCheckpoint {
    /// Which backend wrote it: its [`name`](super::StateBackend::name).
    pub backend: String,
    /// The key groups in it.
    pub key_groups: KeyGroups,
    /// All its files, by name.
    pub files: Vec<StoreFile>,
}

impl StoreCheckpoint {
    /// The bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile {
    /// What it is called in checkpoints, without `/`. Equal names of shared files mean equal
    /// files, over all checkpoints and stores of a job.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// Where it lies now. At a restore: where it was put, under any name.
    pub path: PathBuf,
    /// Whether other checkpoints may hold the same file. One that is not shared is small, and
    /// belongs to this checkpoint alone, whose files are told apart by name.
    pub shared: bool,
}

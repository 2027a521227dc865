//! A file that is kept in memory until it is written as a whole.

use thalweg_core::error::Result;

use super::{CheckpointStorage, StorageFile};

/// For storages that take files whole only.
pub struct Buffered<'a, S> {
    storage: &'a S,
    path: String,
    bytes: Vec<u8>,
}

impl<'a, S: CheckpointStorage> Buffered<'a, S> {
    /// A file that is not there yet.
    pub fn new(storage: &'a S, path: &str) -> Self {
        Buffered {
            storage,
            path: path.to_owned(),
            bytes: Vec::new(),
        }
    }
}

impl<S: CheckpointStorage> StorageFile for Buffered<'_, S> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.storage.write(&self.path, &self.bytes)
    }
}

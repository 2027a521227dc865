//! The body of a file, which stays in memory if it turns out to be small.

use thalweg_core::error::Result;

use super::CheckpointStore;
use crate::format::{FileKind, Sealing};
use crate::storage::StorageFile;

/// A body that is written piece by piece.
pub(super) struct SmallOrFile<'a> {
    store: &'a CheckpointStore,
    kind: FileKind,
    path: String,
    small: Vec<u8>,
    file: Option<(Sealing, Box<dyn StorageFile + 'a>)>,
}

/// What has become of a body.
pub(super) enum Written {
    /// It was small: nothing is stored.
    Small(Vec<u8>),
    /// It is in a file of so many bytes.
    File(u64),
}

impl<'a> SmallOrFile<'a> {
    pub fn new(store: &'a CheckpointStore, kind: FileKind, path: String) -> Self {
        SmallOrFile {
            store,
            kind,
            path,
            small: Vec::new(),
            file: None,
        }
    }

    /// Whether what there is so far is small.
    pub fn is_small(&self) -> bool {
        self.file.is_none()
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_small() && self.small.len() + bytes.len() <= self.store.inline_bytes_max {
            self.small.extend_from_slice(bytes);
            return Ok(());
        }
        let (sealing, file) = self.file()?;
        sealing.body(bytes, &mut |bytes| file.append(bytes))
    }

    /// Ends it where it is.
    pub fn finish(self) -> Result<Written> {
        if self.is_small() {
            return Ok(Written::Small(self.small));
        }
        self.into_file().map(Written::File)
    }

    /// Ends it in a file, however small it is. Returns the length of the file.
    pub fn into_file(mut self) -> Result<u64> {
        self.file()?;
        let Some((sealing, mut file)) = self.file else {
            unreachable!("the file was just begun");
        };
        let bytes = sealing.end(&mut |bytes| file.append(bytes))?;
        file.finish()?;
        Ok(bytes)
    }

    /// The file, begun if it is not yet.
    fn file(&mut self) -> Result<&mut (Sealing, Box<dyn StorageFile + 'a>)> {
        if self.file.is_none() {
            let mut file = self.store.storage.create(&self.path)?;
            let mut sealing = Sealing::begin(self.kind, &mut |bytes| file.append(bytes))?;
            let small = std::mem::take(&mut self.small);
            sealing.body(&small, &mut |bytes| file.append(bytes))?;
            self.file = Some((sealing, file));
        }
        let Some(file) = &mut self.file else {
            unreachable!("the file was just begun");
        };
        Ok(file)
    }
}

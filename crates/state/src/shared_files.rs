//! Files that several checkpoints of a job refer to.
//!
//! ```text
//! <checkpoint dir>/<job id>/shared/<name>     stored once, kept while any checkpoint refers to it
//! ```
//!
//! INVARIANT: a file is deleted only when the metadata of every checkpoint that is kept was read
//! and none of them names it.

use std::collections::BTreeSet;

use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::state::LayerView;
use thalweg_core::state::store::StoreFile;

use crate::checkpoints::{CheckpointStore, WrittenLayer};

/// The shared files of a job, and who refers to them.
#[derive(Clone, Debug, Default)]
pub struct SharedFiles {
    stored: BTreeSet<String>,
    // Those of `stored` whose writing has failed.
    doubtful: BTreeSet<String>,
    // Checkpoints whose metadata nobody could read: what they refer to is not known.
    unreadable: BTreeSet<u64>,
    references: std::collections::BTreeMap<u64, BTreeSet<String>>,
}

impl SharedFiles {
    /// What is there of a job whose completed checkpoints are `kept`.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn of(store: &CheckpointStore, kept: impl Iterator<Item = u64>) -> Result<Self> {
        let mut files = SharedFiles {
            stored: store.shared()?.into_iter().collect(),
            ..SharedFiles::default()
        };
        for checkpoint in kept {
            match store.references(checkpoint) {
                Ok(names) => drop(files.references.insert(checkpoint, names)),
                Err(error) if is_lasting(&error) => {
                    files.unreadable.insert(checkpoint);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// Whether a file is there for sure.
    pub fn contains(&self, name: &str) -> bool {
        self.stored.contains(name) && !self.doubtful.contains(name)
    }

    /// Stores a layer, and over what an attempt that was cut short has left under its name.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn put_layer(
        &mut self,
        store: &CheckpointStore,
        name: &str,
        layer: &LayerView<'_>,
    ) -> Result<WrittenLayer> {
        // A failed write may have happened: then it is deleted as what nobody refers to.
        self.stored.insert(name.to_owned());
        self.doubtful.insert(name.to_owned());
        let written = store.write_layer(name, layer)?;
        self.doubtful.remove(name);
        if written == WrittenLayer::Small {
            self.stored.remove(name);
        }
        Ok(written)
    }

    /// Stores a file, unless it is there.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn put(&mut self, store: &CheckpointStore, file: &StoreFile) -> Result<()> {
        if !self.stored.contains(&file.name) {
            store.put_shared(file)?;
            self.stored.insert(file.name.clone());
        }
        Ok(())
    }

    /// A checkpoint is complete and refers to files.
    pub fn refer(&mut self, checkpoint: u64, names: BTreeSet<String>) {
        self.references.insert(checkpoint, names);
    }

    /// A checkpoint is gone.
    pub fn forget(&mut self, checkpoint: u64) {
        self.references.remove(&checkpoint);
        self.unreadable.remove(&checkpoint);
    }

    /// Deletes the files that no checkpoint refers to.
    ///
    /// # Errors
    /// What the storage fails with; what is left is tried again the next time.
    pub fn sweep(&mut self, store: &CheckpointStore) -> Result<()> {
        if !self.unreadable.is_empty() {
            return Ok(());
        }
        let referred: BTreeSet<&String> = self.references.values().flatten().collect();
        let idle = self.stored.iter().filter(|name| !referred.contains(name));
        let idle: Vec<String> = idle.cloned().collect();
        for name in idle {
            store.delete_shared(&name)?;
            self.stored.remove(&name);
            self.doubtful.remove(&name);
        }
        Ok(())
    }
}

/// Whether metadata will not be read any better the next time.
fn is_lasting(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported)
}

//! The checkpoints of a job: written, kept, found again.

mod small_or_file;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::id::OperatorUid;
use thalweg_core::state::store::StoreFile;
use thalweg_core::state::{LayerView, StateLayer, StateSnapshot, StateView, merge_layers};

use self::small_or_file::{SmallOrFile, Written};
use crate::format::{
    FileKind, LayerFile, Metadata, StateLocation, open, read_layer, read_metadata, read_snapshot,
    seal, write_layer, write_metadata, write_snapshot,
};
use crate::storage::CheckpointStorage;

/// The file that makes a directory a checkpoint.
pub const METADATA: &str = "_metadata";

// Where files lie that several checkpoints refer to.
pub(crate) const SHARED: &str = "shared";

// A state up to this size stands in the metadata: one file less to write and to read.
const INLINE_BYTES_MAX: usize = 20 * 1024;

/// Where the checkpoints of one job are.
#[derive(Clone)]
pub struct CheckpointStore {
    storage: Arc<dyn CheckpointStorage>,
    job: String,
    // The directory of a savepoint, which is named after no number.
    savepoint: Option<String>,
    inline_bytes_max: usize,
}

/// What has become of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenLayer {
    /// Nothing: it is the whole of a state that is so small that it stands in the metadata.
    Small,
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// How many entries and removals it holds.
        entries: usize,
    },
}

/// A checkpoint, read back.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it consists of.
    pub metadata: Metadata,
    /// The state of every operator, one an instance.
    pub states: BTreeMap<OperatorUid, Vec<StateSnapshot>>,
    /// Where it is: a name that [`open`](crate::storage::open) takes.
    pub place: String,
    /// What it lies in, which is kept for the files that it has brought to this machine.
    pub storage: Arc<dyn CheckpointStorage>,
}

impl CheckpointStore {
    /// A store in the directory `job` of a storage; an empty name is the storage's root.
    pub fn new(storage: Arc<dyn CheckpointStorage>, job: impl Into<String>) -> Self {
        CheckpointStore {
            storage,
            job: job.into(),
            savepoint: None,
            inline_bytes_max: INLINE_BYTES_MAX,
        }
    }

    /// Where one savepoint is written: the directory `name` of a storage.
    pub fn savepoint(storage: Arc<dyn CheckpointStorage>, name: impl Into<String>) -> Self {
        CheckpointStore {
            storage,
            job: String::new(),
            savepoint: Some(name.into()),
            inline_bytes_max: INLINE_BYTES_MAX,
        }
    }

    /// Up to how many bytes a state stands in the metadata instead of a file; 20 KB if nobody says.
    pub fn with_inline_bytes_max(mut self, inline_bytes_max: usize) -> Self {
        self.inline_bytes_max = inline_bytes_max;
        self
    }

    /// The place of a checkpoint, for messages.
    pub fn place(&self, checkpoint: u64) -> String {
        self.storage.display(&self.directory(checkpoint))
    }

    fn below(&self, name: &str) -> String {
        if self.job.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.job)
        }
    }

    fn directory(&self, checkpoint: u64) -> String {
        match &self.savepoint {
            Some(name) => name.clone(),
            None => self.below(&format!("chk-{checkpoint}")),
        }
    }

    /// Makes sure that checkpoints can be written, before a job relies on it.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn check_writable(&self) -> Result<()> {
        let probe = match &self.savepoint {
            Some(name) => format!("{name}/.probe"),
            None => self.below(".probe"),
        };
        self.storage.write(&probe, &[])?;
        self.storage.delete(&probe)
    }

    /// Writes the state of an operator instance; `file` is a name that no other instance has.
    ///
    /// # Errors
    /// What the storage fails with; what a store fails with that the state lies in.
    pub fn write_state(
        &self,
        checkpoint: u64,
        file: &str,
        state: &StateView<'_>,
    ) -> Result<StateLocation> {
        let path = format!("{}/{file}", self.directory(checkpoint));
        let mut place = SmallOrFile::new(self, FileKind::State, path);
        write_snapshot(state, &mut |bytes| place.append(bytes))?;
        Ok(match place.finish()? {
            Written::Small(body) => StateLocation::Inline(body),
            Written::File(bytes) => StateLocation::File {
                name: file.to_owned(),
                bytes,
            },
        })
    }

    /// Stores a file that belongs to one checkpoint.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn put_own(&self, checkpoint: u64, file: &StoreFile) -> Result<()> {
        let path = format!("{}/{}", self.directory(checkpoint), file.name);
        self.storage.put_file(&path, &file.path)
    }

    /// Stores a file that several checkpoints may refer to.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn put_shared(&self, file: &StoreFile) -> Result<()> {
        let path = format!("{}/{}", self.below(SHARED), file.name);
        self.storage.put_file(&path, &file.path)
    }

    /// Writes a layer of an instance's state where several checkpoints may refer to it.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn write_layer(&self, name: &str, layer: &LayerView<'_>) -> Result<WrittenLayer> {
        let path = format!("{}/{name}", self.below(SHARED));
        let mut place = SmallOrFile::new(self, FileKind::Layer, path);
        let entries = write_layer(layer, &mut |bytes| place.append(bytes))?;
        if layer.whole && place.is_small() {
            return Ok(WrittenLayer::Small);
        }
        let bytes = place.into_file()?;
        Ok(WrittenLayer::File { bytes, entries })
    }

    /// The names of the shared files.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn shared(&self) -> Result<Vec<String>> {
        self.storage.list(&self.below(SHARED))
    }

    /// Deletes a shared file.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn delete_shared(&self, name: &str) -> Result<()> {
        self.storage
            .delete(&format!("{}/{name}", self.below(SHARED)))
    }

    /// The shared files that a checkpoint refers to.
    ///
    /// # Errors
    /// As [`CheckpointStore::load`].
    pub fn references(&self, checkpoint: u64) -> Result<BTreeSet<String>> {
        let path = format!("{}/{METADATA}", self.directory(checkpoint));
        let file = self.storage.read(&path)?;
        let (version, body) = open(FileKind::Metadata, &file)?;
        Ok(read_metadata(version, body)?.shared)
    }

    /// Completes a checkpoint whose states are all written: from now on it exists.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn complete(&self, metadata: &Metadata) -> Result<()> {
        let mut body = Vec::new();
        write_metadata(metadata, &mut body);
        let path = format!("{}/{METADATA}", self.directory(metadata.checkpoint));
        self.storage.write(&path, &seal(FileKind::Metadata, &body))
    }

    /// Deletes a checkpoint, or what there is of one that was not completed.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn discard(&self, checkpoint: u64) -> Result<()> {
        let directory = self.directory(checkpoint);
        // First what makes it a checkpoint: half of one must not be taken for a whole.
        self.storage.delete(&format!("{directory}/{METADATA}"))?;
        self.storage.delete(&directory)
    }

    /// Deletes everything, if this store has a directory of its own.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn discard_all(&self) -> Result<()> {
        for checkpoint in self.numbers()? {
            self.discard(checkpoint)?;
        }
        if self.job.is_empty() {
            return Ok(());
        }
        self.storage.delete(&self.job)
    }

    /// The numbers of all directories of checkpoints, completed or not, highest first.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let names = self.storage.list(&self.job)?;
        let number = |name: &String| name.strip_prefix("chk-")?.parse().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    /// Whether a checkpoint was completed.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn is_complete(&self, checkpoint: u64) -> Result<bool> {
        let names = self.storage.list(&self.directory(checkpoint))?;
        Ok(names.iter().any(|name| name == METADATA))
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// `Corrupt` if a file of it is missing or damaged; `Unsupported` if it is of a later version.
    pub fn load(&self, checkpoint: u64) -> Result<Loaded> {
        load(&self.storage, &self.directory(checkpoint))
    }

    /// Reads the newest checkpoint that is whole. `skipped` hears of each newer one that is not.
    ///
    /// # Errors
    /// As [`CheckpointStore::load`], if none of several is whole; what the storage fails with.
    pub fn load_newest(&self, skipped: &mut dyn FnMut(&Error)) -> Result<Option<Loaded>> {
        let mut last = None;
        for checkpoint in self.numbers()? {
            if !self.is_complete(checkpoint)? {
                continue;
            }
            match self.load(checkpoint) {
                Ok(loaded) => return Ok(Some(loaded)),
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    skipped(&error);
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        last.map_or(Ok(None), Err)
    }
}

/// Reads what a user names: a checkpoint's directory, its metadata file, or a directory of
/// checkpoints, of which the newest whole one is taken.
///
/// # Errors
/// `User` if there is none; as [`CheckpointStore::load`].
pub fn load_named(
    storage: Arc<dyn CheckpointStorage>,
    skipped: &mut dyn FnMut(&Error),
) -> Result<Loaded> {
    let names = storage.list("")?;
    if names.iter().any(|name| name == METADATA) {
        return load(&storage, "");
    }
    let place = storage.display("");
    let store = CheckpointStore::new(storage, "");
    store.load_newest(skipped)?.ok_or_else(|| {
        Error::user(format!(
            "there is no checkpoint in `{place}`: no `{METADATA}`, no `chk-…`"
        ))
    })
}

/// Where a shared file is, seen from the directory of a checkpoint.
fn beside(directory: &str, name: &str) -> String {
    match directory.rsplit_once('/') {
        Some((job, _)) => format!("{job}/{SHARED}/{name}"),
        None if directory.is_empty() => format!("../{SHARED}/{name}"),
        None => format!("{SHARED}/{name}"),
    }
}

/// Reads the checkpoint in a directory.
fn load(storage: &Arc<dyn CheckpointStorage>, directory: &str) -> Result<Loaded> {
    let path = |name: &str| {
        if directory.is_empty() {
            name.to_owned()
        } else {
            format!("{directory}/{name}")
        }
    };
    let in_file = |name: &str| {
        let shown = storage.display(&path(name));
        move |error: Error| error.context(format!("`{shown}`"))
    };
    let file = storage.read(&path(METADATA))?;
    let (version, body) = open(FileKind::Metadata, &file).map_err(in_file(METADATA))?;
    let metadata = read_metadata(version, body).map_err(in_file(METADATA))?;
    let mut states = BTreeMap::new();
    for operator in &metadata.operators {
        let mut instances = Vec::with_capacity(operator.instances.len());
        for instance in &operator.instances {
            let mut state = match &instance.location {
                StateLocation::Inline(body) => {
                    read_snapshot(version, body).map_err(in_file(METADATA))?
                }
                StateLocation::File { name, .. } => {
                    let file = storage.read(&path(name))?;
                    let (version, body) = open(FileKind::State, &file).map_err(in_file(name))?;
                    read_snapshot(version, body).map_err(in_file(name))?
                }
            };
            let layers = instance.layers.iter();
            let layers = layers.map(|layer| load_layer(storage.as_ref(), directory, layer));
            merge_layers(&mut state, &layers.collect::<Result<Vec<_>>>()?)
                .map_err(in_file(METADATA))?;
            for store in &mut state.stores {
                for file in &mut store.checkpoint.files {
                    let place = match file.shared {
                        true => beside(directory, &file.name),
                        false => path(&file.name),
                    };
                    file.path = storage.get_file(&place, file.bytes)?;
                }
            }
            instances.push(state);
        }
        states.insert(operator.uid.clone(), instances);
    }
    Ok(Loaded {
        metadata,
        states,
        place: storage.display(directory),
        storage: storage.clone(),
    })
}

/// Reads a layer. Its file is of no one checkpoint: the error says which one needs it.
fn load_layer(
    storage: &dyn CheckpointStorage,
    directory: &str,
    layer: &LayerFile,
) -> Result<StateLayer> {
    let path = beside(directory, &layer.name);
    let read = storage.read(&path).and_then(|file| {
        let (version, body) = open(FileKind::Layer, &file)?;
        read_layer(version, body)
    });
    read.map_err(|error| {
        let (needs, shown) = (storage.display(directory), storage.display(&path));
        error.context(format!("`{needs}` needs `{shown}`, as others may"))
    })
}

#[cfg(test)]
mod tests;

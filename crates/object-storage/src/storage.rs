//! A bucket, or what lies below a prefix in it, as a tree of files.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_state::{CheckpointStorage, StorageFile};

use crate::errors::{Action, Place};
use crate::io::Io;
use crate::scratch::Scratch;
use crate::upload::ObjectFile;

/// What a storage needs of an object store.
pub(crate) trait Store: ObjectStore + PaginatedListStore {}

impl<S: ObjectStore + PaginatedListStore> Store for S {}

/// What lies below a prefix of a bucket.
pub struct ObjectStorage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) io: Io,
    pub(crate) place: Place,
    // Without slashes at its ends.
    prefix: String,
    scratch: Mutex<Option<Scratch>>,
    numbers: AtomicU64,
}

impl ObjectStorage {
    pub(crate) fn new(store: Arc<dyn Store>, place: Place, prefix: &str) -> Result<Self> {
        Ok(ObjectStorage {
            store,
            io: Io::of_process()?,
            place,
            prefix: prefix.to_owned(),
            scratch: Mutex::new(None),
            numbers: AtomicU64::new(0),
        })
    }

    /// The key of a path. `..` leads upwards, also out of the prefix: a checkpoint that was opened by
    /// itself refers to files beside it.
    fn key(&self, path: &str) -> Result<Path> {
        let mut parts: Vec<&str> = Vec::new();
        for part in self.prefix.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_none() => {
                    let bucket = &self.place.bucket;
                    return Err(Error::user(format!("`{path}` leads out of `{bucket}`")));
                }
                ".." => {}
                part => parts.push(part),
            }
        }
        let joined = parts.join("/");
        Path::parse(&joined).map_err(|error| {
            let place = format!("{}/{joined}", self.place.bucket);
            Error::user(format!("`{place}` is no name of an object")).with_source(error)
        })
    }

    /// What users see of a key.
    pub(crate) fn place_of(&self, key: &Path) -> String {
        format!("{}/{key}", self.place.bucket)
    }

    /// Stores the `bytes` bytes that a source gives. When this returns they are durable, and until then no
    /// reader sees any of them. Memory for five parts is all that it needs:
    /// of 8 MiB each, and more beyond 12 GiB.
    ///
    /// # Errors
    /// `User` if the server refuses or the bucket does not exist; `Retryable` if the source fails or gives
    /// less, or the server cannot be reached or cannot take it. Nothing is left on the server then.
    pub fn write_from(&self, path: &str, bytes: u64, source: &mut dyn Read) -> Result<()> {
        let mut file = Box::new(ObjectFile::new(self, self.key(path)?));
        file.append_from(bytes, source)?;
        file.finish()
    }

    /// A number that this storage has not given yet.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The directory for files of this storage that were brought to this machine.
    pub(crate) fn scratch(&self) -> Result<PathBuf> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scratch) = scratch.as_ref() {
            return Ok(scratch.path().to_owned());
        }
        let made = Scratch::new().map_err(|error| {
            let what = "cannot make a directory for downloads among the temporary files (`TMPDIR`)";
            Error::new(ErrorKind::Retryable, what).with_source(error)
        })?;
        let path = made.path().to_owned();
        *scratch = Some(made);
        Ok(path)
    }

    pub(crate) fn failed(&self, action: Action, key: &Path, error: &StoreError) -> Error {
        self.place.error(action, key.as_ref(), error)
    }

    /// Whether there is an object of this very name.
    ///
    /// Asked before it is deleted: where a bucket keeps versions, the deletion of what is not there would
    /// stay in it for ever.
    fn is_object(&self, key: &Path) -> Result<bool> {
        let (store, at) = (self.store.clone(), key.clone());
        let first = self.io.run(async move {
            let one = PaginatedListOptions {
                max_keys: Some(1),
                ..PaginatedListOptions::default()
            };
            // Of all that begins like it, it comes first.
            let page = store.list_paginated(Some(at.as_ref()), one).await?;
            Ok(page
                .result
                .objects
                .first()
                .map(|object| object.location == at))
        })?;
        let first: object_store::Result<Option<bool>> = first;
        let first = first.map_err(|error| self.failed(Action::Delete, key, &error))?;
        Ok(first.unwrap_or(false))
    }

    /// Deletes objects. One that is gone already is none less.
    fn delete_keys(&self, directory: &Path, keys: Vec<Path>) -> Result<()> {
        let store = self.store.clone();
        let deleted = self.io.run(async move {
            let keys = stream::iter(keys.into_iter().map(Ok)).boxed();
            let mut answers = store.delete_stream(keys);
            let mut failed = None;
            while let Some(answer) = answers.next().await {
                match answer {
                    Ok(_) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            failed
        })?;
        match deleted {
            None => Ok(()),
            Some(error) => Err(self.failed(Action::Delete, directory, &error)),
        }
    }
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the store: it knows the secrets.
        f.write_str(&self.display(""))
    }
}

impl CheckpointStorage for ObjectStorage {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(path)?;
        file.append(bytes)?;
        file.finish()
    }

    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>> {
        Ok(Box::new(ObjectFile::new(self, self.key(path)?)))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let key = self.key(path)?;
        let (store, at) = (self.store.clone(), key.clone());
        let read = self
            .io
            .run(async move { store.get(&at).await?.bytes().await })?;
        let bytes = read.map_err(|error| self.failed(Action::Read, &key, &error))?;
        Ok(bytes.into())
    }

    fn put_file(&self, path: &str, from: &LocalPath) -> Result<()> {
        let opened = File::open(from).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, mut file) = opened.map_err(|error| {
            let what = format!("cannot read `{}`", from.display());
            Error::new(ErrorKind::Retryable, what).with_source(error)
        })?;
        self.write_from(path, bytes, &mut file)
            .map_err(|error| error.context(format!("from `{}`", from.display())))
    }

    fn get_file(&self, path: &str, bytes: u64) -> Result<PathBuf> {
        self.download(&self.key(path)?, bytes)
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        let key = self.key(directory)?;
        let (store, at) = (self.store.clone(), key.clone());
        let listed = self
            .io
            .run(async move { store.list_with_delimiter(Some(&at)).await })?;
        let listed = listed.map_err(|error| self.failed(Action::List, &key, &error))?;
        let objects = listed.objects.iter().map(|object| &object.location);
        let below = listed.common_prefixes.iter().chain(objects);
        let mut names: Vec<String> = below
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<()> {
        let key = self.key(path)?;
        if !path.is_empty() && self.is_object(&key)? {
            return self.delete_keys(&key, vec![key.clone()]);
        }
        let (store, at) = (self.store.clone(), key.clone());
        let listed = self.io.run(async move {
            let below = store.list(Some(&at)).map_ok(|object| object.location);
            below.try_collect::<Vec<_>>().await
        })?;
        let keys = listed.map_err(|error| self.failed(Action::Delete, &key, &error))?;
        self.delete_keys(&key, keys)
    }

    fn display(&self, path: &str) -> String {
        let shown = match self.key(path) {
            Ok(key) => self.place_of(&key),
            Err(_) => format!("{}/{}/{path}", self.place.bucket, self.prefix),
        };
        shown.trim_end_matches('/').to_owned()
    }
}

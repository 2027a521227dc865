//! Storing an object: in one request, or a large one in parts.

use std::io::{self, Read};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_state::StorageFile;

use crate::errors::Action;
use crate::io::Window;
use crate::storage::ObjectStorage;

// What is larger is stored in parts, the first of which have this size.
const PART_BYTES: usize = 8 << 20;

// Parts double in size after so many, and end at 128 MiB. S3 takes 10,000 of them, and 5 TiB.
const PARTS_OF_A_SIZE: usize = 1_500;
const DOUBLINGS_MAX: usize = 4;

/// Parts that are on their way at a time: with the one that is filled, what an upload needs of memory.
const AT_ONCE: usize = 4;

// How much of a source is read at a time.
const READ_BYTES: usize = 256 << 10;

/// An object on its way. Nothing of it is left on the server if this is dropped before its end.
pub(crate) struct ObjectFile<'a> {
    storage: &'a ObjectStorage,
    key: Path,
    part: Vec<u8>,
    parts: Option<Parts>,
}

/// The parts of an object that were sent.
struct Parts {
    upload: Box<dyn MultipartUpload>,
    on_their_way: Window<object_store::Result<()>>,
    sent: usize,
}

impl<'a> ObjectFile<'a> {
    pub(crate) fn new(storage: &'a ObjectStorage, key: Path) -> Self {
        ObjectFile {
            storage,
            key,
            part: Vec::new(),
            parts: None,
        }
    }

    /// Appends the `total` bytes of a source.
    pub(crate) fn append_from(&mut self, total: u64, source: &mut dyn Read) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES.min(usize::try_from(total).unwrap_or(READ_BYTES))];
        let mut left = total;
        while left > 0 {
            let most = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(buffer.len()));
            let read = match source.read(&mut buffer[..most]) {
                Ok(0) => Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it has become shorter",
                )),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read,
            };
            let read = read.map_err(|error| {
                let place = self.storage.place_of(&self.key);
                Error::new(ErrorKind::Retryable, format!("cannot write `{place}`"))
                    .with_source(error)
            })?;
            self.append(&buffer[..read])?;
            left -= read as u64;
        }
        Ok(())
    }

    /// Sends the part that is full.
    fn send(&mut self) -> Result<()> {
        let full = Bytes::from(std::mem::take(&mut self.part));
        let failed = |error| self.storage.failed(Action::Write, &self.key, &error);
        if self.parts.is_none() {
            let (store, at) = (self.storage.store.clone(), self.key.clone());
            let begun = self
                .storage
                .io
                .run(async move { store.put_multipart(&at).await })?;
            self.parts = Some(Parts {
                upload: begun.map_err(failed)?,
                on_their_way: Window::new(AT_ONCE),
                sent: 0,
            });
        }
        if let Some(parts) = &mut self.parts {
            parts.sent += 1;
            let sending = self.storage.io.start(parts.upload.put_part(full.into()));
            if let Some(sent) = parts.on_their_way.push(sending)? {
                sent.map_err(failed)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let failed = |error| self.storage.failed(Action::Write, &self.key, &error);
        if self.parts.is_none() {
            let whole = Bytes::from(std::mem::take(&mut self.part));
            let (store, at) = (self.storage.store.clone(), self.key.clone());
            let stored = self
                .storage
                .io
                .run(async move { store.put(&at, whole.into()).await })?;
            return stored.map(drop).map_err(failed);
        }
        if !self.part.is_empty() {
            self.send()?;
        }
        let failed = |error| self.storage.failed(Action::Write, &self.key, &error);
        let Some(mut parts) = self.parts.take() else {
            return Ok(());
        };
        while let Some(sent) = parts.on_their_way.next()? {
            if let Err(error) = sent.map_err(failed) {
                self.parts = Some(parts);
                return Err(error);
            }
        }
        let mut upload = parts.upload;
        let (completed, upload) = self.storage.io.run(async move {
            let completed = upload.complete().await;
            (completed, upload)
        })?;
        completed.map(drop).map_err(|error| {
            self.parts = Some(Parts { upload, ..parts });
            failed(error)
        })
    }

    /// Has the server forget the parts of an upload that failed.
    ///
    /// # Errors
    /// What the server refuses.
    fn abort(&mut self) -> Result<()> {
        let Some(mut parts) = self.parts.take() else {
            return Ok(());
        };
        // A part that arrives behind the end of an upload would stay: each is waited for, whatever
        // becomes of it.
        while let Ok(Some(_)) = parts.on_their_way.next() {}
        let mut upload = parts.upload;
        let aborted = self.storage.io.run(async move { upload.abort().await })?;
        aborted.map_err(|error| self.storage.failed(Action::Write, &self.key, &error))
    }

    /// An error of this upload, with what came of the parts that were stored.
    fn given_up(&mut self, error: Error) -> Error {
        match self.abort() {
            Ok(()) => error,
            // Parts cost money and are seen by no listing: a rule of the bucket has to remove them.
            Err(_) => error.context(
                "parts that were stored could not be removed; a lifecycle rule of the bucket that \
                 aborts incomplete uploads does",
            ),
        }
    }
}

impl StorageFile for ObjectFile<'_> {
    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            let sent = self.parts.as_ref().map_or(0, |parts| parts.sent);
            let room = part_bytes(sent) - self.part.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.part.extend_from_slice(now);
            // A full part waits for the next byte: what is just as long is stored in one request.
            if later.is_empty() {
                return Ok(());
            }
            self.send().map_err(|error| self.given_up(error))?;
            bytes = later;
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.end().map_err(|error| self.given_up(error))
    }
}

impl Drop for ObjectFile<'_> {
    fn drop(&mut self) {
        // The error that led here is the one to report.
        let _ = self.abort();
    }
}

/// The size of the part behind so many.
fn part_bytes(sent: usize) -> usize {
    PART_BYTES << (sent / PARTS_OF_A_SIZE).min(DOUBLINGS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_no_more_parts_than_a_server_takes() {
        let whole: u64 = (0..10_000).map(|sent| part_bytes(sent) as u64).sum();
        assert!(whole > 600 << 30, "{whole}");
        let largest = part_bytes(9_999) as u64;
        assert!(
            (PART_BYTES as u64..=5 << 30).contains(&largest),
            "{largest}"
        );
    }
}

//! Storing an object: in one request, or a large one in parts.

use std::io::{self, Read};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use thalweg_core::error::{Error, ErrorKind, Result};

use crate::errors::Action;
use crate::io::Window;
use crate::storage::ObjectStorage;

// What is larger is stored in parts of this size.
const PART_BYTES: u64 = 8 << 20;

// S3 takes 10,000 parts; some are left for the rounding.
const PARTS_MAX: u64 = 9_000;

/// Parts that are on their way at a time: with the one that is read, what an upload needs of memory.
const AT_ONCE: usize = 4;

impl ObjectStorage {
    /// Stores the `total` bytes of a source. When this returns they are durable, and until then no reader
    /// sees any of them. Needs memory for [`AT_ONCE`] parts and one more.
    pub(crate) fn upload(&self, key: &Path, total: u64, source: &mut dyn Read) -> Result<()> {
        if total > PART_BYTES {
            return self.upload_in_parts(key, total, source);
        }
        let bytes = self.read_part(key, total, source)?;
        let (store, at) = (self.store.clone(), key.clone());
        let stored = self
            .io
            .run(async move { store.put(&at, bytes.into()).await })?;
        stored
            .map(drop)
            .map_err(|error| self.place.error(Action::Write, key.as_ref(), &error))
    }

    fn upload_in_parts(&self, key: &Path, total: u64, source: &mut dyn Read) -> Result<()> {
        let failed = |error| self.place.error(Action::Write, key.as_ref(), &error);
        let (store, at) = (self.store.clone(), key.clone());
        let begun = self.io.run(async move { store.put_multipart(&at).await })?;
        let mut upload = begun.map_err(failed)?;
        if let Err(error) = self.send_parts(key, total, source, upload.as_mut()) {
            return Err(self.abort(error, upload));
        }
        let (completed, upload) = self.io.run(async move {
            let completed = upload.complete().await;
            (completed, upload)
        })?;
        match completed {
            Ok(_) => Ok(()),
            Err(error) => Err(self.abort(failed(error), upload)),
        }
    }

    fn send_parts(
        &self,
        key: &Path,
        total: u64,
        source: &mut dyn Read,
        upload: &mut dyn MultipartUpload,
    ) -> Result<()> {
        let mut window = Window::new(AT_ONCE);
        let sent = self.send_into(&mut window, key, total, source, upload);
        if sent.is_err() {
            // A part that arrives behind the end of an upload would stay: each is waited for, whatever
            // becomes of it.
            while let Ok(Some(_)) = window.next() {}
        }
        sent
    }

    fn send_into(
        &self,
        window: &mut Window<object_store::Result<()>>,
        key: &Path,
        total: u64,
        source: &mut dyn Read,
        upload: &mut dyn MultipartUpload,
    ) -> Result<()> {
        let failed = |error| self.place.error(Action::Write, key.as_ref(), &error);
        let part_bytes = part_bytes(total);
        let mut left = total;
        while left > 0 {
            let bytes = left.min(part_bytes);
            let part = self.read_part(key, bytes, source)?;
            left -= bytes;
            if let Some(sent) = window.push(self.io.start(upload.put_part(part.into())))? {
                sent.map_err(failed)?;
            }
        }
        while let Some(sent) = window.next()? {
            sent.map_err(failed)?;
        }
        Ok(())
    }

    /// Has the server forget the parts of an upload that failed; the error, with what came of it.
    fn abort(&self, error: Error, mut upload: Box<dyn MultipartUpload>) -> Error {
        let aborted = self.io.run(async move { upload.abort().await });
        match aborted {
            Ok(Ok(())) => error,
            // Parts cost money and are seen by no listing: a rule of the bucket has to remove them.
            _ => error.context(
                "parts that were stored could not be removed; a lifecycle rule of the bucket that \
                 aborts incomplete uploads does",
            ),
        }
    }

    fn read_part(&self, key: &Path, bytes: u64, source: &mut dyn Read) -> Result<Bytes> {
        let mut part = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        let read = source.take(bytes).read_to_end(&mut part);
        let whole = read.and_then(|read| match read as u64 == bytes {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it has become shorter",
            )),
        });
        whole.map_err(|error| {
            let place = self.place_of(key);
            Error::new(ErrorKind::Retryable, format!("cannot write `{place}`")).with_source(error)
        })?;
        Ok(part.into())
    }
}

/// The size of each part but the last.
fn part_bytes(total: u64) -> u64 {
    total.div_ceil(PARTS_MAX).max(PART_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_any_size_has_fewer_parts_than_a_server_takes() {
        for total in [PART_BYTES + 1, 100 << 30, 5 << 40] {
            let part = part_bytes(total);
            assert!((PART_BYTES..=5 << 30).contains(&part), "{total}: {part}");
            assert!(total.div_ceil(part) <= 10_000, "{total}: {part}");
        }
    }
}

//! Bringing an object to this machine.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use thalweg_core::error::{Error, ErrorKind, Result};

use crate::errors::Action;
use crate::io::Window;
use crate::storage::ObjectStorage;

// An object is read in pieces of this size.
const PIECE_BYTES: u64 = 8 << 20;

// Pieces on their way at a time.
const AT_ONCE: usize = 4;

/// A file that goes with this, unless it was given another name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // The error that led here is the one to report; mostly the file is not there any more.
        let _ = fs::remove_file(&self.0);
    }
}

impl ObjectStorage {
    /// A file of this machine with what an object of `bytes` bytes has.
    pub(crate) fn download(&self, key: &Path, bytes: u64) -> Result<PathBuf> {
        let place = self.place_of(key);
        let directory = self.scratch()?;
        let path = directory.join(key.as_ref());
        // Files of checkpoints never change: what was brought once need not come again.
        if fs::metadata(&path).is_ok_and(|found| found.len() == bytes) {
            return Ok(path);
        }
        self.check_length(key, bytes)?;
        let kept = |error: io::Error| {
            let what = format!("cannot keep `{place}` in `{}`", directory.display());
            Error::new(ErrorKind::Retryable, what).with_source(error)
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(kept)?;
        }
        let unfinished = Unfinished(directory.join(format!(".download-{}", self.next_number())));
        let mut file = File::create_new(&unfinished.0).map_err(kept)?;
        let mut window = Window::new(AT_ONCE);
        let mut write = |piece: (u64, object_store::Result<bytes::Bytes>)| {
            let (expected, piece) = piece;
            let piece =
                piece.map_err(|error| self.place.error(Action::Read, key.as_ref(), &error))?;
            if piece.len() as u64 != expected {
                return Err(Error::new(
                    ErrorKind::Retryable,
                    format!("cannot read `{place}`: a part of it came short"),
                ));
            }
            file.write_all(&piece).map_err(kept)
        };
        let mut from = 0;
        while from < bytes {
            let to = bytes.min(from + PIECE_BYTES);
            let (store, at) = (self.store.clone(), key.clone());
            let piece = self
                .io
                .start(async move { (to - from, store.get_range(&at, from..to).await) });
            from = to;
            if let Some(piece) = window.push(piece)? {
                write(piece)?;
            }
        }
        while let Some(piece) = window.next()? {
            write(piece)?;
        }
        fs::rename(&unfinished.0, &path).map_err(kept)?;
        Ok(path)
    }

    fn check_length(&self, key: &Path, bytes: u64) -> Result<()> {
        let (store, at) = (self.store.clone(), key.clone());
        let found = self.io.run(async move { store.head(&at).await })?;
        let found = found.map_err(|error| self.place.error(Action::Read, key.as_ref(), &error))?;
        if found.size != bytes {
            return Err(Error::corrupt(format!(
                "`{}` is not whole: {} bytes, {bytes} expected",
                self.place_of(key),
                found.size
            )));
        }
        Ok(())
    }
}

//! One part: a file that rows are written to.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::time::ProcessingTime;
use thalweg_formats::parquet::ParquetWriter;
use thalweg_formats::{Encoder, FormatError, FormatOptions};

use super::commit::PartFile;
use super::names;
use super::rolling::Progress;
use crate::options::format_error;

/// How parts are encoded.
#[derive(Clone)]
pub(super) struct PartFormat {
    pub name: String,
    pub options: FormatOptions,
    /// The columns that are written.
    pub schema: SchemaRef,
}

impl PartFormat {
    /// Whether a file has a footer, so that what there is of it at a barrier is no file.
    pub(super) fn is_bulk(&self) -> bool {
        self.name == "parquet"
    }

    /// An encoder of a text format.
    pub(super) fn encoder(&self) -> Result<Box<dyn Encoder>> {
        thalweg_formats::encoder(&self.name, &self.options, self.schema.clone())
            .map_err(format_error)
    }
}

enum Body {
    Text {
        encoder: Box<dyn Encoder>,
        file: BufWriter<File>,
        buffer: Vec<u8>,
        bytes: u64,
    },
    Parquet(Box<ParquetWriter<File>>),
}

/// A part that is being written.
pub(super) struct Part {
    place: Place,
    body: Body,
    begun: ProcessingTime,
    written: ProcessingTime,
    /// Bytes that are known to be on disk.
    synced: u64,
}

impl Part {
    /// Creates the file in `directory`, which is created as well.
    ///
    /// # Errors
    /// Naming the file or directory: `User` for one that cannot be written, `Retryable` for a disk
    /// that is full or fails.
    pub(super) fn begin(
        directory: PathBuf,
        visible: String,
        format: &PartFormat,
        now: ProcessingTime,
    ) -> Result<Self> {
        create_directories(&directory).map_err(failing(&directory))?;
        let path = directory.join(names::in_progress(&visible));
        let file = File::create_new(&path).map_err(failing(&path))?;
        let body = if format.is_bulk() {
            let writer = ParquetWriter::new(file, &format.options, format.schema.clone());
            Body::Parquet(Box::new(writer.map_err(encoding(&path))?))
        } else {
            let mut encoder = format.encoder()?;
            let mut buffer = Vec::new();
            encoder.header(&mut buffer).map_err(encoding(&path))?;
            Body::Text {
                encoder,
                file: BufWriter::new(file),
                buffer,
                bytes: 0,
            }
        };
        Ok(Part {
            place: Place {
                directory,
                visible,
                pending: false,
            },
            body,
            begun: now,
            written: now,
            synced: 0,
        })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// What encoding and writing fail with, naming the file.
    pub(super) fn write(&mut self, rows: &RecordBatch, now: ProcessingTime) -> Result<()> {
        self.written = now;
        match &mut self.body {
            Body::Text {
                encoder,
                file,
                buffer,
                bytes,
            } => {
                let encoded = encoder.encode(rows, buffer);
                encoded.map_err(|error| self.place.not_encoded(error))?;
                *bytes += buffer.len() as u64;
                let written = file.write_all(buffer);
                buffer.clear();
                written.map_err(|error| self.place.failed(error))
            }
            Body::Parquet(writer) => writer
                .write(rows)
                .map_err(|error| self.place.not_encoded(error)),
        }
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            bytes: match &self.body {
                Body::Text { bytes, .. } => *bytes,
                Body::Parquet(writer) => writer.bytes(),
            },
            begun: self.begun,
            written: self.written,
        }
    }

    /// Makes what is written so far survive a crash, for a checkpoint that is about to hold it.
    /// Only of a text format.
    ///
    /// # Errors
    /// As [`Part::write`]; `Internal` for a format with a footer.
    pub(super) fn hold(&mut self) -> Result<PartFile> {
        let Body::Text { file, bytes, .. } = &mut self.body else {
            return Err(Error::internal("a part with a footer is held open"));
        };
        let bytes = *bytes;
        if bytes > self.synced {
            let synced = file.flush().and_then(|()| file.get_ref().sync_data());
            synced.map_err(|error| self.place.failed(error))?;
            self.synced = bytes;
        }
        self.place.mark()?;
        Ok(self.place.file(bytes))
    }

    /// Finishes the file for a checkpoint that is about to hold it.
    ///
    /// # Errors
    /// As [`Part::write`].
    pub(super) fn close(self) -> Result<PartFile> {
        let (mut place, bytes) = self.complete(true)?;
        place.mark()?;
        Ok(place.file(bytes))
    }

    /// Finishes the file and gives it its visible name. If it is to survive a crash, it and its
    /// name are on disk then.
    ///
    /// # Errors
    /// As [`Part::write`].
    pub(super) fn publish(self, durable: bool) -> Result<()> {
        let (place, _) = self.complete(durable)?;
        let to = place.directory.join(&place.visible);
        fs::rename(place.path(), &to).map_err(failing(&to))?;
        if durable {
            sync(&place.directory).map_err(failing(&place.directory))?;
        }
        Ok(())
    }

    fn complete(self, durable: bool) -> Result<(Place, u64)> {
        let place = self.place;
        let file = match self.body {
            Body::Text { file, .. } => file
                .into_inner()
                .map_err(|error| place.failed(error.into_error()))?,
            Body::Parquet(writer) => writer.finish().map_err(|error| place.not_encoded(error))?,
        };
        if durable {
            file.sync_all().map_err(|error| place.failed(error))?;
        }
        let length = file.metadata().map_err(|error| place.failed(error))?.len();
        Ok((place, length))
    }
}

/// Where a part lies.
struct Place {
    directory: PathBuf,
    /// The name it will have in the end.
    visible: String,
    /// Whether a checkpoint may know it.
    pending: bool,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.directory.join(if self.pending {
            names::pending(&self.visible)
        } else {
            names::in_progress(&self.visible)
        })
    }

    /// Says in its name that a checkpoint may know it.
    fn mark(&mut self) -> Result<()> {
        if !self.pending {
            let to = self.directory.join(names::pending(&self.visible));
            fs::rename(self.path(), &to).map_err(failing(&to))?;
            sync(&self.directory).map_err(failing(&self.directory))?;
            self.pending = true;
        }
        Ok(())
    }

    fn file(&self, bytes: u64) -> PartFile {
        PartFile::new(&self.directory, &self.visible, bytes)
    }

    fn failed(&self, error: io::Error) -> Error {
        failing(&self.path())(error)
    }

    fn not_encoded(&self, error: FormatError) -> Error {
        encoding(&self.path())(error)
    }
}

/// Creates a directory and those above it, so that they survive a crash with what is in them.
pub(super) fn create_directories(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    create_directories(parent)?;
    match fs::create_dir(path) {
        // Another instance was faster.
        Err(error) if error.kind() == IoKind::AlreadyExists && path.is_dir() => {}
        // A file, then.
        Err(error) if error.kind() == IoKind::AlreadyExists => {
            return Err(IoKind::NotADirectory.into());
        }
        created => created?,
    }
    sync(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// Makes the names in a directory durable.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The error for a file or directory that cannot be written: `User` for what stays so until
/// somebody changes it, `Retryable` for a disk that is full or fails.
pub(super) fn failing(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |error| {
        let kind = match error.kind() {
            IoKind::PermissionDenied | IoKind::NotADirectory | IoKind::InvalidFilename => {
                ErrorKind::User
            }
            _ => ErrorKind::Retryable,
        };
        Error::new(kind, format!("cannot write `{path}`")).with_source(error)
    }
}

/// The error for rows that cannot be encoded for a file.
fn encoding(path: &Path) -> impl FnOnce(FormatError) -> Error {
    let path = path.display().to_string();
    move |error| format_error(error).context(format!("cannot write `{path}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_so_is_an_error_of_the_user() {
        let kind = |error: IoKind| failing(Path::new("/d/a.csv"))(error.into()).kind();
        for stays in [
            IoKind::PermissionDenied,
            IoKind::NotADirectory,
            IoKind::InvalidFilename,
        ] {
            assert_eq!(kind(stays), ErrorKind::User);
        }
        for passes in [
            IoKind::StorageFull,
            IoKind::StaleNetworkFileHandle,
            IoKind::Other,
        ] {
            assert_eq!(kind(passes), ErrorKind::Retryable);
        }
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_an_error_of_the_user() {
        let path = std::env::temp_dir().join(format!("thalweg-part-{}", names::unique()));
        fs::write(&path, "").unwrap();
        for directory in [path.clone(), path.join("day=1")] {
            let error = create_directories(&directory).map_err(failing(&directory));
            assert_eq!(error.unwrap_err().kind(), ErrorKind::User);
        }
        fs::remove_file(&path).unwrap();
    }
}

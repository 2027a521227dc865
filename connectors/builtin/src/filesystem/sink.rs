//! The sink: each instance writes one file under a hidden name and shows it when it is whole.
//!
//! A reader that follows the rule for hidden names never sees half a file. What was written
//! before a failure stays hidden and is not part of the table.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_schema::SchemaRef;
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::TableSpec;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{SinkFactory, SinkWriter};
use thalweg_formats::parquet::ParquetWriter;
use thalweg_formats::{Encoder, FormatOptions};

use crate::options::{format_error, format_options, required};

/// The sink's factory.
pub struct FileSink {
    directory: PathBuf,
    format: String,
    options: FormatOptions,
    schema: SchemaRef,
}

impl FileSink {
    /// A sink for a table.
    ///
    /// # Errors
    /// `User` for missing or wrong options.
    pub fn new(table: &TableSpec) -> Result<Self> {
        if !table.partition_keys.is_empty() {
            return Err(Error::unsupported(format!(
                "table `{}`: PARTITIONED BY of the filesystem sink",
                table.name
            )));
        }
        let format = required(table, "format")?;
        let path = required(table, "path")?;
        let sink = FileSink {
            directory: PathBuf::from(path.strip_prefix("file://").unwrap_or(&path)),
            options: format_options(table, &format),
            format,
            schema: table.schema.clone(),
        };
        if sink.format != "parquet" {
            thalweg_formats::encoder(&sink.format, &sink.options, sink.schema.clone())
                .map_err(format_error)?;
        }
        Ok(sink)
    }
}

impl SinkFactory for FileSink {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(FileWriter {
            directory: self.directory.clone(),
            format: self.format.clone(),
            options: self.options.clone(),
            schema: self.schema.clone(),
            index: setup.info.index,
            open: None,
        }))
    }
}

enum Body {
    Text {
        encoder: Box<dyn Encoder>,
        file: BufWriter<File>,
        buffer: Vec<u8>,
    },
    Parquet(Box<ParquetWriter<File>>),
}

struct OpenFile {
    body: Body,
    hidden: PathBuf,
    visible: PathBuf,
}

struct FileWriter {
    directory: PathBuf,
    format: String,
    options: FormatOptions,
    schema: SchemaRef,
    index: u32,
    open: Option<OpenFile>,
}

// Tells apart the files of jobs of one process; the process id tells apart processes.
static FILES: AtomicU64 = AtomicU64::new(0);

impl FileWriter {
    fn begin(&self) -> Result<OpenFile> {
        let failing = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| {
                Error::user(format!("cannot write `{path}`")).with_source(error)
            }
        };
        std::fs::create_dir_all(&self.directory).map_err(failing(&self.directory))?;
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "part-{:08x}-{}-{number}.{}",
            std::process::id(),
            self.index,
            self.format
        );
        let hidden = self.directory.join(format!(".{name}.inprogress"));
        let visible = self.directory.join(name);
        let file = File::create(&hidden).map_err(failing(&hidden))?;
        let body = if self.format == "parquet" {
            let writer = ParquetWriter::new(file, &self.options, self.schema.clone());
            Body::Parquet(Box::new(writer.map_err(format_error)?))
        } else {
            let mut encoder =
                thalweg_formats::encoder(&self.format, &self.options, self.schema.clone())
                    .map_err(format_error)?;
            let mut buffer = Vec::new();
            encoder.header(&mut buffer).map_err(format_error)?;
            Body::Text {
                encoder,
                file: BufWriter::new(file),
                buffer,
            }
        };
        Ok(OpenFile {
            body,
            hidden,
            visible,
        })
    }
}

impl SinkWriter for FileWriter {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        let batch = downcast::<ColumnBatch>(batch)?;
        if batch.kinds().is_some() {
            return Err(Error::user(
                "the filesystem sink takes insertions only, not updates",
            ));
        }
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        match &mut open.body {
            Body::Text {
                encoder,
                file,
                buffer,
            } => {
                encoder
                    .encode(batch.records(), buffer)
                    .map_err(format_error)?;
                file.write_all(buffer)?;
                buffer.clear();
            }
            Body::Parquet(writer) => writer.write(batch.records()).map_err(format_error)?,
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        if let Some(OpenFile {
            body: Body::Text { file, .. },
            ..
        }) = &mut self.open
        {
            file.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let file = match open.body {
            Body::Text { file, .. } => file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?,
            Body::Parquet(writer) => writer.finish().map_err(format_error)?,
        };
        file.sync_all()?;
        std::fs::rename(&open.hidden, &open.visible)?;
        Ok(())
    }
}

//! The sink: instances write files under hidden names; a checkpoint makes them appear.
//!
//! ```text
//! .part-<run>-<instance>-<n>.csv.inprogress
//!     │ a checkpoint cuts the stream: closed and synced, a committable
//!     ▼ the checkpoint is durable: renamed
//! part-<run>-<instance>-<n>.csv
//! ```
//!
//! A reader that follows the rule for hidden names sees each row exactly once, after any crash. The
//! run and the number of a writer's next file are part of the checkpoint: what a restored job finds
//! under that number or a higher one was written behind the checkpoint, will be written again, and
//! is deleted.

mod commit;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::TableSpec;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_formats::parquet::ParquetWriter;
use thalweg_formats::{Encoder, FormatOptions};

use self::commit::{Earlier, FileCommitter, Written, committable, hidden_name, new_run, sync};
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
            run: new_run(),
            next: 0,
            written: setup.states.operator_list("files", Redistribution::Union),
            open: None,
            closed: Vec::new(),
        }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(FileCommitter::new(self.directory.clone()))))
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
    name: String,
}

struct FileWriter {
    directory: PathBuf,
    format: String,
    options: FormatOptions,
    schema: SchemaRef,
    index: u32,
    /// What the names of all files of this job begin with.
    run: String,
    /// The number of the next file.
    next: u64,
    /// The number of the next file, for whoever is restored from a checkpoint.
    written: OperatorListState<Written>,
    open: Option<OpenFile>,
    /// Whole files that are not in a checkpoint yet.
    closed: Vec<String>,
}

impl FileWriter {
    fn begin(&mut self) -> Result<OpenFile> {
        std::fs::create_dir_all(&self.directory).map_err(failing(&self.directory))?;
        let (run, index, number) = (&self.run, self.index, self.next);
        let name = format!("part-{run}-{index}-{number}.{}", self.format);
        self.next += 1;
        let hidden = self.directory.join(hidden_name(&name));
        let file = File::create_new(&hidden).map_err(failing(&hidden))?;
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
        Ok(OpenFile { body, name })
    }

    /// Closes the open file: from now on it is whole, and survives a crash.
    fn close(&mut self) -> Result<()> {
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
        sync(&self.directory)?;
        self.closed.push(open.name);
        Ok(())
    }
}

fn failing(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::user(format!("cannot write `{path}`")).with_source(error)
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

    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let earlier = std::mem::take(self.written.get_mut(ctx.states_mut()));
        let earlier = Earlier(&earlier);
        let parallelism = ctx.info().parallelism;
        earlier.delete_leftovers(&self.directory, self.index, parallelism)?;
        let (behind, next) = earlier.committed_behind(&self.directory)?;
        if behind > 0 && self.index == 0 {
            eprintln!(
                "warning: `{}` has {behind} files that were committed behind the checkpoint: \
                 their rows come again",
                self.directory.display()
            );
        }
        self.next = next;
        if let Some(run) = earlier.run() {
            self.run = run;
        }
        Ok(())
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<()> {
        self.close()?;
        let written = Written {
            run: self.run.clone(),
            index: self.index,
            next: self.next,
        };
        *self.written.get_mut(ctx.states_mut()) = vec![written];
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        let closed = self.closed.drain(..);
        Ok(closed
            .map(|name| committable(&self.directory, &name))
            .collect())
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        self.flush(ctx)
    }
}

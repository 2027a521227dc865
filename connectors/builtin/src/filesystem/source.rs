//! The source: files are dealt out to the instances whole, or in ranges of bytes where lines can
//! be told apart from anywhere in the file.
//!
//! | Contract |                                                                            |
//! |----------|----------------------------------------------------------------------------|
//! | Output   | the rows of each split in order                                            |
//! | State    | `splits`: what is left of every split, dealt out anew when rescaled        |
//! | Errors   | a malformed row names file, line, column and field                         |

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::{ScanRequest, TableSpec};
use thalweg_core::Data;
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_formats::{Decoder, FormatOptions, Origin};

use super::buffer::{OpenFile, RECORD_BYTES_MAX};
use super::files;
use super::partition_columns::PartitionColumns;
use crate::options::{format_error, format_options, required};

const SPLIT_BYTES_MIN: u64 = 8 << 20;
// A batch of fewer rows than asked for ends after so many bytes.
const BATCH_BYTES_MAX: u64 = 8 << 20;

/// A part of a file: the records that begin in `position..end`.
#[derive(Clone, Debug, PartialEq, Data)]
struct FileSplit {
    path: String,
    /// Where reading goes on; 0 or behind a newline once begun.
    position: u64,
    /// Exclusive; `u64::MAX` for the whole file.
    end: u64,
    /// Whether `position` is known to begin a record.
    aligned: bool,
    /// The line at `position`, from 1, as far as it is known.
    line: u64,
}

/// The source's factory.
pub struct FileSource {
    path: String,
    format: String,
    options: FormatOptions,
    /// The columns in files.
    schema: SchemaRef,
    /// Those of them that are read.
    projection: Vec<usize>,
    partitions: Option<PartitionColumns>,
    batch_rows: usize,
}

impl FileSource {
    /// A source for a table.
    ///
    /// # Errors
    /// `User` for missing or wrong options and missing files.
    pub fn new(table: &TableSpec, scan: &ScanRequest) -> Result<Self> {
        if !scan.metadata.is_empty() {
            return Err(Error::unsupported(
                "metadata columns of the filesystem connector",
            ));
        }
        let format = required(table, "format")?;
        let partitions = PartitionColumns::new(table, &scan.projection)?;
        let (schema, projection) = match &partitions {
            Some(partitions) => partitions.in_files(),
            None => (table.schema.clone(), scan.projection.clone()),
        };
        let source = FileSource {
            path: required(table, "path")?,
            options: format_options(table, &format),
            format,
            schema,
            projection,
            partitions,
            batch_rows: scan.batch_rows,
        };
        files::list(&source.path).map_err(|e| e.context(format!("table `{}`", table.name)))?;
        if source.format != "parquet" {
            source
                .decoder()
                .map_err(|e| e.context(format!("table `{}`", table.name)))?;
        }
        Ok(source)
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>> {
        thalweg_formats::decoder(
            &self.format,
            &self.options,
            self.schema.clone(),
            Some(&self.projection),
            self.batch_rows,
        )
        .map_err(format_error)
    }

    /// All splits, the same list in every instance.
    fn splits(&self, parallelism: u64) -> Result<Vec<FileSplit>> {
        let mut splits = Vec::new();
        for path in files::list(&self.path)? {
            let whole = FileSplit {
                path: path.to_string_lossy().into_owned(),
                position: 0,
                end: u64::MAX,
                aligned: true,
                line: 1,
            };
            let size = std::fs::metadata(&path)?.len();
            // A quoted csv field may hold newlines, so csv records cannot be found from anywhere.
            let lines = matches!(self.format.as_str(), "json" | "raw");
            if !lines || files::is_compressed(&path) || size < 2 * SPLIT_BYTES_MIN {
                splits.push(whole);
                continue;
            }
            let parts = (parallelism * 2).min(size / SPLIT_BYTES_MIN).max(1);
            for part in 0..parts {
                splits.push(FileSplit {
                    position: size * part / parts,
                    end: if part + 1 == parts {
                        u64::MAX
                    } else {
                        size * (part + 1) / parts
                    },
                    aligned: part == 0,
                    ..whole.clone()
                });
            }
        }
        Ok(splits)
    }
}

impl SourceFactory for FileSource {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let (index, parallelism) = (setup.info.index as usize, setup.info.parallelism as usize);
        let all = self.splits(parallelism as u64)?;
        let own = all.into_iter().skip(index).step_by(parallelism).collect();
        let splits = setup.states.operator_list("splits", Redistribution::Split);
        if self.format == "parquet" {
            return Ok(Box::new(ParquetFiles {
                own,
                splits,
                schema: self.schema.clone(),
                projection: self.projection.clone(),
                batch_rows: self.batch_rows,
                options: self.options.clone(),
                partitions: self.partitions.clone(),
                open: None,
            }));
        }
        Ok(Box::new(LineReader {
            own,
            splits,
            decoder: self.decoder()?,
            partitions: self.partitions.clone(),
            batch_rows: self.batch_rows,
            open: None,
            skipped: 0,
            failed: None,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct LineReader {
    own: Vec<FileSplit>,
    splits: OperatorListState<FileSplit>,
    decoder: Box<dyn Decoder>,
    partitions: Option<PartitionColumns>,
    batch_rows: usize,
    open: Option<OpenFile>,
    skipped: u64,
    // Why reading ended, told only after the rows before it have gone out.
    failed: Option<Error>,
}

impl LineReader {
    fn begin(&mut self, split: &mut FileSplit) -> Result<OpenFile> {
        let path = PathBuf::from(&split.path);
        let origin = |split: &FileSplit| Origin {
            file: split.path.as_str().into(),
            line: split.line,
            offset: split.position,
        };
        if split.position == 0 {
            self.decoder.begin(origin(split));
            let reader = files::open(&path)?;
            return Ok(OpenFile::new(reader));
        }
        if files::is_compressed(&path) {
            let mut reader = files::open(&path)?;
            std::io::copy(
                &mut reader.by_ref().take(split.position),
                &mut std::io::sink(),
            )?;
            self.begin_inside(split, &path)?;
            return Ok(OpenFile::new(reader));
        }
        let mut file = File::open(&path)?;
        if !split.aligned {
            // The record that is under way belongs to the split before.
            file.seek(SeekFrom::Start(split.position - 1))?;
            split.position += skip_line(&mut file)? - 1;
            split.aligned = true;
        }
        self.begin_inside(split, &path)?;
        file.seek(SeekFrom::Start(split.position))?;
        Ok(OpenFile::new(Box::new(file)))
    }

    fn begin_inside(&mut self, split: &FileSplit, path: &std::path::Path) -> Result<()> {
        self.decoder.begin(Origin {
            file: split.path.as_str().into(),
            line: split.line,
            offset: split.position,
        });
        if self.decoder.needs_head() {
            let mut head = vec![0; 1 << 16];
            let mut reader = files::open(path)?;
            let mut filled = 0;
            loop {
                let read = reader.read(&mut head[filled..])?;
                filled += read;
                if read == 0 || head[..filled].contains(&b'\n') || filled == head.len() {
                    break;
                }
            }
            self.decoder.head(&head[..filled]).map_err(format_error)?;
        }
        Ok(())
    }

    /// Decodes up to a batch of rows; false when the split is done.
    fn advance(&mut self, split: &mut FileSplit) -> Result<bool> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(split)?,
        };
        let begun = split.position;
        let more = loop {
            let (bytes, last) = open.bytes(split.position, split.end);
            let consumed = self.decoder.decode(bytes, last).map_err(format_error)?;
            let all = consumed == bytes.len();
            open.consume(consumed);
            split.position += consumed as u64;
            split.line = self.decoder.line();
            if last && all {
                break false;
            }
            let rows = self.decoder.rows();
            let full = rows >= self.batch_rows || split.position - begun >= BATCH_BYTES_MAX;
            if rows > 0 && (full || last) {
                break true;
            }
            if last && consumed == 0 {
                return Err(Error::internal("a decoder left the end of a file"));
            }
            if !last && !open.fill()? {
                return Err(Error::user(format!(
                    "a record of `{}` is longer than {RECORD_BYTES_MAX} bytes",
                    split.path
                )));
            }
        };
        if more {
            self.open = Some(open);
        }
        Ok(more)
    }
}

fn with_partitions(
    partitions: &mut Option<PartitionColumns>,
    rows: RecordBatch,
    path: &str,
) -> Result<RecordBatch> {
    match partitions {
        Some(partitions) => partitions.add(&rows, path),
        None => Ok(rows),
    }
}

fn skip_line(file: &mut File) -> Result<u64> {
    let mut buffer = [0u8; 4096];
    let mut skipped = 0u64;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(skipped);
        }
        if let Some(at) = buffer[..read].iter().position(|byte| *byte == b'\n') {
            return Ok(skipped + at as u64 + 1);
        }
        skipped += read as u64;
    }
}

impl SourceReader for LineReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            let own = std::mem::take(&mut self.own);
            *self.splits.get_mut(ctx.states_mut()) = own;
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let Some(mut split) = self.splits.get(ctx.states()).first().cloned() else {
            return Ok(Poll::End);
        };
        let more = self.advance(&mut split);
        // Rows before a malformed one are still good.
        if self.decoder.rows() > 0 {
            let rows = self.decoder.flush().map_err(format_error)?;
            let rows = with_partitions(&mut self.partitions, rows, &split.path)?;
            out.emit(Box::new(ColumnBatch::insertions(rows)));
        }
        let skipped = self.decoder.skipped();
        ctx.metrics().rows_skipped.add(skipped - self.skipped);
        self.skipped = skipped;
        let more = match more {
            Ok(more) => more,
            Err(error) => {
                self.failed = Some(error);
                return Ok(Poll::Ready);
            }
        };
        let splits = self.splits.get_mut(ctx.states_mut());
        if more {
            splits[0] = split;
        } else {
            splits.remove(0);
        }
        Ok(Poll::Ready)
    }
}

/// Reads Parquet files whole, a batch a poll.
struct ParquetFiles {
    own: Vec<FileSplit>,
    splits: OperatorListState<FileSplit>,
    schema: SchemaRef,
    projection: Vec<usize>,
    batch_rows: usize,
    options: FormatOptions,
    partitions: Option<PartitionColumns>,
    open: Option<thalweg_formats::parquet::ParquetReader>,
}

impl SourceReader for ParquetFiles {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            let own = std::mem::take(&mut self.own);
            *self.splits.get_mut(ctx.states_mut()) = own;
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let Some(split) = self.splits.get(ctx.states()).first().cloned() else {
            return Ok(Poll::End);
        };
        let mut reader = match self.open.take() {
            Some(reader) => reader,
            None => self.reader(&split)?,
        };
        let splits = self.splits.get_mut(ctx.states_mut());
        match reader.next().transpose().map_err(format_error)? {
            Some(rows) => {
                // The position of a Parquet split counts rows.
                splits[0].position = reader.position();
                let rows = with_partitions(&mut self.partitions, rows, &split.path)?;
                out.emit(Box::new(ColumnBatch::insertions(rows)));
                self.open = Some(reader);
            }
            None => {
                splits.remove(0);
            }
        }
        Ok(Poll::Ready)
    }
}

impl ParquetFiles {
    fn reader(&self, split: &FileSplit) -> Result<thalweg_formats::parquet::ParquetReader> {
        use thalweg_formats::parquet::{ParquetReader, ReadScope};
        let scope = ReadScope {
            row_groups: None,
            skip_rows: split.position,
        };
        ParquetReader::open(
            std::path::Path::new(&split.path),
            &self.options,
            &self.schema,
            Some(&self.projection),
            self.batch_rows,
            &scope,
        )
        .map_err(format_error)
    }
}

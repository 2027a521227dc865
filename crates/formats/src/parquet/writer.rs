//! Writes a Parquet file.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::option_reader;
use crate::error::{FormatError, FormatErrorKind};
use crate::options::FormatOptions;

/// Writes batches of one schema to one file.
///
/// Rows are kept until a row group is full; the file is readable once [`finish`](Self::finish) has
/// returned and not before.
pub struct ParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A writer of a new file to `sink`.
    ///
    /// # Errors
    /// `User` for a wrong option, `Unsupported` for a type Parquet does not have.
    pub fn new(
        sink: W,
        options: &FormatOptions,
        schema: SchemaRef,
    ) -> Result<ParquetWriter<W>, FormatError> {
        let properties = properties(options)?;
        let writer = ArrowWriter::try_new(sink, schema, Some(properties)).map_err(|error| {
            FormatError::unsupported(format!("no Parquet file of this schema: {error}"))
                .with_source(error)
        })?;
        Ok(ParquetWriter { writer })
    }

    /// Appends the rows of `batch`.
    ///
    /// # Errors
    /// `Retryable` if the sink fails; the file is lost then.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), FormatError> {
        self.writer.write(batch).map_err(failed)
    }

    /// Bytes the file has so far, with those kept in memory as large as they are now.
    pub fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Writes what is kept and the footer, and gives the sink back.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(self) -> Result<W, FormatError> {
        self.writer.into_inner().map_err(failed)
    }
}

fn failed(error: ParquetError) -> FormatError {
    let message = format!("the Parquet file cannot be written: {error}");
    FormatError::new(FormatErrorKind::Retryable, message).with_source(error)
}

fn properties(options: &FormatOptions) -> Result<WriterProperties, FormatError> {
    let reader = option_reader(options)?;
    let name = reader.text("compression").unwrap_or("SNAPPY");
    let compression = match name.to_ascii_uppercase().as_str() {
        "SNAPPY" => Compression::SNAPPY,
        "ZSTD" => Compression::ZSTD(ZstdLevel::default()),
        "GZIP" => Compression::GZIP(GzipLevel::default()),
        "LZ4_RAW" | "LZ4" => Compression::LZ4_RAW,
        "UNCOMPRESSED" | "NONE" => Compression::UNCOMPRESSED,
        _ => return Err(reader.wrong("compression", name, "a known compression")),
    };
    const MIB: usize = 1 << 20;
    Ok(WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_bytes(Some(reader.count("block.size", 128 * MIB)?))
        .set_data_page_size_limit(reader.count("page.size", MIB)?)
        .set_dictionary_page_size_limit(reader.count("dictionary.page.size", MIB)?)
        .set_dictionary_enabled(reader.flag("enable.dictionary", true)?)
        .build())
}

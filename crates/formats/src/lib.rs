//! Text and columnar formats to and from Arrow batches.
//!
//! A connector moves bytes, a format gives them meaning. This crate is the second half and knows
//! nothing of the first: no files but Parquet's, no clocks, no engine.
//!
//! ```text
//!   begin(origin)      a file or split starts
//!   ┌─► decode(bytes)  rows from the head of the bytes; says how many bytes they were
//!   │   flush()        the rows so far as one batch, when rows() is enough or bytes pause
//!   └───┘
//! ```
//!
//! | Format    | Decodes                                | Options, as in Flink 2.3         |
//! |-----------|----------------------------------------|----------------------------------|
//! | `csv`     | a record a line, or more when quoted   | [`csv`]                          |
//! | `json`    | an object a line                       | [`json`]                         |
//! | `raw`     | one column, a value a line             | [`raw`]                          |
//! | `parquet` | row groups of a file                   | [`parquet`], with its own reader |

mod base64;
mod cells;
mod columns;
mod convert;
pub mod csv;
mod error;
pub mod json;
mod number;
mod options;
pub mod parquet;
mod place;
pub mod raw;
mod scan;
mod simd;
mod time;
mod types;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

pub use self::error::{FormatError, FormatErrorKind};
pub use self::options::FormatOptions;

/// The names of the formats of [`decoder`] and [`encoder`].
pub const TEXT_FORMATS: [&str; 3] = ["csv", "json", "raw"];

/// Where bytes come from, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, as a user would name it.
    pub file: Arc<str>,
    /// The line of the first byte, from 1.
    pub line: u64,
    /// The first byte's place in the file, from 0.
    pub offset: u64,
}

/// Turns bytes into rows of a schema.
///
/// Bytes are given in order. Those that [`decode`](Self::decode) did not consume come again at the
/// head of the next call, with more behind them.
pub trait Decoder: Send {
    /// Decodes complete rows from the head of `bytes` until the batch is full or the bytes end.
    ///
    /// Returns the consumed bytes. A last line that is not ended is not consumed unless `end` is
    /// true: no more bytes of this file will come. With a full batch nothing is consumed.
    ///
    /// # Errors
    /// `Corrupt` with file, line, column and field for the first wrong record, unless the format
    /// ignores them. The rows before it can still be flushed; decoding cannot go on.
    fn decode(&mut self, bytes: &[u8], end: bool) -> Result<usize, FormatError>;

    /// A new file or split starts. Rows that are not yet flushed stay.
    fn begin(&mut self, origin: Origin);

    /// True if a split that does not start its file needs the file's first line: the caller gives
    /// it to [`head`](Self::head) after [`begin`](Self::begin), before the first bytes.
    fn needs_head(&self) -> bool {
        false
    }

    /// Takes the first line of the file from `bytes`, which start the file.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); `User` if `bytes` hold no whole line.
    fn head(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        let _ = bytes;
        Ok(())
    }

    /// Rows decoded and not yet flushed.
    fn rows(&self) -> usize;

    /// The line, from 1, of the first byte that is not consumed.
    fn line(&self) -> u64;

    /// The rows so far as one batch of the (projected) schema, which may be empty.
    ///
    /// # Errors
    /// `Internal` only.
    fn flush(&mut self) -> Result<RecordBatch, FormatError>;

    /// Records dropped because the format ignores parse errors, since the decoder was made.
    fn skipped(&self) -> u64;
}

/// Turns rows into bytes.
pub trait Encoder: Send {
    /// Appends what stands before the first row of a file.
    ///
    /// # Errors
    /// None of the formats here has any.
    fn header(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError>;

    /// Appends the rows of `batch`, whose columns must be those of the schema in their order.
    ///
    /// # Errors
    /// `User` for a value the format cannot write, such as a NULL key of a MAP under
    /// `json.map-null-key.mode` = `FAIL`; `out` may then hold a part of the batch.
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError>;
}

/// A decoder of `format` for files whose records have `schema`.
///
/// With a `projection` the batches hold only these columns of `schema`, in this order; the others
/// are passed over. A batch has at most `batch_rows` rows.
///
/// # Errors
/// `User` for an unknown option or a wrong value of one; `Unsupported` for an unknown format, and
/// for a type the format does not have.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_schema::{DataType, Field, Schema};
/// use thalweg_formats::{FormatOptions, decoder};
///
/// let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
/// let mut decoder = decoder("json", &FormatOptions::new(), schema, None, 1_024)?;
/// let consumed = decoder.decode(b"{\"id\": 1}\n{\"id\": 2}\n{\"id\"", false)?;
/// assert_eq!((consumed, decoder.flush()?.num_rows()), (20, 2));
/// # Ok::<(), thalweg_formats::FormatError>(())
/// ```
pub fn decoder(
    format: &str,
    options: &FormatOptions,
    schema: SchemaRef,
    projection: Option<&[usize]>,
    batch_rows: usize,
) -> Result<Box<dyn Decoder>, FormatError> {
    let batch_rows = batch_rows.max(1);
    match format {
        "csv" => csv::decoder(options, schema, projection, batch_rows),
        "json" => json::decoder(options, schema, projection, batch_rows),
        "raw" => raw::decoder(options, schema, projection, batch_rows),
        _ => Err(unknown_format(format)),
    }
}

/// An encoder of `format` for batches of `schema`.
///
/// # Errors
/// As [`decoder`].
pub fn encoder(
    format: &str,
    options: &FormatOptions,
    schema: SchemaRef,
) -> Result<Box<dyn Encoder>, FormatError> {
    match format {
        "csv" => csv::encoder(options, schema),
        "json" => json::encoder(options, schema),
        "raw" => raw::encoder(options, schema),
        _ => Err(unknown_format(format)),
    }
}

fn unknown_format(format: &str) -> FormatError {
    let hint = match options::nearest(format, &TEXT_FORMATS) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    FormatError::unsupported(format!("unknown text format `{format}`{hint}"))
}

/// The columns `projection` of `schema`, in its order.
fn project(schema: &SchemaRef, projection: Option<&[usize]>) -> Result<SchemaRef, FormatError> {
    let Some(columns) = projection else {
        return Ok(Arc::clone(schema));
    };
    let twice = columns
        .iter()
        .enumerate()
        .any(|(place, c)| columns[..place].contains(c));
    if twice {
        return Err(FormatError::user("the projection names a column twice"));
    }
    let projected = schema.project(columns);
    projected.map(Arc::new).map_err(|error| {
        FormatError::user("the projection names no column of the schema").with_source(error)
    })
}

//! Parquet files to and from batches of a declared schema.
//!
//! Parquet is not a stream of bytes, so it has no [`Decoder`](crate::Decoder): a [`ParquetReader`]
//! reads row groups of a file, which are also the splits of a file, and a [`ParquetWriter`] writes
//! one file.
//!
//! | Option (`parquet.` before it) | Default  | Meaning                                           |
//! |-------------------------------|----------|---------------------------------------------------|
//! | `compression`                 | `SNAPPY` | or `ZSTD`, `LZ4_RAW`, `GZIP`, `UNCOMPRESSED`      |
//! | `block.size`                  | 128 MiB  | bytes of a row group, before compression          |
//! | `page.size`                   | 1 MiB    | bytes of a data page                              |
//! | `dictionary.page.size`        | 1 MiB    | bytes of a dictionary                             |
//! | `enable.dictionary`           | `true`   | few different values become codes                 |
//! | `batch-size`                  | caller's | rows of a batch read                              |
//! | `utc-timezone`                | `false`  | accepted; timestamps are never shifted            |
//! | `write.int64.timestamp`       | `true`   | accepted; timestamps are always 64 bits           |
//! | `timestamp.time.unit`         | the column's | accepted; a column keeps its unit             |

mod fit;
mod reader;
mod writer;

pub use self::reader::{ParquetReader, ReadScope, RowGroup, row_groups};
pub use self::writer::ParquetWriter;

use crate::error::FormatError;
use crate::options::{FormatOptions, OptionReader};

/// The options of this format, checked.
fn option_reader(options: &FormatOptions) -> Result<OptionReader<'_>, FormatError> {
    let known = [
        "compression",
        "block.size",
        "page.size",
        "dictionary.page.size",
        "enable.dictionary",
        "batch-size",
        "utc-timezone",
        "write.int64.timestamp",
        "timestamp.time.unit",
    ];
    OptionReader::new("parquet", options, &known)
}

//! `datagen`: rows of random values and sequences, for trying things out.
//!
//! Row `n` is a function of `seed`, `n` and the column alone, but for dates and times, which are
//! those of the clock. A table ends with its `number-of-rows` or its shortest sequence, whichever
//! is first. Rows are dealt out to the instances in blocks of 16.
//!
//! | Type                         | `random`                                | `sequence` |
//! |------------------------------|-----------------------------------------|------------|
//! | BOOLEAN                      | both alike                              |            |
//! | TINYINT … BIGINT, FLOAT, DOUBLE, DECIMAL | `min` to `max`, both inclusive | yes     |
//! | STRING, VARCHAR, CHAR        | `length` hexadecimal digits             | yes        |
//! | BYTES, VARBINARY, BINARY     | `length` bytes                          |            |
//! | DATE, TIME                   | the clock's, in UTC                     |            |
//! | TIMESTAMP, TIMESTAMP_LTZ     | the clock's less at most `max-past`, UTC |           |
//! | INTERVAL                     | `min` to `max` months or milliseconds   |            |

mod field_options;
mod fields;
mod source;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::source::SourceFactory;

use crate::options::option;

const OPTIONS: &[ConnectorOption] = &[
    option(
        "rows-per-second",
        "Rows a second of processing time, of all instances together.",
        "10000",
    ),
    option(
        "number-of-rows",
        "How many rows there are. Without it they end with the shortest sequence, or not at all.",
        "",
    ),
    option("seed", "Which of the possible runs.", "0"),
    option(
        "fields.*",
        "Of a column `c`: fields.c.kind (random or sequence), .min, .max, .length, .var-len, \
         .start, .end, .max-past, .null-rate.",
        "",
    ),
];

/// The connector.
pub struct DataGen;

impl TableConnector for DataGen {
    fn identifier(&self) -> &'static str {
        "datagen"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        OPTIONS
    }

    fn source(&self, table: &TableSpec, scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        Ok(Arc::new(source::DataGenSource::new(table, scan)?))
    }
}

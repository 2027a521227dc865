//! Arrow batches as a container of the engine, and what stateful column operators keep.
//!
//! - [`ColumnBatch`]: columns, filtered when they are read, and the kind of each row
//!   (`+I -U +U -D`).
//! - [`RowCodec`]: rows as canonical bytes: stable hashes, snapshot entries, general keys.
//! - [`GroupKeys`]: key columns to dense group numbers, a batch at a time.
//! - [`RowStore`]: rows kept in columns and found by number, until they are removed.
//! - [`RowLog`]: the same for rows that come and stay, without a list of places.

mod batch;
mod column;
pub mod connector;
mod encoded_rows;
mod group_keys;
mod hashing;
mod integers;
mod pages;
mod row_codec;
mod row_kind;
mod row_log;
mod row_store;

pub use batch::ColumnBatch;
pub use column::{BatchColumn, Selection};
pub use encoded_rows::EncodedRows;
pub use group_keys::{GroupKeys, SharedKeys};
pub use hashing::{ColumnHasher, hash_columns};
pub use integers::{is_integer_like, narrowed, widened};
pub use pages::{CowVec, Pages};
pub use row_codec::RowCodec;
pub use row_kind::RowKind;
pub use row_log::{Picked, RowLog};
pub use row_store::{RowId, RowStore, SharedRows};

/// Turns an Arrow error into the engine's.
pub fn arrow_error(error: arrow_schema::ArrowError) -> thalweg_core::Error {
    thalweg_core::Error::user("a column operation failed").with_source(error)
}

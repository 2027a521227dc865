//! The formats as their users see them: bytes in, batches out, and back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod csv;
mod golden;
mod json;
mod parquet;
mod raw;
mod round_trip;
mod support;

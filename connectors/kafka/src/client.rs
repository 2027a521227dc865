//! The client: one thread, blocking calls, no state besides connections and metadata.

mod cluster;
mod compression;
mod config;
mod connection;
mod coordinator;
mod errors;
mod fetch;
mod offsets;
mod produce;
mod records;
mod varint;

pub use cluster::{Cluster, Leader, TopicMetadata};
pub use compression::Compression;
pub use config::ClientConfig;
pub use connection::Connection;
pub use coordinator::CoordinatorKind;
pub use fetch::{FetchLimits, FetchPosition, Fetched, IsolationLevel};
pub use offsets::OffsetSpec;
pub use produce::Produced;
pub use records::{BatchHead, Header, NewRecord, RecordBatch, RecordView, write_batch};

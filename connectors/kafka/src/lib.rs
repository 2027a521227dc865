//! Kafka, and whatever speaks its protocol.
//!
//! ```text
//!   Cluster ──▶ Connection   a request, its answer, the version that both sides know
//!      │                     (the messages are those of the `kafka-protocol` crate)
//!      ├── metadata          which broker leads which partition; asked again when it has moved
//!      ├── list_offsets      where a partition begins, ends, or reaches a time
//!      └── fetch ──▶ records the records of a partition, without a copy of their bytes
//! ```
//!
//! The client is small on purpose: the engine assigns partitions, keeps offsets in its checkpoints
//! and decides when to commit, so there are no consumer groups, no background threads and no caches
//! in it. `docs/decisions/` has the page on why it is ours.

pub mod client;

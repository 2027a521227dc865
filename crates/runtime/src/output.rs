//! The output side of a subtask: partitions, and which channel a record takes.

mod partitioner;
mod result_partition;

pub use partitioner::Partitioner;
pub use result_partition::{Control, ResultPartition};

//! How operators are composed: as the user wrote it, and as it is run.
//!
//! ```text
//!   StreamGraph   nodes (one operator each) and edges, as composed
//!       │  chaining: forward edges between equals are fused
//!       ▼
//!   JobGraph      vertices (one chain each) and the edges between them
//! ```

mod job_graph;
mod partitioning;
mod stream_graph;

pub use job_graph::{ChainLink, ChainTarget, ChainedOperator, JobEdge, JobGraph, JobVertex};
pub use partitioning::{ChannelSelector, KeyHasher, Partitioning};
pub use stream_graph::{NodeId, NodeKind, StreamEdge, StreamGraph, StreamNode};

use std::sync::Arc;

use crate::config::ExecutionConfig;
use crate::error::Result;
use crate::metrics::OperatorMetrics;

/// Runs job graphs. The facade hands one to the APIs, which never see the runtime.
pub trait Executor: Send + Sync {
    /// Runs the job until it ends.
    ///
    /// # Errors
    /// The first error of any of its tasks.
    fn execute(&self, job: JobGraph, config: &ExecutionConfig) -> Result<JobResult>;
}

impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn execute(&self, job: JobGraph, config: &ExecutionConfig) -> Result<JobResult> {
        (**self).execute(job, config)
    }
}

/// What is known of a job when it has ended.
#[derive(Clone, Debug, Default)]
pub struct JobResult {
    /// Each operator's name and the counters of its instances.
    pub operators: Vec<(String, Vec<OperatorMetrics>)>,
    /// Checkpoints whose barriers passed all tasks.
    pub checkpoints: u64,
}

impl JobResult {
    /// The sum of a counter over all instances of all operators.
    pub fn sum(&self, counter: impl Fn(&OperatorMetrics) -> u64) -> u64 {
        self.operators
            .iter()
            .flat_map(|(_, instances)| instances)
            .map(counter)
            .sum()
    }
}

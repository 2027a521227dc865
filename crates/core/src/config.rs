//! What a job is executed with.

mod checkpointing;
mod file_systems;
mod restart;
mod state_store;

use std::time::Duration;

pub use checkpointing::{CheckpointConfig, CheckpointMode, ClaimMode, Recovery, Retention};
pub use file_systems::FileSystemOptions;
pub use restart::{FailoverStrategy, RestartStrategy};
pub use state_store::{CacheMemory, StateStoreConfig};

/// How a bounded job may be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeMode {
    /// Results as records arrive.
    #[default]
    Streaming,
    /// Final results, once all input is read.
    Batch,
}

/// Settings of one execution.
#[derive(Clone, Debug)]
pub struct ExecutionConfig {
    /// `pipeline.name`
    pub job_name: String,
    /// `parallelism.default`
    pub parallelism: u32,
    /// `pipeline.max-parallelism`; derived from the parallelism when not set.
    pub max_parallelism: Option<u32>,
    /// Records in a batch, at most.
    pub batch_rows: usize,
    /// Batches in a channel, at most.
    pub channel_batches: usize,
    /// When checkpoints are taken and where they go.
    pub checkpointing: CheckpointConfig,
    /// Where the job starts from, if not from nothing.
    pub recovery: Option<Recovery>,
    /// What file systems are reached with, in which checkpoints and savepoints lie.
    pub file_systems: FileSystemOptions,
    /// `state.backend.type`: where keyed state lies; in memory if not set.
    pub state_store: Option<StateStoreConfig>,
    /// What follows a failure; only a job that stores checkpoints starts again.
    pub restart: RestartStrategy,
    /// `jobmanager.execution.failover-strategy`
    pub failover: FailoverStrategy,
    /// `pipeline.auto-watermark-interval`
    pub auto_watermark_interval: Duration,
    /// `execution.runtime-mode`
    pub mode: RuntimeMode,
    /// Whether keyed edges between single instances may be fused.
    pub chaining: bool,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        ExecutionConfig {
            job_name: "thalweg job".to_owned(),
            parallelism: 1,
            max_parallelism: None,
            batch_rows: 8192,
            channel_batches: 16,
            checkpointing: CheckpointConfig::default(),
            recovery: None,
            file_systems: FileSystemOptions::default(),
            state_store: None,
            restart: RestartStrategy::exponential(),
            failover: FailoverStrategy::default(),
            auto_watermark_interval: Duration::from_millis(200),
            mode: RuntimeMode::Streaming,
            chaining: true,
        }
    }
}

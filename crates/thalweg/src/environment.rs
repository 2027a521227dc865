//! The DataStream environment with an executor in it.

use std::ops::Deref;
use std::sync::Arc;

use thalweg_dataflow::environment::StreamExecutionEnvironment as Composed;
use thalweg_runtime::MiniCluster;

/// Where a DataStream program starts; its jobs run on threads of this process.
#[derive(Clone)]
pub struct StreamExecutionEnvironment(Composed);

impl StreamExecutionEnvironment {
    /// An environment of parallelism 1.
    pub fn new() -> Self {
        StreamExecutionEnvironment(Composed::with_executor(Arc::new(MiniCluster)))
    }
}

impl Default for StreamExecutionEnvironment {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for StreamExecutionEnvironment {
    type Target = Composed;

    fn deref(&self) -> &Composed {
        &self.0
    }
}

//! What tests of operators, functions and jobs need.

use std::sync::Arc;

use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_runtime::MiniCluster;

/// An environment whose jobs run on threads of this process.
pub fn environment() -> StreamExecutionEnvironment {
    StreamExecutionEnvironment::with_executor(Arc::new(MiniCluster))
}

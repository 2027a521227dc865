//! The DataStream environment with an executor in it.

use std::ops::Deref;
use std::sync::Arc;

use thalweg_core::Result;
use thalweg_dataflow::environment::StreamExecutionEnvironment as Composed;
use thalweg_runtime::{MiniCluster, RunningJob};

/// Where a DataStream program starts; its jobs run on threads of this process.
#[derive(Clone)]
pub struct StreamExecutionEnvironment(Composed);

impl StreamExecutionEnvironment {
    /// An environment of parallelism 1.
    pub fn new() -> Self {
        crate::register_file_systems();
        StreamExecutionEnvironment(Composed::with_executor(Arc::new(MiniCluster)))
    }
}

impl StreamExecutionEnvironment {
    /// Starts the job composed so far and returns at once. [`RunningJob::client`] speaks to it
    /// from any thread: savepoints, stopping, cancelling.
    ///
    /// # Errors
    /// As [`Composed::execute`], without what tasks fail with: that is said by
    /// [`RunningJob::join`].
    ///
    /// # Examples
    /// ```
    /// use thalweg::prelude::*;
    ///
    /// let env = StreamExecutionEnvironment::new();
    /// env.from_generator(None, |n| n).uid("numbers").for_each(|_| {});
    /// let job = env.execute_async()?;
    /// let directory = std::env::temp_dir().join("thalweg-execute-async");
    /// let path = job.client().stop_with_savepoint(directory.to_str(), false)?;
    /// job.join()?;
    /// assert!(std::path::Path::new(&path).join("_metadata").exists());
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), thalweg::Error>(())
    /// ```
    pub fn execute_async(&self) -> Result<RunningJob> {
        MiniCluster.start(&self.0.job_graph()?, &self.0.config())
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

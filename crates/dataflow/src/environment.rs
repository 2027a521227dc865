//! Where a program starts: settings, sources, and `execute`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::graph::{
    Executor, JobGraph, JobResult, NodeId, NodeKind, StreamEdge, StreamGraph, StreamNode,
};
use thalweg_core::source::SourceFactory;

use crate::operators::collection::{CollectionSource, GeneratorSource};
use crate::stream::DataStream;
use crate::translate::translate;

/// Collects the operators of a job and runs them.
///
/// Streams keep a reference to their environment; a program lives on one thread.
#[derive(Clone)]
pub struct StreamExecutionEnvironment {
    graph: Rc<RefCell<StreamGraph>>,
    config: Rc<RefCell<ExecutionConfig>>,
    executor: Arc<dyn Executor>,
}

impl StreamExecutionEnvironment {
    /// An environment whose jobs run on `executor`. Programs use the facade's constructor.
    pub fn with_executor(executor: Arc<dyn Executor>) -> Self {
        StreamExecutionEnvironment {
            graph: Rc::default(),
            config: Rc::default(),
            executor,
        }
    }

    /// Sets the parallelism of operators that do not set their own.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// env.set_parallelism(4).configure(|config| config.job_name = "clicks".to_owned());
    /// assert_eq!(env.config().parallelism, 4);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn set_parallelism(&self, parallelism: u32) -> &Self {
        self.config.borrow_mut().parallelism = parallelism;
        self
    }

    /// Changes any setting.
    pub fn configure(&self, change: impl FnOnce(&mut ExecutionConfig)) -> &Self {
        change(&mut self.config.borrow_mut());
        self
    }

    /// A bounded stream of the given values, without timestamps.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection([1, 2, 3]);
    /// assert_eq!(numbers.execute_and_collect()?, [1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn from_collection<T: Data>(&self, values: impl IntoIterator<Item = T>) -> DataStream<T> {
        let values: Arc<[T]> = values.into_iter().collect();
        self.from_source(
            "Collection Source",
            Arc::new(CollectionSource::new(values)),
            Some(1),
        )
    }

    /// A stream made by a function of the record's number: record n goes to instance n mod p.
    /// Bounded by `count`, or endless without one.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let squares = env.from_generator(Some(3), |n| n * n);
    /// assert_eq!(squares.execute_and_collect()?, [0, 1, 4]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn from_generator<T: Data>(
        &self,
        count: Option<u64>,
        generate: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> DataStream<T> {
        let source = GeneratorSource::new(count, generate);
        self.from_source("Generator Source", Arc::new(source), None)
    }

    /// A stream read from a source.
    pub fn from_source<T: Data>(
        &self,
        name: &str,
        source: Arc<dyn SourceFactory>,
        parallelism: Option<u32>,
    ) -> DataStream<T> {
        let mut node = StreamNode::new(name, NodeKind::Source(source));
        node.parallelism = parallelism;
        let id = self.add_node(node);
        DataStream::of(self.clone(), id)
    }

    /// The job as composed so far.
    pub fn graph(&self) -> StreamGraph {
        self.graph.borrow().clone()
    }

    /// The settings.
    pub fn config(&self) -> ExecutionConfig {
        self.config.borrow().clone()
    }

    /// The job as it would run.
    ///
    /// # Errors
    /// As [`translate`].
    pub fn job_graph(&self) -> Result<JobGraph> {
        translate(&self.graph.borrow(), &self.config.borrow())
    }

    /// Runs the job composed so far until it ends.
    ///
    /// # Errors
    /// As [`translate`], and the first error of any task.
    pub fn execute(&self) -> Result<JobResult> {
        let job = self.job_graph()?;
        let config = self.config();
        self.executor.execute(job, &config)
    }

    /// Adds a node to the graph. For operators.
    pub fn add_node(&self, node: StreamNode) -> NodeId {
        self.graph.borrow_mut().add_node(node)
    }

    /// Adds an edge to the graph. For operators.
    pub fn add_edge(&self, edge: StreamEdge) {
        self.graph.borrow_mut().add_edge(edge);
    }

    /// Changes a node. For operator settings.
    pub fn with_node(&self, id: NodeId, change: impl FnOnce(&mut StreamNode)) {
        change(&mut self.graph.borrow_mut().nodes[id.0]);
    }
}

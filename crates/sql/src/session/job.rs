//! From a statement to a job graph.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use arrow_schema::SchemaRef;
use datafusion_expr::LogicalPlan;
use sqlparser::ast::Query;
use thalweg_columnar::ColumnBatch;
use thalweg_core::config::{ExecutionConfig, RuntimeMode};
use thalweg_core::graph::{JobGraph, NodeKind, Partitioning, StreamEdge, StreamNode};
use thalweg_core::sink::SinkFactory;
use thalweg_core::source::Boundedness;
use thalweg_dataflow::translate::translate;

use super::Session;
use crate::error::{SqlError, SqlResult};
use crate::exec::collect::CollectSink;
use crate::plan::logical::LogicalPlanner;
use crate::plan::physical::{PhysicalPlanner, Settings};
use crate::plan::stream::Stream;

// Batches between the job and whoever prints its rows.
const RESULT_BATCHES_MAX: usize = 64;

/// A query that is ready to run: start the job, then read the batches until the channel closes.
pub struct QueryJob {
    /// The job.
    pub graph: JobGraph,
    /// Its settings.
    pub config: ExecutionConfig,
    /// The result's columns.
    pub schema: SchemaRef,
    /// Whether the result has updates and deletions.
    pub updating: bool,
    /// The result.
    pub rows: Receiver<ColumnBatch>,
}

/// Inserts that are ready to run as one job.
pub struct InsertJob {
    /// The job.
    pub graph: JobGraph,
    /// Its settings.
    pub config: ExecutionConfig,
    /// Whether every source ends.
    pub bounded: bool,
}

impl Session {
    pub(super) fn plan(&self, query: &Query) -> SqlResult<LogicalPlan> {
        LogicalPlanner::new(&self.catalog, &self.functions).plan(query)
    }

    pub(super) fn with_physical<T>(
        &self,
        build: impl FnOnce(&mut PhysicalPlanner<'_>, &ExecutionConfig) -> SqlResult<T>,
    ) -> SqlResult<(T, JobGraph, ExecutionConfig, Boundedness)> {
        let config = self.execution_config()?;
        let connectors = |name: &str| self.connector(name);
        let idle = self.options.duration("table.exec.source.idle-timeout");
        let idle = idle.filter(|timeout| !timeout.is_zero());
        let ttl = self.options.duration("table.exec.state.ttl");
        let settings = Settings {
            mode: config.mode,
            parallelism: config.parallelism,
            batch_rows: config.batch_rows,
            idle_timeout: idle,
            phases: self.aggregate_phases(),
            // What ends is read to its end: there is nothing to forget.
            state_ttl: ttl.filter(|ttl| !ttl.is_zero() && config.mode != RuntimeMode::Batch),
        };
        let mut planner = PhysicalPlanner::new(&connectors, settings);
        let built = build(&mut planner, &config)?;
        let graph = planner.into_graph();
        let boundedness = graph.boundedness();
        if config.mode == RuntimeMode::Batch && boundedness == Boundedness::Unbounded {
            return Err(SqlError::type_mismatch(
                "a source of this query never ends; batch mode needs bounded sources",
            ));
        }
        let job =
            translate(&graph, &config).map_err(|error| SqlError::internal(error.to_string()))?;
        Ok((built, job, config, boundedness))
    }

    pub(super) fn query_job(&self, query: &Query) -> SqlResult<QueryJob> {
        let (sender, rows) = sync_channel(RESULT_BATCHES_MAX);
        let sink = Arc::new(CollectSink::new(sender));
        let (stream, graph, mut config, _) = self.query_into_sink(query, sink, Some(1))?;
        // Rows that were shown cannot be taken back: a query that fails is not started again.
        config.checkpointing.directory = None;
        config.recovery = None;
        Ok(QueryJob {
            graph,
            config,
            schema: Arc::new(stream.schema.as_arrow().clone()),
            updating: stream.updating,
            rows,
        })
    }

    /// A query whose rows go to a sink of the caller's: for embedding and for measuring.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn query_into(&self, query: &Query, sink: Arc<dyn SinkFactory>) -> SqlResult<InsertJob> {
        let (_, graph, config, boundedness) = self.query_into_sink(query, sink, None)?;
        Ok(InsertJob {
            graph,
            config,
            bounded: boundedness == Boundedness::Bounded,
        })
    }

    fn query_into_sink(
        &self,
        query: &Query,
        sink: Arc<dyn SinkFactory>,
        parallelism: Option<u32>,
    ) -> SqlResult<(Stream, JobGraph, ExecutionConfig, Boundedness)> {
        let plan = self.plan(query)?;
        self.with_physical(|planner, _| {
            let stream = planned(planner, &plan)?;
            add_sink(
                planner,
                &stream,
                "Collect",
                NodeKind::Sink(sink),
                parallelism,
            );
            Ok(stream)
        })
    }
}

/// The stream of a job's only query.
pub(super) fn planned(planner: &mut PhysicalPlanner<'_>, plan: &LogicalPlan) -> SqlResult<Stream> {
    let mut streams = planner.plan_all(std::slice::from_ref(plan))?;
    streams
        .pop()
        .ok_or_else(|| SqlError::internal("a query has no plan"))
}

/// Ends a stream in a sink.
pub(super) fn add_sink(
    planner: &mut PhysicalPlanner<'_>,
    stream: &Stream,
    name: &str,
    sink: NodeKind,
    parallelism: Option<u32>,
) {
    let mut node = StreamNode::new(name, sink);
    node.parallelism = parallelism.or(stream.parallelism);
    let id = planner.graph_mut().add_node(node);
    planner.graph_mut().add_edge(StreamEdge {
        from: stream.node,
        side: None,
        to: id,
        port: 0,
        partitioning: Partitioning::Unspecified,
        codec: Some(ColumnBatch::CODEC),
    });
}

//! A logical plan to stream operators.

mod aggregate;
mod calc;
mod join;
mod order;
mod source;
mod top_n;
mod window;

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use datafusion_common::{DFSchema, DFSchemaRef};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_physical_expr::create_physical_expr;
use thalweg_columnar::connector::TableConnector;
use thalweg_columnar::{ColumnBatch, ColumnHasher};
use thalweg_core::config::RuntimeMode;
use thalweg_core::error::Result as CoreResult;
use thalweg_core::graph::{NodeId, NodeKind, Partitioning, StreamEdge, StreamGraph, StreamNode};
use thalweg_core::operator::{BatchOperator, Setup};

use self::window::rename;
use super::logical::{ScanSource, plan_error};
use super::narrow::narrow;
use super::nodes::{WatermarkNode, WindowNode};
use super::relation::Table;
use super::stream::{ColumnTrait, Stream};
use crate::error::{SqlError, SqlResult};
use crate::exec::calc::Calc;
use crate::exec::expr::Expression;
use crate::exec::specialize::specialize;

/// Finds a connector by the value of its table's `connector` option.
pub type Connectors<'a> = &'a dyn Fn(&str) -> SqlResult<Arc<dyn TableConnector>>;

/// Builds the operators of a job.
pub struct PhysicalPlanner<'a> {
    pub(super) graph: StreamGraph,
    pub(super) settings: Settings,
    connectors: Connectors<'a>,
    shared: Vec<(LogicalPlan, Stream)>,
}

/// In how many phases a job aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregatePhases {
    /// In two where that saves exchanging rows.
    Auto,
    /// In one.
    One,
    /// In two wherever that is possible.
    Two,
}

/// What a job is planned for.
pub struct Settings {
    /// Streaming or batch.
    pub mode: RuntimeMode,
    /// Instances of an operator.
    pub parallelism: u32,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// How long a source may be silent before watermarks stop waiting for it.
    pub idle_timeout: Option<Duration>,
    /// `table.optimizer.agg-phase-strategy`
    pub phases: AggregatePhases,
    /// `table.exec.state.ttl`: how long state lives, unless for ever. Windows have their own end.
    pub state_ttl: Option<Duration>,
}

/// An operator factory as a closure.
pub(super) type Factory =
    Arc<dyn Fn(&mut Setup<'_>) -> CoreResult<Box<dyn BatchOperator>> + Send + Sync>;

impl<'a> PhysicalPlanner<'a> {
    /// A planner of one job.
    pub fn new(connectors: Connectors<'a>, settings: Settings) -> Self {
        PhysicalPlanner {
            graph: StreamGraph::default(),
            settings,
            connectors,
            shared: Vec::new(),
        }
    }

    /// The operators so far, for adding sinks.
    pub fn graph_mut(&mut self) -> &mut StreamGraph {
        &mut self.graph
    }

    /// The operators so far.
    pub fn into_graph(self) -> StreamGraph {
        self.graph
    }

    /// Plans all queries of a job, so that each reads no more of its tables than they need together.
    ///
    /// # Errors
    /// `Unsupported`, naming what is not there; `Type` for what cannot work.
    pub fn plan_all(&mut self, plans: &[LogicalPlan]) -> SqlResult<Vec<Stream>> {
        let connectors = self.connectors;
        let prunes = |table: &Table| Ok(connectors(&table.connector)?.prunes_fields(&table.spec));
        let narrowed = narrow(plans, &prunes)?;
        narrowed.iter().map(|plan| self.plan_rows(plan)).collect()
    }

    /// Plans a query; equal sub-plans are planned once.
    fn plan(&mut self, plan: &LogicalPlan) -> SqlResult<Stream> {
        let mut shared = self.shared.iter();
        if let Some((_, stream)) =
            shared.find(|(known, _)| known == plan && reads_same(known, plan))
        {
            return Ok(stream.clone());
        }
        let stream = self.plan_node(plan)?;
        if worth_sharing(plan) {
            self.shared.push((plan.clone(), stream.clone()));
        }
        Ok(stream)
    }

    /// Plans a query so that all its columns are really there.
    fn plan_rows(&mut self, plan: &LogicalPlan) -> SqlResult<Stream> {
        let stream = self.plan(plan)?;
        self.assign(stream)
    }

    fn plan_node(&mut self, plan: &LogicalPlan) -> SqlResult<Stream> {
        match plan {
            LogicalPlan::TableScan(scan) => self.plan_scan(scan),
            LogicalPlan::Projection(projection) => {
                if let LogicalPlan::Join(join) = projection.input.as_ref()
                    && Self::picks_columns(projection)
                {
                    return self.plan_join(join, Some(projection));
                }
                self.plan_projection(&projection.input, &projection.expr, &projection.schema)
            }
            LogicalPlan::Filter(filter) => {
                if let Some(stream) = self.plan_top_n(filter)? {
                    return Ok(stream);
                }
                self.plan_filter(&filter.input, &filter.predicate)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let stream = self.plan(&alias.input)?;
                rename(stream, &alias.schema)
            }
            LogicalPlan::Aggregate(aggregate) => self.plan_aggregate(aggregate),
            LogicalPlan::Join(join) => self.plan_join(join, None),
            LogicalPlan::Union(union) => self.plan_union(&union.inputs, &union.schema),
            LogicalPlan::Sort(sort) => self.plan_sort(&sort.input, &sort.expr, 0, sort.fetch),
            LogicalPlan::Limit(limit) => self.plan_limit(limit),
            LogicalPlan::Values(values) => self.plan_values(&values.values, &values.schema),
            LogicalPlan::EmptyRelation(empty) => {
                let rows = if empty.produce_one_row {
                    vec![Vec::new()]
                } else {
                    Vec::new()
                };
                self.plan_values(&rows, &empty.schema)
            }
            LogicalPlan::Unnest(unnest) => self.plan_unnest(unnest),
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
                    return self.plan_watermark(watermark);
                }
                if let Some(window) = node.downcast_ref::<WindowNode>() {
                    return self.plan_window(window);
                }
                Err(SqlError::unsupported(format!(
                    "`{}`",
                    extension.node.name()
                )))
            }
            LogicalPlan::Window(_) => Err(SqlError::unsupported(
                "OVER aggregations, and ROW_NUMBER without a condition `<= n` on it",
            )),
            other => {
                let line = other.display().to_string();
                Err(SqlError::unsupported(format!(
                    "this part of a query: {line}"
                )))
            }
        }
    }

    // ---- helpers -----------------------------------------------------------------------------

    /// Compiles an expression over a schema.
    pub(super) fn compile(&self, expr: &Expr, schema: &DFSchema) -> SqlResult<Expression> {
        let properties = ExecutionProps::new();
        create_physical_expr(expr, schema, &properties, &Default::default())
            .and_then(|compiled| specialize(compiled, schema.as_arrow()))
            .map_err(plan_error)
    }

    pub(super) fn add_operator(
        &mut self,
        name: &str,
        factory: Factory,
        inputs: &[(NodeId, Partitioning)],
        parallelism: Option<u32>,
    ) -> NodeId {
        let operator = move |setup: &mut Setup<'_>| factory(setup);
        let mut node = StreamNode::new(name, NodeKind::Operator(Arc::new(operator)));
        node.ports = inputs.len();
        node.parallelism = parallelism;
        let id = self.graph.add_node(node);
        for (port, (input, partitioning)) in inputs.iter().enumerate() {
            self.graph.add_edge(StreamEdge {
                from: *input,
                side: None,
                to: id,
                port,
                partitioning: partitioning.clone(),
                codec: Some(ColumnBatch::CODEC),
            });
        }
        id
    }

    /// Says what the state of an operator is made of.
    pub(super) fn keeps(&mut self, node: NodeId, what: impl Into<String>) {
        self.graph.nodes[node.0].keeps = Some(what.into());
    }

    /// How rows get to a keyed operator, and its parallelism: without keys there is one instance.
    pub(super) fn keyed(&self, columns: Vec<usize>) -> (Partitioning, Option<u32>) {
        if columns.is_empty() {
            (Partitioning::Global, Some(1))
        } else {
            (
                Partitioning::Hash(Arc::new(ColumnHasher::new(columns))),
                None,
            )
        }
    }

    /// Makes sure that expressions are columns: adds those that are not behind the others.
    pub(super) fn with_columns(
        &mut self,
        stream: Stream,
        expressions: &[Expr],
    ) -> SqlResult<(Stream, Vec<usize>)> {
        self.with_columns_named(stream, expressions, "_k")
    }

    /// The same under names of their own: the columns of both sides of a join stand side by side.
    pub(super) fn with_columns_named(
        &mut self,
        stream: Stream,
        expressions: &[Expr],
        name: &str,
    ) -> SqlResult<(Stream, Vec<usize>)> {
        let known: Vec<Option<usize>> = expressions.iter().map(|e| stream.position(e)).collect();
        if known.iter().all(Option::is_some) {
            return Ok((stream, known.into_iter().flatten().collect()));
        }
        let mut projected: Vec<Expr> = stream
            .schema
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let mut positions = Vec::new();
        for (expression, known) in expressions.iter().zip(known) {
            positions.push(known.unwrap_or_else(|| {
                projected.push(
                    expression
                        .clone()
                        .unalias()
                        .alias(format!("{name}{}", projected.len())),
                );
                projected.len() - 1
            }));
        }
        let schema = projected_schema(&projected, &stream.schema)?;
        let stream = self.project(stream, &projected, &schema)?;
        Ok((stream, positions))
    }

    fn plan_union(
        &mut self,
        inputs: &[Arc<LogicalPlan>],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        let mut streams = Vec::new();
        for input in inputs {
            streams.push(self.plan_rows(input)?);
        }
        let mut traits = vec![ColumnTrait::default(); schema.fields().len()];
        for (at, one) in traits.iter_mut().enumerate() {
            let first = streams.first().map(|stream| &stream.traits[at]);
            if let Some(first) = first
                && streams.iter().all(|stream| &stream.traits[at] == first)
            {
                one.clone_from(first);
            }
        }
        // One operator that passes everything, so that the union has a node of its own.
        let calc = Calc::pass(arrow_schema(schema));
        let operator = move |_: &mut Setup<'_>| -> CoreResult<Box<dyn BatchOperator>> {
            Ok(Box::new(calc.clone()))
        };
        let node = StreamNode::new("Union", NodeKind::Operator(Arc::new(operator)));
        let node = self.graph.add_node(node);
        for stream in &streams {
            self.graph.add_edge(StreamEdge {
                from: stream.node,
                side: None,
                to: node,
                port: 0,
                partitioning: Partitioning::Unspecified,
                codec: Some(ColumnBatch::CODEC),
            });
        }
        let texts: Vec<&Vec<String>> = streams.iter().map(|stream| &stream.text).collect();
        Ok(Stream {
            node,
            schema: schema.clone(),
            traits,
            updating: streams.iter().any(|stream| stream.updating),
            parallelism: None,
            single: false,
            pending: None,
            text: nested("Union[all]".to_owned(), &texts),
        })
    }

    fn plan_unnest(&mut self, unnest: &datafusion_expr::logical_plan::Unnest) -> SqlResult<Stream> {
        let mut stream = self.plan_rows(&unnest.input)?;
        let [(column, _)] = unnest.list_type_columns.as_slice() else {
            return Err(SqlError::unsupported("UNNEST of anything but one array"));
        };
        let operator = crate::exec::unnest::Unnest {
            column: *column,
            schema: arrow_schema(&unnest.schema),
        };
        let factory: Factory = Arc::new(move |_| Ok(Box::new(operator.clone())));
        let edge = [(stream.node, Partitioning::Unspecified)];
        stream.node = self.add_operator("Unnest", factory, &edge, stream.parallelism);
        stream.traits[*column] = ColumnTrait::default();
        stream.single = false;
        stream.schema = unnest.schema.clone();
        stream.text = nested("Unnest".to_owned(), &[&stream.text]);
        Ok(stream)
    }
}

fn worth_sharing(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::TableScan(_)
            | LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Extension(_)
    )
}

/// Whether two plans that are equal but for their sources read the same tables: equality of plans
/// looks at tables' names only, which two databases may share.
fn reads_same(one: &LogicalPlan, other: &LogicalPlan) -> bool {
    scans(one)
        .iter()
        .zip(scans(other))
        .all(|(one, other)| Arc::ptr_eq(one, &other))
}

fn scans(plan: &LogicalPlan) -> Vec<Arc<Table>> {
    let mut tables = Vec::new();
    let mut left = vec![plan];
    while let Some(plan) = left.pop() {
        if let LogicalPlan::TableScan(scan) = plan
            && let Some(source) = scan.source.downcast_ref::<ScanSource>()
        {
            tables.push(source.table.clone());
        }
        left.extend(plan.inputs());
    }
    tables
}

/// Columns by name and type.
pub(super) fn columns_of(schema: &SchemaRef) -> String {
    let fields = schema.fields().iter();
    let columns: Vec<String> = fields
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    columns.join(", ")
}

/// The Arrow schema of a plan's schema, shared.
pub(super) fn arrow_schema(schema: &DFSchema) -> SchemaRef {
    Arc::new(schema.as_arrow().clone())
}

fn arrow_schema_of(schema: &DFSchema, columns: Option<usize>) -> SchemaRef {
    match columns {
        Some(columns) => {
            let fields: Vec<_> = schema.fields().iter().take(columns).cloned().collect();
            Arc::new(arrow_schema::Schema::new(fields))
        }
        None => arrow_schema(schema),
    }
}

pub(super) fn projected_schema(expressions: &[Expr], input: &DFSchema) -> SqlResult<DFSchemaRef> {
    use datafusion_expr::ExprSchemable;
    let fields: Result<Vec<_>, _> = expressions.iter().map(|e| e.to_field(input)).collect();
    let fields = fields.map_err(plan_error)?;
    DFSchema::new_with_metadata(fields, Default::default())
        .map(Arc::new)
        .map_err(plan_error)
}

/// A line of the plan above the lines of its inputs.
pub(super) fn nested(line: String, inputs: &[&Vec<String>]) -> Vec<String> {
    let mut lines = vec![line];
    for input in inputs {
        lines.extend(input.iter().map(|line| format!("  {line}")));
    }
    lines
}

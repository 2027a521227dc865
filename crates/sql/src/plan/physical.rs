//! A logical plan to stream operators.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion_common::{DFSchema, DFSchemaRef, JoinType};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::{Expr, FetchType, LogicalPlan, SkipType, TableScan};
use datafusion_physical_expr::create_physical_expr;
use thalweg_columnar::ColumnHasher;
use thalweg_columnar::connector::{ScanRequest, TableConnector};
use thalweg_core::config::RuntimeMode;
use thalweg_core::error::Result as CoreResult;
use thalweg_core::graph::{NodeId, NodeKind, Partitioning, StreamEdge, StreamGraph, StreamNode};
use thalweg_core::operator::{BatchOperator, Setup};

use super::logical::{ScanSource, plan_error};
use super::nodes::{WatermarkNode, WindowNode};
use super::stream::{ColumnTrait, PendingWindow, Stream, WindowBound, WindowRole};
use crate::error::{SqlError, SqlResult};
use crate::exec::calc::Calc;
use crate::exec::expr::Expression;
use crate::exec::limit::Limit;
use crate::exec::sort::Sort;
use crate::exec::top_n::SortKey;
use crate::exec::values::Values;
use crate::exec::watermark::WatermarkAssigner;
use crate::exec::window_assign::WindowAssign;
use crate::exec::window_spec::WindowSpec;

/// Finds a connector by the value of its table's `connector` option.
pub type Connectors<'a> = &'a dyn Fn(&str) -> SqlResult<Arc<dyn TableConnector>>;

/// Builds the operators of a job.
pub struct PhysicalPlanner<'a> {
    pub(super) graph: StreamGraph,
    pub(super) mode: RuntimeMode,
    connectors: Connectors<'a>,
    batch_rows: usize,
    idle_timeout: Option<Duration>,
    shared: Vec<(LogicalPlan, Stream)>,
}

/// An operator factory as a closure.
pub(super) type Factory =
    Arc<dyn Fn(&mut Setup<'_>) -> CoreResult<Box<dyn BatchOperator>> + Send + Sync>;

impl<'a> PhysicalPlanner<'a> {
    /// A planner of one job.
    pub fn new(
        connectors: Connectors<'a>,
        mode: RuntimeMode,
        batch_rows: usize,
        idle_timeout: Option<Duration>,
    ) -> Self {
        PhysicalPlanner {
            graph: StreamGraph::default(),
            mode,
            connectors,
            batch_rows,
            idle_timeout,
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

    /// Plans a query; equal sub-plans are planned once.
    ///
    /// # Errors
    /// `Unsupported`, naming what is not there; `Type` for what cannot work.
    pub fn plan(&mut self, plan: &LogicalPlan) -> SqlResult<Stream> {
        if let Some((_, stream)) = self.shared.iter().find(|(known, _)| known == plan) {
            return Ok(stream.clone());
        }
        let stream = self.plan_node(plan)?;
        if worth_sharing(plan) {
            self.shared.push((plan.clone(), stream.clone()));
        }
        Ok(stream)
    }

    /// Plans a query so that all its columns are really there.
    ///
    /// # Errors
    /// As [`PhysicalPlanner::plan`].
    pub fn plan_rows(&mut self, plan: &LogicalPlan) -> SqlResult<Stream> {
        let stream = self.plan(plan)?;
        self.assign(stream)
    }

    fn plan_node(&mut self, plan: &LogicalPlan) -> SqlResult<Stream> {
        match plan {
            LogicalPlan::TableScan(scan) => self.plan_scan(scan),
            LogicalPlan::Projection(projection) => {
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
            LogicalPlan::Join(join) => self.plan_join(join),
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
        create_physical_expr(expr, schema, &properties, &Default::default()).map_err(plan_error)
    }

    pub(super) fn add_operator(
        &mut self,
        name: &str,
        factory: Factory,
        inputs: &[(&Stream, Partitioning)],
        parallelism: Option<u32>,
    ) -> NodeId {
        let operator = move |setup: &mut Setup<'_>| factory(setup);
        let mut node = StreamNode::new(name, NodeKind::Operator(Arc::new(operator)));
        node.ports = inputs.len();
        node.parallelism = parallelism;
        let id = self.graph.add_node(node);
        for (port, (input, partitioning)) in inputs.iter().enumerate() {
            self.graph.add_edge(StreamEdge {
                from: input.node,
                side: None,
                to: id,
                port,
                partitioning: partitioning.clone(),
            });
        }
        id
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
                        .alias(format!("_k{}", projected.len())),
                );
                projected.len() - 1
            }));
        }
        let schema = projected_schema(&projected, &stream.schema)?;
        let stream = self.project(stream, &projected, &schema)?;
        Ok((stream, positions))
    }

    // ---- sources -----------------------------------------------------------------------------

    fn plan_scan(&mut self, scan: &TableScan) -> SqlResult<Stream> {
        let source = scan.source.downcast_ref::<ScanSource>().ok_or_else(|| {
            SqlError::internal(format!("table `{}` has no connector", scan.table_name))
        })?;
        let table = &source.table;
        let physical = table.spec.schema.fields().len();
        let all = physical + table.spec.metadata.len();
        let wanted: Vec<usize> = scan
            .projection
            .clone()
            .unwrap_or_else(|| (0..all).collect());
        let request = ScanRequest {
            projection: wanted.iter().copied().filter(|c| *c < physical).collect(),
            metadata: wanted
                .iter()
                .filter(|c| **c >= physical)
                .map(|c| c - physical)
                .collect(),
            batch_rows: self.batch_rows,
        };
        let connector = (self.connectors)(&table.connector)?;
        let factory = connector
            .source(&table.spec, &request)
            .map_err(|error| SqlError::catalog(error.to_string()))?;
        let name = format!("Source: {}", table.spec.name);
        let node = self
            .graph
            .add_node(StreamNode::new(name.clone(), NodeKind::Source(factory)));
        let columns: Vec<String> = scan.projected_schema.field_names();
        Ok(Stream {
            node,
            schema: scan.projected_schema.clone(),
            traits: vec![ColumnTrait::default(); wanted.len()],
            updating: false,
            parallelism: None,
            pending: None,
            text: vec![format!("{name}[{}]", columns.join(", "))],
        })
    }

    fn plan_values(&mut self, rows: &[Vec<Expr>], schema: &DFSchemaRef) -> SqlResult<Stream> {
        let arrow = arrow_schema(schema);
        let empty = DFSchema::empty();
        let one = RecordBatch::try_new_with_options(
            Arc::new(arrow_schema::Schema::empty()),
            Vec::new(),
            &RecordBatchOptions::new().with_row_count(Some(1)),
        )
        .map_err(|error| SqlError::internal(error.to_string()))?;
        let mut batches = Vec::new();
        for row in rows {
            let mut columns = Vec::new();
            for (expr, field) in row.iter().zip(arrow.fields()) {
                let value = crate::exec::expr::evaluate(&self.compile(expr, &empty)?, &one)
                    .map_err(|error| SqlError::data(error.to_string()))?;
                let value = arrow::compute::cast(&value, field.data_type())
                    .map_err(|error| SqlError::type_mismatch(error.to_string()))?;
                columns.push(value);
            }
            let batch = crate::exec::expr::batch(&arrow, columns, 1)
                .map_err(|error| SqlError::type_mismatch(error.to_string()))?;
            batches.push(batch);
        }
        if batches.len() > 1 {
            let whole = arrow_select::concat::concat_batches(&arrow, &batches)
                .map_err(|error| SqlError::internal(error.to_string()))?;
            batches = vec![whole];
        }
        let text = format!("Values[{} rows]", rows.len());
        let source = Arc::new(Values(batches));
        let mut node = StreamNode::new("Values", NodeKind::Source(source));
        node.parallelism = Some(1);
        let node = self.graph.add_node(node);
        Ok(Stream {
            node,
            schema: schema.clone(),
            traits: vec![ColumnTrait::default(); schema.fields().len()],
            updating: false,
            parallelism: None,
            pending: None,
            text: vec![text],
        })
    }

    fn plan_watermark(&mut self, watermark: &WatermarkNode) -> SqlResult<Stream> {
        let mut input = self.plan_rows(&watermark.input)?;
        let column = input
            .position(&watermark.column)
            .ok_or_else(|| SqlError::internal("the time attribute is no column"))?;
        let expression = self.compile(&watermark.expression, &input.schema)?;
        let idle = self.idle_timeout;
        let factory: Factory =
            Arc::new(move |_| Ok(Box::new(WatermarkAssigner::new(expression.clone(), idle))));
        let edge = [(&input, Partitioning::Unspecified)];
        let node = self.add_operator("Watermark", factory, &edge, input.parallelism);
        self.graph.nodes[node.0].generates_watermarks = true;
        input.node = node;
        input.traits[column].rowtime = true;
        let line = format!(
            "Watermark[{} AS {}]",
            watermark.column, watermark.expression
        );
        input.text = nested(line, &[&input.text]);
        Ok(input)
    }

    // ---- stateless ---------------------------------------------------------------------------

    fn plan_filter(&mut self, input: &LogicalPlan, predicate: &Expr) -> SqlResult<Stream> {
        let mut stream = self.plan(input)?;
        if let Some(pending) = &stream.pending
            && predicate.column_refs().iter().any(|column| {
                stream
                    .schema
                    .maybe_index_of_column(column)
                    .is_some_and(|c| c >= pending.bounds_at)
            })
        {
            stream = self.assign(stream)?;
        }
        let condition = self.compile(predicate, &stream.schema)?;
        let pending_columns = stream.pending.as_ref().map(|pending| pending.bounds_at);
        let schema = arrow_schema_of(&stream.schema, pending_columns);
        let calc = Calc {
            condition: Some(condition),
            projection: None,
            schema,
        };
        let line = format!("Calc[where={predicate}]");
        Ok(self.add_calc(stream, calc, line))
    }

    fn add_calc(&mut self, mut stream: Stream, calc: Calc, line: String) -> Stream {
        let factory: Factory = Arc::new(move |_| Ok(Box::new(calc.clone())));
        let edge = [(&stream, Partitioning::Unspecified)];
        stream.node = self.add_operator("Calc", factory, &edge, stream.parallelism);
        stream.text = nested(line, &[&stream.text]);
        stream
    }

    fn plan_projection(
        &mut self,
        input: &LogicalPlan,
        expressions: &[Expr],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        let stream = self.plan(input)?;
        if let Some(pending) = &stream.pending {
            if let Some(passed) = pass_window(&stream, pending, expressions) {
                return self.project_pending(stream, expressions, schema, passed);
            }
            let stream = self.assign(stream)?;
            return self.project(stream, expressions, schema);
        }
        self.project(stream, expressions, schema)
    }

    /// Projects what is there and keeps the window columns for the aggregate to come.
    fn project_pending(
        &mut self,
        stream: Stream,
        expressions: &[Expr],
        schema: &DFSchemaRef,
        passed: PassedWindow,
    ) -> SqlResult<Stream> {
        let mut real: Vec<Expr> = expressions[..passed.bounds_at].to_vec();
        let pending = stream.pending.clone();
        let Some(pending) = pending else {
            return Err(SqlError::internal("no window waits"));
        };
        let time = Expr::Column(stream.schema.columns()[pending.time].clone());
        // The time column travels along even if the query has no use for it.
        let time_at = expressions[..passed.bounds_at]
            .iter()
            .position(|e| stream.position(e) == Some(pending.time));
        let bounds_traits: Vec<ColumnTrait> = expressions[passed.bounds_at..]
            .iter()
            .filter_map(|e| stream.position(e))
            .map(|at| stream.traits[at].clone())
            .collect();
        let time_at = match time_at {
            Some(at) => at,
            None => {
                real.push(time.alias("_window_time_column"));
                real.len() - 1
            }
        };
        let hidden = real.len() - passed.bounds_at;
        let mut inner = stream.clone();
        inner.pending = None;
        let real_schema = projected_schema(&real, &stream.schema)?;
        let mut projected = self.project(inner, &real, &real_schema)?;
        projected.traits.extend(bounds_traits);
        // Visible columns, the hidden time column, the window's columns.
        let mut fields: Vec<_> = real_schema
            .iter()
            .map(|(q, f)| (q.cloned(), f.clone()))
            .collect();
        let visible: Vec<_> = schema
            .iter()
            .map(|(q, f)| (q.cloned(), f.clone()))
            .collect();
        fields[..passed.bounds_at].clone_from_slice(&visible[..passed.bounds_at]);
        fields.extend(visible[passed.bounds_at..].iter().cloned());
        projected.schema =
            Arc::new(DFSchema::new_with_metadata(fields, Default::default()).map_err(plan_error)?);
        projected.pending = Some(PendingWindow {
            window: pending.window,
            time: time_at,
            bounds_at: passed.bounds_at + hidden,
            hidden,
        });
        Ok(projected)
    }

    /// Computes columns.
    pub(super) fn project(
        &mut self,
        stream: Stream,
        expressions: &[Expr],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        let compiled: SqlResult<Vec<Expression>> = expressions
            .iter()
            .map(|e| self.compile(e, &stream.schema))
            .collect();
        let traits: Vec<ColumnTrait> = expressions
            .iter()
            .map(|e| {
                stream
                    .position(e)
                    .map_or(ColumnTrait::default(), |c| stream.traits[c].clone())
            })
            .collect();
        let list: Vec<String> = expressions.iter().map(ToString::to_string).collect();
        let calc = Calc {
            condition: None,
            projection: Some(compiled?),
            schema: arrow_schema(schema),
        };
        let mut projected =
            self.add_calc(stream, calc, format!("Calc[select={}]", list.join(", ")));
        projected.schema = schema.clone();
        projected.traits = traits;
        Ok(projected)
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
        let calc = Calc {
            condition: None,
            projection: None,
            schema: arrow_schema(schema),
        };
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
            });
        }
        let texts: Vec<&Vec<String>> = streams.iter().map(|stream| &stream.text).collect();
        Ok(Stream {
            node,
            schema: schema.clone(),
            traits,
            updating: streams.iter().any(|stream| stream.updating),
            parallelism: None,
            pending: None,
            text: nested("Union[all]".to_owned(), &texts),
        })
    }

    // ---- windows -----------------------------------------------------------------------------

    fn plan_window(&mut self, window: &WindowNode) -> SqlResult<Stream> {
        let mut input = self.plan_rows(&window.input)?;
        let time = input
            .position(&window.time)
            .ok_or_else(|| SqlError::unsupported("a window over a computed time"))?;
        if !input.traits[time].rowtime {
            return Err(SqlError::type_mismatch(format!(
                "column `{}` is no time attribute: windows need a column with a WATERMARK",
                input.schema.field(time).name()
            )));
        }
        let bounds_at = input.schema.fields().len();
        for role in [WindowRole::Start, WindowRole::End, WindowRole::Time] {
            // The window's own time replaces the rows' time as attribute.
            let rowtime = role == WindowRole::Time;
            let window = Some(WindowBound {
                role,
                window: window.window,
            });
            input.traits.push(ColumnTrait { rowtime, window });
        }
        input.traits[time].rowtime = false;
        use datafusion_expr::UserDefinedLogicalNodeCore;
        input.schema = UserDefinedLogicalNodeCore::schema(window).clone();
        input.pending = Some(PendingWindow {
            window: window.window,
            time,
            bounds_at,
            hidden: 0,
        });
        input.text = nested(
            format!(
                "WindowTableFunction[{:?}, on={}]",
                window.window, window.time
            ),
            &[&input.text],
        );
        Ok(input)
    }

    /// Adds the columns of a window that waits.
    pub(super) fn assign(&mut self, mut stream: Stream) -> SqlResult<Stream> {
        let Some(pending) = stream.pending.take() else {
            return Ok(stream);
        };
        if matches!(pending.window, WindowSpec::Session { .. }) {
            return Err(SqlError::unsupported(
                "a SESSION window without GROUP BY window_start, window_end",
            ));
        }
        let columns = stream.schema.columns();
        let time = Expr::Column(columns[pending.time].clone());
        let time = self.compile(&time, &stream.schema)?;
        let all = all_bounds(&stream.schema, pending.bounds_at)?;
        let assign = WindowAssign {
            window: pending.window,
            time,
            schema: arrow_schema(&all),
        };
        let factory: Factory = Arc::new(move |_| Ok(Box::new(assign.clone())));
        let edge = [(&stream, Partitioning::Unspecified)];
        let node = self.add_operator("WindowTableFunction", factory, &edge, stream.parallelism);
        stream.node = node;
        let visible = stream.schema.clone();
        let visible_traits = std::mem::take(&mut stream.traits);
        stream.traits = visible_traits[..pending.bounds_at].to_vec();
        for role in [WindowRole::Start, WindowRole::End, WindowRole::Time] {
            let window = Some(WindowBound {
                role,
                window: pending.window,
            });
            stream.traits.push(ColumnTrait {
                rowtime: role == WindowRole::Time,
                window,
            });
        }
        stream.schema = Arc::new(all);
        if visible.fields().len() == stream.schema.fields().len() && pending.hidden == 0 {
            stream.schema = visible;
            return Ok(stream);
        }
        // A projection before has kept only some of the bounds, or the query does not know of the
        // time column.
        let shown = |at: &usize| !(pending.bounds_at - pending.hidden..pending.bounds_at).contains(at);
        let columns = stream.schema.columns();
        let wanted: Vec<Expr> = (0..visible_traits.len())
            .filter(shown)
            .map(|at| {
                let position = match &visible_traits[at].window {
                    Some(bound) if at >= pending.bounds_at => {
                        pending.bounds_at + bound.role as usize
                    }
                    _ => at,
                };
                Expr::Column(columns[position].clone())
            })
            .collect();
        let fields = visible.iter().enumerate().filter(|(at, _)| shown(at));
        let fields = fields.map(|(_, (q, f))| (q.cloned(), f.clone())).collect();
        let schema = DFSchema::new_with_metadata(fields, Default::default()).map_err(plan_error)?;
        self.project(stream, &wanted, &Arc::new(schema))
    }

    // ---- order -------------------------------------------------------------------------------

    pub(super) fn sort_keys(
        &self,
        order: &[datafusion_expr::SortExpr],
        schema: &DFSchema,
    ) -> SqlResult<Vec<SortKey>> {
        use datafusion_expr::ExprSchemable;
        order
            .iter()
            .map(|item| {
                Ok(SortKey {
                    expression: self.compile(&item.expr, schema)?,
                    data_type: item.expr.get_type(schema).map_err(plan_error)?,
                    descending: !item.asc,
                    nulls_first: item.nulls_first,
                })
            })
            .collect()
    }

    fn plan_sort(
        &mut self,
        input: &LogicalPlan,
        order: &[datafusion_expr::SortExpr],
        skip: usize,
        fetch: Option<usize>,
    ) -> SqlResult<Stream> {
        let stream = self.plan_rows(input)?;
        let items: Vec<String> = order.iter().map(ToString::to_string).collect();
        let line = format!("Sort[{}{}]", items.join(", "), limit_text(skip, fetch));
        if self.mode == RuntimeMode::Streaming {
            let Some(fetch) = fetch else {
                return Err(SqlError::unsupported(
                    "ORDER BY without LIMIT in streaming mode: rows can only be sorted once all \
                     are there (SET 'execution.runtime-mode' = 'batch')",
                ));
            };
            return self.plan_sorted_limit(stream, order, skip, fetch, line);
        }
        let keys = self.sort_keys(order, &stream.schema)?;
        let schema = arrow_schema(&stream.schema);
        self.add_sort(stream, keys, skip, fetch, schema, line)
    }

    fn add_sort(
        &mut self,
        mut stream: Stream,
        keys: Vec<SortKey>,
        skip: usize,
        fetch: Option<usize>,
        schema: SchemaRef,
        line: String,
    ) -> SqlResult<Stream> {
        if stream.updating {
            return Err(SqlError::unsupported(
                "ORDER BY over an updating input in batch mode",
            ));
        }
        let factory: Factory = Arc::new(move |setup| {
            Ok(Box::new(Sort::new(
                keys.clone(),
                skip,
                fetch,
                schema.clone(),
                setup,
            )))
        });
        let edge = [(&stream, Partitioning::Global)];
        stream.node = self.add_operator("Sort", factory, &edge, Some(1));
        stream.parallelism = Some(1);
        stream.text = nested(line, &[&stream.text]);
        Ok(stream)
    }

    fn plan_limit(&mut self, limit: &datafusion_expr::logical_plan::Limit) -> SqlResult<Stream> {
        let SkipType::Literal(skip) = limit.get_skip_type().map_err(plan_error)? else {
            return Err(SqlError::unsupported("an OFFSET that is no number"));
        };
        let FetchType::Literal(fetch) = limit.get_fetch_type().map_err(plan_error)? else {
            return Err(SqlError::unsupported("a LIMIT that is no number"));
        };
        if let LogicalPlan::Sort(sort) = limit.input.as_ref() {
            let fetch = fetch.map(|n| sort.fetch.map_or(n, |m| n.min(m.saturating_sub(skip))));
            return self.plan_sort(&sort.input, &sort.expr, skip, fetch);
        }
        let stream = self.plan_rows(&limit.input)?;
        let line = format!(
            "Limit[{}]",
            limit_text(skip, fetch).trim_start_matches(", ")
        );
        if stream.updating {
            let all = fetch.ok_or_else(|| {
                SqlError::unsupported("OFFSET without LIMIT over an updating input")
            })?;
            return self.plan_sorted_limit(stream, &[], skip, all, line);
        }
        let mut stream = stream;
        let factory: Factory = Arc::new(move |setup| {
            Ok(Box::new(Limit::new(
                skip as u64,
                fetch.map(|n| n as u64),
                setup,
            )))
        });
        let edge = [(&stream, Partitioning::Global)];
        stream.node = self.add_operator("Limit", factory, &edge, Some(1));
        stream.parallelism = Some(1);
        stream.text = nested(line, &[&stream.text]);
        Ok(stream)
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
        let edge = [(&stream, Partitioning::Unspecified)];
        stream.node = self.add_operator("Unnest", factory, &edge, stream.parallelism);
        stream.traits[*column] = ColumnTrait::default();
        stream.schema = unnest.schema.clone();
        stream.text = nested("Unnest".to_owned(), &[&stream.text]);
        Ok(stream)
    }
}

/// Gives a stream's columns other names; a hidden column keeps its own.
fn rename(mut stream: Stream, schema: &DFSchemaRef) -> SqlResult<Stream> {
    let hidden = match &stream.pending {
        Some(pending) if pending.hidden > 0 => {
            pending.bounds_at - pending.hidden..pending.bounds_at
        }
        _ => {
            stream.schema = schema.clone();
            return Ok(stream);
        }
    };
    let own = |(q, f): (Option<&_>, &Arc<arrow_schema::Field>)| (q.cloned(), f.clone());
    let mut fields: Vec<_> = schema.iter().map(own).collect();
    let kept: Vec<_> = stream.schema.iter().skip(hidden.start).take(hidden.len()).map(own).collect();
    fields.splice(hidden.start..hidden.start, kept);
    stream.schema =
        Arc::new(DFSchema::new_with_metadata(fields, Default::default()).map_err(plan_error)?);
    Ok(stream)
}

/// Where a projection keeps the columns of a window that waits: behind all others.
struct PassedWindow {
    bounds_at: usize,
}

fn pass_window(
    stream: &Stream,
    pending: &PendingWindow,
    expressions: &[Expr],
) -> Option<PassedWindow> {
    let is_bound = |e: &Expr| stream.position(e).is_some_and(|at| at >= pending.bounds_at);
    let reads_bound = |e: &Expr| {
        e.column_refs().iter().any(|column| {
            stream
                .schema
                .maybe_index_of_column(column)
                .is_some_and(|at| at >= pending.bounds_at)
        })
    };
    let first = expressions.iter().position(is_bound)?;
    let tidy = expressions[..first].iter().all(|e| !reads_bound(e))
        && expressions[first..].iter().all(is_bound);
    tidy.then_some(PassedWindow { bounds_at: first })
}

/// A schema with all three window columns behind the input's.
fn all_bounds(schema: &DFSchema, bounds_at: usize) -> SqlResult<DFSchema> {
    use arrow_schema::{DataType, Field, TimeUnit};
    let mut fields: Vec<_> = schema
        .iter()
        .take(bounds_at)
        .map(|(q, f)| (q.cloned(), f.clone()))
        .collect();
    let bound = DataType::Timestamp(TimeUnit::Millisecond, None);
    for name in ["window_start", "window_end", "window_time"] {
        let known = schema
            .iter()
            .skip(bounds_at)
            .find(|(_, f)| f.name() == name);
        let field = known.map(|(q, f)| (q.cloned(), f.clone()));
        fields.push(field.unwrap_or_else(|| {
            (
                None,
                Arc::new(Field::new(format!("_{name}"), bound.clone(), false)),
            )
        }));
    }
    DFSchema::new_with_metadata(fields, Default::default()).map_err(plan_error)
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

fn limit_text(skip: usize, fetch: Option<usize>) -> String {
    let mut text = String::new();
    if skip > 0 {
        text.push_str(&format!(", offset={skip}"));
    }
    if let Some(fetch) = fetch {
        text.push_str(&format!(", fetch={fetch}"));
    }
    text
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

/// Whether a join of the plan keeps only the left columns.
pub(super) fn is_left_only(join: JoinType) -> bool {
    matches!(join, JoinType::LeftSemi | JoinType::LeftAnti)
}

//! Aggregations: by group, by window, by session.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::logical_plan::Aggregate;
use datafusion_expr::{Expr, ExprSchemable};
use thalweg_core::config::RuntimeMode;
use thalweg_core::graph::{NodeId, Partitioning};

use super::{AggregatePhases, Factory, PhysicalPlanner, arrow_schema, nested};
use crate::error::{SqlError, SqlResult};
use crate::exec::aggregate::{AggregateCall, AggregateKind};
use crate::exec::expr::Expression;
use crate::exec::group_aggregate::{GroupAggregate, GroupAggregateSpec};
use crate::exec::session_aggregate::SessionAggregate;
use crate::exec::window_aggregate::{
    LocalWindowAggregate, Phase, WindowAggregate, WindowAggregateSpec, WindowColumn,
};
use crate::exec::window_spec::WindowSpec;
use crate::plan::logical::plan_error;
use crate::plan::stream::{ColumnTrait, Stream, WindowBound, WindowRole};

impl PhysicalPlanner<'_> {
    pub(super) fn plan_aggregate(&mut self, aggregate: &Aggregate) -> SqlResult<Stream> {
        if aggregate
            .group_expr
            .iter()
            .any(|e| matches!(e, Expr::GroupingSet(_)))
        {
            return Err(SqlError::unsupported("GROUPING SETS, ROLLUP and CUBE"));
        }
        let input = self.plan(&aggregate.input)?;
        match windowed(&input, &aggregate.group_expr) {
            Some(window) => self.plan_window_aggregate(input, aggregate, window),
            None => {
                let input = self.assign(input)?;
                self.plan_group_aggregate(input, aggregate)
            }
        }
    }

    fn plan_group_aggregate(&mut self, input: Stream, aggregate: &Aggregate) -> SqlResult<Stream> {
        let (input, keys) = self.with_columns(input, &aggregate.group_expr)?;
        let calls = self.calls(&input, &aggregate.aggr_expr)?;
        let batch_mode = self.settings.mode == RuntimeMode::Batch;
        let keeps = kept(&input, &keys, &calls);
        let spec = GroupAggregateSpec {
            keys: columns(&input, &keys),
            calls,
            schema: arrow_schema(&aggregate.schema),
            updates: input.updating,
            batch_mode,
            ttl: self.settings.state_ttl,
        };
        let factory: Factory =
            Arc::new(move |setup| Ok(Box::new(GroupAggregate::new(spec.clone(), setup)?)));
        let (partitioning, parallelism) = self.keyed(keys);
        let edge = [(input.node, partitioning)];
        let node = self.add_operator("GroupAggregate", factory, &edge, parallelism);
        self.keeps(node, keeps);
        let line = format!("GroupAggregate[{}]", description(aggregate));
        Ok(Stream {
            node,
            schema: aggregate.schema.clone(),
            traits: vec![ColumnTrait::default(); aggregate.schema.fields().len()],
            updating: !batch_mode,
            parallelism,
            single: parallelism == Some(1),
            pending: None,
            text: nested(line, &[&input.text]),
        })
    }

    fn plan_window_aggregate(
        &mut self,
        mut input: Stream,
        aggregate: &Aggregate,
        window: WindowSpec,
    ) -> SqlResult<Stream> {
        let attached = input.pending.take();
        // Without a window that waits, the rows have theirs from an earlier operator.
        let (time, window) = match &attached {
            Some(pending) => (pending.time, window),
            None => attached_window(&input, window)?,
        };
        let Layout {
            keys: key_exprs,
            columns: mut layout,
            mut traits,
        } = layout(&input, &aggregate.group_expr);
        let (input, keys) = if attached.is_some() {
            self.real_columns(input, &key_exprs, attached.as_ref().map(|p| p.bounds_at))?
        } else {
            self.with_columns(input, &key_exprs)?
        };
        let calls = self.calls(&input, &aggregate.aggr_expr)?;
        layout.extend((0..calls.len()).map(WindowColumn::Call));
        traits.resize(layout.len(), ColumnTrait::default());
        let time = Expr::Column(input.schema.columns()[time].clone());
        let key_types = keys
            .iter()
            .map(|key| input.schema.field(*key).data_type().clone())
            .collect();
        let keeps = format!("{window:?}, {}", kept(&input, &keys, &calls));
        let spec = WindowAggregateSpec {
            phase: Phase::Complete,
            window,
            time: self.compile(&time, &input.schema)?,
            keys: columns(&input, &keys),
            key_types,
            calls,
            columns: layout,
            schema: arrow_schema(&aggregate.schema),
            updates: input.updating,
        };
        let session = matches!(window, WindowSpec::Session { .. }) && attached.is_some();
        let line = format!("{window:?}, {}", description(aggregate));
        let planned = if session {
            let text = nested(format!("WindowAggregate[{line}]"), &[&input.text]);
            let factory: Factory =
                Arc::new(move |setup| Ok(Box::new(SessionAggregate::new(spec.clone(), setup)?)));
            self.add_window_aggregate(input.node, keys, factory, text)
        } else {
            self.plan_slices(&input, spec, keys, &line)
        };
        self.keeps(planned.node, keeps);
        Ok(Stream {
            node: planned.node,
            schema: aggregate.schema.clone(),
            traits,
            updating: false,
            parallelism: planned.parallelism,
            single: planned.parallelism == Some(1),
            pending: None,
            text: planned.text,
        })
    }

    /// One phase, or two.
    fn plan_slices(
        &mut self,
        input: &Stream,
        mut spec: WindowAggregateSpec,
        mut keys: Vec<usize>,
        line: &str,
    ) -> Planned {
        let (mut node, mut text) = (input.node, input.text.clone());
        if self.pays_local_phase(input, &spec) {
            spec.phase = Phase::Final;
            keys = (0..keys.len()).collect();
            node = self.add_local_phase(input, &spec);
            text = nested(format!("LocalWindowAggregate[{line}]"), &[&text]);
        }
        let text = nested(format!("WindowAggregate[{line}]"), &[&text]);
        let factory: Factory =
            Arc::new(move |setup| Ok(Box::new(WindowAggregate::new(spec.clone(), setup)?)));
        self.add_window_aggregate(node, keys, factory, text)
    }

    fn add_window_aggregate(
        &mut self,
        input: NodeId,
        keys: Vec<usize>,
        factory: Factory,
        text: Vec<String>,
    ) -> Planned {
        let (partitioning, parallelism) = self.keyed(keys);
        let edge = [(input, partitioning)];
        Planned {
            node: self.add_operator("WindowAggregate", factory, &edge, parallelism),
            parallelism,
            text,
        }
    }

    /// Whether rows are aggregated before they are exchanged: where there is more than one
    /// instance to exchange between, and all calls have states that can be merged in any order.
    fn pays_local_phase(&self, input: &Stream, spec: &WindowAggregateSpec) -> bool {
        let mergeable = |call: &AggregateCall| {
            !call.distinct
                && !matches!(
                    call.kind,
                    AggregateKind::FirstValue
                        | AggregateKind::LastValue
                        | AggregateKind::ListAgg(_)
                )
        };
        let exchanged = match self.settings.phases {
            AggregatePhases::One => false,
            AggregatePhases::Two => true,
            AggregatePhases::Auto => self.settings.parallelism > 1 && input.parallelism != Some(1),
        };
        exchanged && !spec.updates && spec.calls.iter().all(mergeable)
    }

    fn add_local_phase(&mut self, input: &Stream, spec: &WindowAggregateSpec) -> NodeId {
        let spec = spec.clone();
        let factory: Factory =
            Arc::new(move |_| Ok(Box::new(LocalWindowAggregate::new(spec.clone())?)));
        let edge = [(input.node, Partitioning::Unspecified)];
        let node = self.add_operator("LocalWindowAggregate", factory, &edge, input.parallelism);
        self.graph.nodes[node.0].transparent = true;
        node
    }

    /// Like `with_columns` over the columns that are there before a window is assigned.
    fn real_columns(
        &mut self,
        mut input: Stream,
        expressions: &[Expr],
        bounds_at: Option<usize>,
    ) -> SqlResult<(Stream, Vec<usize>)> {
        let real = bounds_at.unwrap_or(input.traits.len());
        let fields: Vec<_> = input
            .schema
            .iter()
            .take(real)
            .map(|(q, f)| (q.cloned(), f.clone()))
            .collect();
        let schema = datafusion_common::DFSchema::new_with_metadata(fields, Default::default())
            .map_err(plan_error)?;
        input.schema = Arc::new(schema);
        input.traits.truncate(real);
        self.with_columns(input, expressions)
    }

    fn calls(&self, input: &Stream, expressions: &[Expr]) -> SqlResult<Vec<AggregateCall>> {
        expressions
            .iter()
            .map(|expr| self.call(input, expr))
            .collect()
    }

    fn call(&self, input: &Stream, expr: &Expr) -> SqlResult<AggregateCall> {
        let function = match expr {
            Expr::AggregateFunction(function) => function,
            Expr::Alias(alias) => return self.call(input, &alias.expr),
            other => return Err(SqlError::internal(format!("`{other}` is no aggregate"))),
        };
        let AggregateFunction { func, params } = function;
        if !params.order_by.is_empty() {
            return Err(SqlError::unsupported(format!(
                "ORDER BY inside `{}`",
                func.name()
            )));
        }
        let mut args = params.args.clone();
        #[expect(deprecated)] // The planner's own rule turns `*` into a constant later than this.
        args.retain(|arg| !matches!(arg, Expr::Wildcard { .. }));
        let kind = kind(func.name(), &mut args)?;
        if matches!(kind, AggregateKind::Count) && !params.distinct {
            // COUNT of something that is never NULL counts rows.
            args.retain(|arg| !is_constant(arg));
        }
        let types: Result<Vec<DataType>, _> =
            args.iter().map(|arg| arg.get_type(&input.schema)).collect();
        let compiled: SqlResult<Vec<Expression>> = args
            .iter()
            .map(|arg| self.compile(arg, &input.schema))
            .collect();
        let filter = params
            .filter
            .as_ref()
            .map(|filter| self.compile(filter, &input.schema));
        Ok(AggregateCall {
            kind,
            args: compiled?,
            arg_types: types.map_err(plan_error)?,
            filter: filter.transpose()?,
            distinct: params.distinct,
            result: expr.get_type(&input.schema).map_err(plan_error)?,
        })
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => !value.is_null(),
        Expr::Alias(alias) => is_constant(&alias.expr),
        _ => false,
    }
}

fn kind(name: &str, args: &mut Vec<Expr>) -> SqlResult<AggregateKind> {
    Ok(match name {
        "count" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Avg,
        "min" => AggregateKind::Min,
        "max" => AggregateKind::Max,
        "first_value" => AggregateKind::FirstValue,
        "last_value" => AggregateKind::LastValue,
        "listagg" => {
            let separator = match args.len() {
                1 => ",".to_owned(),
                _ => match args.pop() {
                    Some(Expr::Literal(
                        ScalarValue::Utf8(Some(text))
                        | ScalarValue::Utf8View(Some(text))
                        | ScalarValue::LargeUtf8(Some(text)),
                        _,
                    )) => text,
                    _ => {
                        return Err(SqlError::unsupported("a separator of LISTAGG that varies"));
                    }
                },
            };
            AggregateKind::ListAgg(separator)
        }
        "var_pop" => AggregateKind::Variance {
            sample: false,
            root: false,
        },
        "var_samp" | "variance" => AggregateKind::Variance {
            sample: true,
            root: false,
        },
        "stddev_pop" => AggregateKind::Variance {
            sample: false,
            root: true,
        },
        "stddev_samp" | "stddev" => AggregateKind::Variance {
            sample: true,
            root: true,
        },
        other => return Err(SqlError::unsupported(format!("the aggregate `{other}`"))),
    })
}

fn columns(input: &Stream, positions: &[usize]) -> Vec<Expression> {
    use datafusion_physical_expr::expressions::Column;
    positions
        .iter()
        .map(|at| -> Expression { Arc::new(Column::new(input.schema.field(*at).name(), *at)) })
        .collect()
}

/// A window aggregate in the graph.
struct Planned {
    node: NodeId,
    parallelism: Option<u32>,
    text: Vec<String>,
}

/// Where the columns of a window aggregate come from.
struct Layout {
    keys: Vec<Expr>,
    columns: Vec<WindowColumn>,
    traits: Vec<ColumnTrait>,
}

/// Tells the bounds of the window from the other group columns.
fn layout(input: &Stream, groups: &[Expr]) -> Layout {
    let mut layout = Layout {
        keys: Vec::new(),
        columns: Vec::new(),
        traits: Vec::new(),
    };
    for expr in groups {
        match input
            .position(expr)
            .and_then(|at| input.traits[at].window.clone())
        {
            Some(bound) => {
                layout.columns.push(match bound.role {
                    WindowRole::Start => WindowColumn::Start,
                    WindowRole::End => WindowColumn::End,
                    WindowRole::Time => WindowColumn::Time,
                });
                let rowtime = bound.role == WindowRole::Time;
                layout.traits.push(ColumnTrait {
                    rowtime,
                    window: Some(bound),
                });
            }
            None => {
                layout.columns.push(WindowColumn::Key(layout.keys.len()));
                layout.keys.push(expr.clone());
                layout.traits.push(ColumnTrait::default());
            }
        }
    }
    layout
}

/// The windows an aggregate groups by: it must name start and end.
fn windowed(input: &Stream, groups: &[Expr]) -> Option<WindowSpec> {
    let bounds: Vec<&WindowBound> = groups
        .iter()
        .filter_map(|group| input.position(group))
        .filter_map(|at| input.traits[at].window.as_ref())
        .collect();
    let has = |role| bounds.iter().any(|bound| bound.role == role);
    let both = has(WindowRole::Start) && has(WindowRole::End);
    bounds.first().filter(|_| both).map(|bound| bound.window)
}

/// The column with the window's end, and the windows as attached to their rows.
fn attached_window(input: &Stream, window: WindowSpec) -> SqlResult<(usize, WindowSpec)> {
    let is_end = |t: &ColumnTrait| t.window.as_ref().is_some_and(|w| w.role == WindowRole::End);
    let end = input.traits.iter().position(is_end);
    match (end, window) {
        (Some(end), WindowSpec::Tumble { size, .. } | WindowSpec::Hop { size, .. })
        | (Some(end), WindowSpec::Attached { size }) => Ok((end, WindowSpec::Attached { size })),
        _ => Err(SqlError::unsupported(
            "an aggregate over the windows of an earlier SESSION or CUMULATE, or without its              window_end",
        )),
    }
}

fn description(aggregate: &Aggregate) -> String {
    let list = |items: &[Expr]| {
        items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!(
        "groupBy={}, select={}",
        list(&aggregate.group_expr),
        list(&aggregate.aggr_expr)
    )
}

/// What an aggregation keeps: its keys by name, its calls without what they are computed from.
fn kept(input: &Stream, keys: &[usize], calls: &[AggregateCall]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| input.schema.field(*key))
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    let calls: Vec<String> = calls
        .iter()
        .map(|call| format!("{:?} {:?} {}", call.kind, call.arg_types, call.distinct))
        .collect();
    format!(
        "{}: {} of {}",
        input.updating,
        calls.join(", "),
        keys.join(", ")
    )
}

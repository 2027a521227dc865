//! `ROW_NUMBER() … <= n`: Top-N, deduplication, and their window forms.

use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::logical_plan::{Filter, Window};
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use thalweg_core::config::RuntimeMode;

use super::{Factory, PhysicalPlanner, arrow_schema, columns_of, nested};
use crate::error::{SqlError, SqlResult};
use crate::exec::top_n::{TopNSpec, top_n};
use crate::exec::window_buffer::{WindowBuffer, WindowInput, top_rows};
use crate::plan::stream::{ColumnTrait, Stream, WindowRole};

/// The condition on a row number, taken apart.
#[derive(Default)]
struct RankFilter {
    from: usize,
    to: Option<usize>,
    rest: Vec<Expr>,
}

impl PhysicalPlanner<'_> {
    /// Whether a filter is one over a row number.
    pub(super) fn is_top_n(filter: &Filter) -> bool {
        row_number_below(&filter.input)
            .is_some_and(|path| rank_filter(&filter.predicate, &path).to.is_some())
    }

    /// Plans a filter over a row number, or returns nothing if it is no such filter.
    pub(super) fn plan_top_n(&mut self, filter: &Filter) -> SqlResult<Option<Stream>> {
        let Some(path) = row_number_below(&filter.input) else {
            return Ok(None);
        };
        let Expr::WindowFunction(function) = path.call else {
            return Ok(None);
        };
        let ranked = rank_filter(&filter.predicate, &path);
        let Some(to) = ranked.to else { return Ok(None) };
        let input = self.plan_rows(&path.window.input)?;
        let mut stream = self.top_n(input, path.window, function, (ranked.from.max(1), to))?;
        for (expressions, schema) in path.projections.iter().rev() {
            stream = match expressions {
                Some(expressions) => self.project(stream, expressions, schema)?,
                None => {
                    stream.schema = (*schema).clone();
                    stream
                }
            };
        }
        if let Some(rest) = ranked.rest.into_iter().reduce(Expr::and) {
            return Err(SqlError::unsupported(format!(
                "`{rest}` beside a condition on ROW_NUMBER"
            )));
        }
        Ok(Some(stream))
    }

    fn top_n(
        &mut self,
        input: Stream,
        window: &Window,
        function: &WindowFunction,
        (from, to): (usize, usize),
    ) -> SqlResult<Stream> {
        let params = &function.params;
        let (input, partition) = self.with_columns(input, &params.partition_by)?;
        if input.traits.len() + 1 != window.schema.fields().len() {
            return Err(SqlError::unsupported(
                "ROW_NUMBER with a computed PARTITION BY",
            ));
        }
        let order = self.sort_keys(&params.order_by, &input.schema)?;
        let by_time = params.order_by.len() == 1
            && input
                .position(&params.order_by[0].expr)
                .is_some_and(|c| input.traits[c].rowtime);
        let types = partition
            .iter()
            .map(|at| input.schema.field(*at).data_type().clone());
        let spec = TopNSpec {
            partition: partition
                .iter()
                .map(|at| self.compile(&column(&input, *at), &input.schema))
                .collect::<SqlResult<_>>()?,
            partition_types: types.collect(),
            order,
            from,
            to,
            with_rank: true,
            // Keep-last deduplication: of rows with equal time the later one stays.
            last_wins: by_time && to == 1 && !params.order_by[0].asc,
            updates: input.updating,
            batch_mode: self.settings.mode == RuntimeMode::Batch,
            ttl: self.settings.state_ttl,
            input: arrow_schema(&input.schema),
            schema: arrow_schema(&window.schema),
        };
        let end = partition.iter().copied().find(|at| {
            input.traits[*at]
                .window
                .as_ref()
                .is_some_and(|w| w.role == WindowRole::End)
        });
        let has_start = partition.iter().any(|at| {
            input.traits[*at]
                .window
                .as_ref()
                .is_some_and(|w| w.role == WindowRole::Start)
        });
        match end {
            Some(end) if has_start && !input.updating => {
                self.window_top_n(input, window, spec, partition, end)
            }
            _ => self.table_top_n(input, window, spec, partition),
        }
    }

    fn table_top_n(
        &mut self,
        input: Stream,
        window: &Window,
        spec: TopNSpec,
        partition: Vec<usize>,
    ) -> SqlResult<Stream> {
        let updating = !spec.batch_mode;
        let line = format!("TopN[rank {}..={}]", spec.from, spec.to);
        let keeps = kept(&spec, &window.window_expr);
        let factory: Factory = Arc::new(move |setup| top_n(spec.clone(), setup));
        let (edge, parallelism) = self.keyed(partition);
        let node = self.add_operator("TopN", factory, &[(input.node, edge)], parallelism);
        self.keeps(node, keeps);
        let mut traits = vec![ColumnTrait::default(); input.traits.len()];
        traits.push(ColumnTrait::default());
        Ok(Stream {
            node,
            schema: window.schema.clone(),
            traits,
            updating,
            parallelism,
            single: false,
            pending: None,
            text: nested(line, &[&input.text]),
        })
    }

    fn window_top_n(
        &mut self,
        input: Stream,
        window: &Window,
        spec: TopNSpec,
        partition: Vec<usize>,
        end: usize,
    ) -> SqlResult<Stream> {
        let line = format!("WindowTopN[rank {}..={}]", spec.from, spec.to);
        let keeps = kept(&spec, &window.window_expr);
        let inputs = vec![WindowInput {
            end: self.compile(&column(&input, end), &input.schema)?,
            keys: spec.partition.clone(),
            schema: spec.input.clone(),
        }];
        let factory: Factory = Arc::new(move |setup| {
            let spec = spec.clone();
            let work = Arc::new(move |sides: &[arrow_array::RecordBatch]| {
                sides.iter().map(|rows| top_rows(&spec, rows)).collect()
            });
            Ok(Box::new(WindowBuffer::new(inputs.clone(), work, setup)))
        });
        let (edge, parallelism) = self.keyed(partition);
        let node = self.add_operator("WindowTopN", factory, &[(input.node, edge)], parallelism);
        self.keeps(node, keeps);
        let mut traits = input.traits.clone();
        traits.push(ColumnTrait::default());
        Ok(Stream {
            node,
            schema: window.schema.clone(),
            traits,
            updating: false,
            parallelism,
            single: false,
            pending: None,
            text: nested(line, &[&input.text]),
        })
    }

    /// `ORDER BY … LIMIT n` in streaming mode: a Top-N of one partition.
    pub(super) fn plan_sorted_limit(
        &mut self,
        mut stream: Stream,
        order: &[datafusion_expr::SortExpr],
        skip: usize,
        fetch: usize,
        line: String,
    ) -> SqlResult<Stream> {
        let spec = TopNSpec {
            partition: Vec::new(),
            partition_types: Vec::new(),
            order: self.sort_keys(order, &stream.schema)?,
            from: skip + 1,
            to: skip + fetch,
            with_rank: false,
            last_wins: false,
            updates: stream.updating,
            batch_mode: self.settings.mode == RuntimeMode::Batch,
            ttl: self.settings.state_ttl,
            input: arrow_schema(&stream.schema),
            schema: arrow_schema(&stream.schema),
        };
        let updating = !spec.batch_mode;
        let keeps = kept(&spec, order);
        let factory: Factory = Arc::new(move |setup| top_n(spec.clone(), setup));
        let (edge, parallelism) = self.keyed(Vec::new());
        stream.node = self.add_operator("SortLimit", factory, &[(stream.node, edge)], parallelism);
        self.keeps(stream.node, keeps);
        stream.parallelism = parallelism;
        stream.updating = updating;
        stream.text = nested(line, &[&stream.text]);
        Ok(stream)
    }
}

fn column(stream: &Stream, at: usize) -> Expr {
    Expr::Column(stream.schema.columns()[at].clone())
}

/// The way from a filter down to a row number, through projections that only pass columns.
struct RankPath<'a> {
    window: &'a Window,
    call: &'a Expr,
    projections: Vec<(Option<&'a [Expr]>, &'a datafusion_common::DFSchemaRef)>,
    rank: usize,
}

fn row_number_below(plan: &LogicalPlan) -> Option<RankPath<'_>> {
    match plan {
        LogicalPlan::Window(window) => {
            let [call] = window.window_expr.as_slice() else {
                return None;
            };
            let inner = match call {
                Expr::Alias(alias) => alias.expr.as_ref(),
                other => other,
            };
            let Expr::WindowFunction(function) = inner else {
                return None;
            };
            (function.fun.name() == "row_number").then(|| RankPath {
                window,
                call: inner,
                projections: Vec::new(),
                rank: window.schema.fields().len() - 1,
            })
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let mut path = row_number_below(&alias.input)?;
            path.projections.insert(0, (None, &alias.schema));
            Some(path)
        }
        LogicalPlan::Projection(projection) => {
            let mut path = row_number_below(&projection.input)?;
            let schema = projection.input.schema();
            path.rank = projection
                .expr
                .iter()
                .position(|e| crate::plan::stream::position(schema, e) == Some(path.rank))?;
            path.projections
                .insert(0, (Some(&projection.expr), &projection.schema));
            Some(path)
        }
        _ => None,
    }
}

fn rank_filter(predicate: &Expr, path: &RankPath<'_>) -> RankFilter {
    let schema = path
        .projections
        .first()
        .map_or(&path.window.schema, |(_, schema)| schema);
    let mut filter = RankFilter::default();
    for part in datafusion_expr::utils::split_conjunction(predicate) {
        match bound(part, schema, path.rank) {
            Some((from, to)) => {
                filter.from = filter.from.max(from.unwrap_or(0));
                filter.to = match (filter.to, to) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            None => filter.rest.push(part.clone()),
        }
    }
    filter
}

/// The range that a comparison of the row number with a number allows.
fn bound(
    expr: &Expr,
    schema: &datafusion_common::DFSchema,
    rank: usize,
) -> Option<(Option<usize>, Option<usize>)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return None;
    };
    let (op, number) = match (crate::plan::stream::position(schema, left), number(right)) {
        (Some(at), Some(number)) if at == rank => (*op, number),
        _ => match (
            crate::plan::stream::position(schema, right),
            self::number(left),
        ) {
            (Some(at), Some(number)) if at == rank => (op.swap()?, number),
            _ => return None,
        },
    };
    Some(match op {
        Operator::LtEq => (None, Some(number)),
        Operator::Lt => (None, Some(number.checked_sub(1)?)),
        Operator::Eq => (Some(number), Some(number)),
        Operator::GtEq => (Some(number), None),
        Operator::Gt => (Some(number + 1), None),
        _ => return None,
    })
}

fn number(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(n)), _) => usize::try_from(*n).ok(),
        Expr::Literal(ScalarValue::Int32(Some(n)), _) => usize::try_from(*n).ok(),
        Expr::Literal(ScalarValue::UInt64(Some(n)), _) => usize::try_from(*n).ok(),
        _ => None,
    }
}

/// What a Top-N keeps: so many rows in an order.
fn kept<E: std::fmt::Display>(spec: &TopNSpec, order: &[E]) -> String {
    let order: Vec<String> = order.iter().map(ToString::to_string).collect();
    format!(
        "{}..={} updated {} of {} in {}",
        spec.from,
        spec.to,
        spec.updates,
        columns_of(&spec.input),
        order.join(", ")
    )
}

//! Window table functions: left for the next aggregate, or assigned where something else reads
//! the window's columns.

use std::sync::Arc;

use datafusion_common::{DFSchema, DFSchemaRef};
use datafusion_expr::Expr;
use thalweg_core::graph::Partitioning;

use super::{Factory, PhysicalPlanner, arrow_schema, nested, projected_schema};
use crate::error::{SqlError, SqlResult};
use crate::exec::window_assign::WindowAssign;
use crate::exec::window_spec::WindowSpec;
use crate::plan::logical::plan_error;
use crate::plan::nodes::WindowNode;
use crate::plan::stream::{ColumnTrait, PendingWindow, Stream, WindowBound, WindowRole};

impl PhysicalPlanner<'_> {
    pub(super) fn plan_window(&mut self, window: &WindowNode) -> SqlResult<Stream> {
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
        let edge = [(stream.node, Partitioning::Unspecified)];
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
        let shown =
            |at: &usize| !(pending.bounds_at - pending.hidden..pending.bounds_at).contains(at);
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

    /// Projects what is there and keeps the window columns for the aggregate to come.
    pub(super) fn project_pending(
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
}

/// Gives a stream's columns other names; a hidden column keeps its own.
pub(super) fn rename(mut stream: Stream, schema: &DFSchemaRef) -> SqlResult<Stream> {
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
    let kept: Vec<_> = stream
        .schema
        .iter()
        .skip(hidden.start)
        .take(hidden.len())
        .map(own)
        .collect();
    fields.splice(hidden.start..hidden.start, kept);
    stream.schema =
        Arc::new(DFSchema::new_with_metadata(fields, Default::default()).map_err(plan_error)?);
    Ok(stream)
}

/// Where a projection keeps the columns of a window that waits: behind all others.
pub(super) struct PassedWindow {
    bounds_at: usize,
}

pub(super) fn pass_window(
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

//! Joins: regular, window, and batch.

use std::sync::Arc;

use datafusion_common::{DFSchema, DFSchemaRef, JoinType, NullEquality};
use datafusion_expr::logical_plan::{Join, Projection};
use datafusion_expr::{Expr, ExprSchemable};
use thalweg_core::config::RuntimeMode;
use thalweg_core::graph::Partitioning;

use super::{Factory, PhysicalPlanner, arrow_schema, columns_of, nested};
use crate::error::{SqlError, SqlResult};
use crate::exec::batch_join::BatchJoin;
use crate::exec::expr::Expression;
use crate::exec::hash_join::{JoinKind, JoinSpec, hash_join};
use crate::exec::join_pairs::PairCondition;
use crate::exec::regular_join::RegularJoin;
use crate::exec::window_buffer::{WindowBuffer, WindowInput, WindowWork};
use crate::plan::logical::plan_error;
use crate::plan::stream::{ColumnTrait, Stream, WindowRole, position};

impl PhysicalPlanner<'_> {
    /// A join, with the projection of its columns above it if there is one.
    pub(super) fn plan_join(
        &mut self,
        join: &Join,
        projection: Option<&Projection>,
    ) -> SqlResult<Stream> {
        if matches!(join.join_type, JoinType::RightSemi | JoinType::RightAnti) {
            let swapped = swap(join);
            return self.plan_join(&swapped, projection);
        }
        let kind = join_kind(join)?;
        let left = self.plan_rows(&join.left)?;
        let right = self.plan_rows(&join.right)?;
        let (left_keys, right_keys) = coerced_keys(join, &left, &right)?;
        let left_width = left.traits.len();
        let (left, left_at) = self.with_columns(left, &left_keys)?;
        let (right, right_at) = self.with_columns_named(right, &right_keys, "_r")?;
        let (schema, columns) = match projection {
            Some(projection) => {
                let columns = projection.expr.iter();
                let columns = columns.map(|e| position(&join.schema, e));
                (projection.schema.clone(), columns.collect())
            }
            None => {
                let columns = 0..join.schema.fields().len();
                (join.schema.clone(), Some(columns.collect::<Vec<usize>>()))
            }
        };
        // Key columns that were computed for the join stand behind the columns of their own side.
        let helpers = left.traits.len() - left_width;
        let moved = |at| if at < left_width { at } else { at + helpers };
        let wanted: Vec<usize> = columns
            .ok_or_else(|| SqlError::internal("a join computes no columns"))?
            .into_iter()
            .map(moved)
            .collect();
        let mut spec = self.join_spec(join, kind, &left, &right, (&left_at, &right_at))?;
        spec.wanted = wanted;
        spec.output = arrow_schema(&nullable(&schema)?);
        if window_ends(&left, &right, &left_at, &right_at).is_some() {
            self.window_join(spec, schema, left, right, &left_at, &right_at)
        } else {
            self.table_join(spec, schema, left, right, left_at, right_at)
        }
    }

    /// Whether a projection only picks columns, so that a join below it can do it.
    pub(super) fn picks_columns(projection: &Projection) -> bool {
        let schema = projection.input.schema();
        let mut columns = projection.expr.iter();
        columns.all(|e| position(schema, e).is_some())
    }

    fn join_spec(
        &self,
        join: &Join,
        kind: JoinKind,
        left: &Stream,
        right: &Stream,
        at: (&[usize], &[usize]),
    ) -> SqlResult<JoinSpec> {
        let pairs = left.schema.join(&right.schema).map_err(plan_error)?;
        let pairs = nullable(&pairs)?;
        let condition = match &join.filter {
            Some(filter) => {
                let compiled = self.compile(filter, &pairs)?;
                Some(PairCondition::new(compiled, &arrow_schema(&pairs)).map_err(plan_error)?)
            }
            None => None,
        };
        Ok(JoinSpec {
            kind,
            left_keys: at.0.to_vec(),
            right_keys: at.1.to_vec(),
            key_types: at
                .0
                .iter()
                .map(|at| left.schema.field(*at).data_type().clone())
                .collect(),
            condition,
            left: arrow_schema(&left.schema),
            right: arrow_schema(&right.schema),
            wanted: Vec::new(),
            output: arrow_schema(&pairs),
            broadcast: None,
            ttl: self.settings.state_ttl,
        })
    }

    fn table_join(
        &mut self,
        mut spec: JoinSpec,
        schema: DFSchemaRef,
        left: Stream,
        right: Stream,
        left_at: Vec<usize>,
        right_at: Vec<usize>,
    ) -> SqlResult<Stream> {
        let kind = spec.kind;
        let batch = self.settings.mode == RuntimeMode::Batch && kind != JoinKind::Inner;
        spec.broadcast = broadcast_side(kind, &left, &right).filter(|_| !batch);
        let broadcast = spec.broadcast;
        let keeps = kept(&spec, &left, &right);
        let spec = Arc::new(spec);
        let (name, factory): (_, Factory) = if batch {
            (
                "BatchJoin",
                Arc::new(move |s| Ok(Box::new(BatchJoin::new(spec.clone(), s)))),
            )
        } else {
            (
                "Join",
                Arc::new(move |s| Ok(Box::new(RegularJoin::new(spec.clone(), s)))),
            )
        };
        let (left_edge, right_edge, parallelism) = match broadcast {
            Some(0) => (Partitioning::Broadcast, Partitioning::Unspecified, None),
            Some(_) => (Partitioning::Unspecified, Partitioning::Broadcast, None),
            None => {
                let (left_edge, parallelism) = self.keyed(left_at);
                (left_edge, self.keyed(right_at).0, parallelism)
            }
        };
        let edges = [(left.node, left_edge), (right.node, right_edge)];
        let node = self.add_operator(name, factory, &edges, parallelism);
        self.keeps(node, keeps);
        let updating = (left.updating || right.updating || kind != JoinKind::Inner) && !batch;
        let line = join_line(name, kind, &schema);
        Ok(Stream {
            node,
            // A regular join keeps no time attribute: rows come out in any order of time.
            traits: vec![ColumnTrait::default(); schema.fields().len()],
            schema,
            updating,
            parallelism,
            single: false,
            pending: None,
            text: nested(line, &[&left.text, &right.text]),
        })
    }

    fn window_join(
        &mut self,
        spec: JoinSpec,
        schema: DFSchemaRef,
        left: Stream,
        right: Stream,
        left_at: &[usize],
        right_at: &[usize],
    ) -> SqlResult<Stream> {
        let (left_end, right_end) = window_ends(&left, &right, left_at, right_at)
            .ok_or_else(|| SqlError::internal("no window in a window join"))?;
        if left.updating || right.updating {
            return Err(SqlError::unsupported(
                "a window join over an updating input",
            ));
        }
        let column = |stream: &Stream, at: usize| -> Expression {
            let name = stream.schema.field(at).name().clone();
            Arc::new(datafusion_physical_expr::expressions::Column::new(
                &name, at,
            ))
        };
        let kind = spec.kind;
        let inputs = vec![
            WindowInput {
                end: column(&left, left_end),
                keys: left_at.iter().map(|at| column(&left, *at)).collect(),
                schema: spec.left.clone(),
            },
            WindowInput {
                end: column(&right, right_end),
                keys: right_at.iter().map(|at| column(&right, *at)).collect(),
                schema: spec.right.clone(),
            },
        ];
        let keeps = kept(&spec, &left, &right);
        let wanted = spec.wanted.clone();
        let work: WindowWork = Arc::new(move |sides| match sides {
            [left, right] => hash_join(&spec, left, right),
            _ => Err(thalweg_core::Error::internal("a window join has two sides")),
        });
        let factory: Factory = Arc::new(move |setup| {
            Ok(Box::new(WindowBuffer::new(
                inputs.clone(),
                work.clone(),
                setup,
            )))
        });
        let (left_edge, parallelism) = self.keyed(left_at.to_vec());
        let (right_edge, _) = self.keyed(right_at.to_vec());
        let edges = [(left.node, left_edge), (right.node, right_edge)];
        let node = self.add_operator("WindowJoin", factory, &edges, parallelism);
        self.keeps(node, keeps);
        let line = join_line("WindowJoin", kind, &schema);
        let traits: Vec<&ColumnTrait> = left.traits.iter().chain(&right.traits).collect();
        Ok(Stream {
            node,
            schema,
            traits: wanted.iter().map(|at| traits[*at].clone()).collect(),
            updating: false,
            parallelism,
            single: false,
            pending: None,
            text: nested(line, &[&left.text, &right.text]),
        })
    }
}

/// The side of a join that is better sent to every instance: a single row, where the other side
/// are insertions, which may be anywhere.
fn broadcast_side(kind: JoinKind, left: &Stream, right: &Stream) -> Option<usize> {
    let spread = |stream: &Stream| !stream.updating && stream.parallelism.is_none();
    if right.single && spread(left) && !kind.pads_right() {
        return Some(1);
    }
    let left_may = !kind.pads_left() && !kind.left_only();
    (left.single && spread(right) && left_may).then_some(0)
}

fn join_line(name: &str, kind: JoinKind, schema: &DFSchema) -> String {
    let columns: Vec<String> = schema.columns().iter().map(ToString::to_string).collect();
    format!("{name}[{kind:?}, select={}]", columns.join(", "))
}

/// The schema of pairs: any column may be padded with NULL.
fn nullable(schema: &DFSchema) -> SqlResult<DFSchema> {
    let fields = schema
        .iter()
        .map(|(qualifier, field)| {
            (
                qualifier.cloned(),
                Arc::new(field.as_ref().clone().with_nullable(true)),
            )
        })
        .collect();
    DFSchema::new_with_metadata(fields, Default::default()).map_err(plan_error)
}

fn join_kind(join: &Join) -> SqlResult<JoinKind> {
    if join.null_aware {
        return Err(SqlError::unsupported(
            "NOT IN over a sub-query with nullable columns",
        ));
    }
    if join.null_equality == NullEquality::NullEqualsNull {
        return Err(SqlError::unsupported(
            "INTERSECT, EXCEPT and IS NOT DISTINCT FROM joins",
        ));
    }
    Ok(match join.join_type {
        JoinType::Inner => JoinKind::Inner,
        JoinType::Left => JoinKind::Left,
        JoinType::Right => JoinKind::Right,
        JoinType::Full => JoinKind::Full,
        JoinType::LeftSemi => JoinKind::Semi,
        JoinType::LeftAnti => JoinKind::Anti,
        other => return Err(SqlError::unsupported(format!("`{other}` joins"))),
    })
}

fn swap(join: &Join) -> Join {
    let mut swapped = join.clone();
    swapped.left = join.right.clone();
    swapped.right = join.left.clone();
    swapped.on = join
        .on
        .iter()
        .map(|(l, r)| (r.clone(), l.clone()))
        .collect();
    swapped.join_type = match join.join_type {
        JoinType::RightSemi => JoinType::LeftSemi,
        JoinType::RightAnti => JoinType::LeftAnti,
        other => other,
    };
    swapped
}

/// The equated expressions with equal types on both sides.
fn coerced_keys(join: &Join, left: &Stream, right: &Stream) -> SqlResult<(Vec<Expr>, Vec<Expr>)> {
    let (mut left_keys, mut right_keys) = (Vec::new(), Vec::new());
    for (l, r) in &join.on {
        let (lt, rt) = (
            l.get_type(&left.schema).map_err(plan_error)?,
            r.get_type(&right.schema).map_err(plan_error)?,
        );
        if lt == rt {
            left_keys.push(l.clone());
            right_keys.push(r.clone());
            continue;
        }
        let common = datafusion_expr::type_coercion::binary::comparison_coercion(&lt, &rt)
            .ok_or_else(|| SqlError::type_mismatch(format!("cannot compare `{l}` and `{r}`")))?;
        left_keys.push(
            l.clone()
                .cast_to(&common, &left.schema)
                .map_err(plan_error)?,
        );
        right_keys.push(
            r.clone()
                .cast_to(&common, &right.schema)
                .map_err(plan_error)?,
        );
    }
    Ok((left_keys, right_keys))
}

/// The window-end columns of both sides, if start and end of one kind of window are equated.
fn window_ends(
    left: &Stream,
    right: &Stream,
    left_at: &[usize],
    right_at: &[usize],
) -> Option<(usize, usize)> {
    let equated = |role: WindowRole| {
        left_at.iter().zip(right_at).find_map(|(l, r)| {
            let (lw, rw) = (
                left.traits[*l].window.as_ref()?,
                right.traits[*r].window.as_ref()?,
            );
            let same = lw.role == role && rw.role == role && lw.window.size() == rw.window.size();
            same.then_some((*l, *r))
        })
    };
    equated(WindowRole::Start)?;
    equated(WindowRole::End)
}

/// What a join keeps: rows of both sides under their keys.
fn kept(spec: &JoinSpec, left: &Stream, right: &Stream) -> String {
    format!(
        "{:?}: {} by {:?} updated {}, {} by {:?} updated {}",
        spec.kind,
        columns_of(&spec.left),
        spec.left_keys,
        left.updating,
        columns_of(&spec.right),
        spec.right_keys,
        right.updating
    )
}

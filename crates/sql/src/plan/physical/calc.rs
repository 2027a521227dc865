//! Filters and projections.
//!
//! A filter and the projection above it become one operator, in three steps: read the *leaves*
//! (columns, and fields of rows, which cost nothing to read), filter the leaves that the
//! projection needs, compute its columns from them. So a filter never copies a whole row of which
//! one field is wanted.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DFSchemaRef};
use datafusion_expr::{Expr, LogicalPlan};
use thalweg_core::graph::Partitioning;

use super::window::pass_window;
use super::{Factory, PhysicalPlanner, arrow_schema, arrow_schema_of, nested, projected_schema};
use crate::error::SqlResult;
use crate::exec::calc::{Calc, Leaves};
use crate::exec::expr::Expression;
use crate::plan::leaf::leaf;
use crate::plan::logical::plan_error;
use crate::plan::stream::{ColumnTrait, Stream};

impl PhysicalPlanner<'_> {
    pub(super) fn plan_filter(
        &mut self,
        input: &LogicalPlan,
        predicate: &Expr,
    ) -> SqlResult<Stream> {
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
        let pending_columns = stream.pending.as_ref().map(|pending| pending.bounds_at);
        let calc = Calc {
            leaves: None,
            condition: Some(self.compile(predicate, &stream.schema)?),
            projection: None,
            schema: arrow_schema_of(&stream.schema, pending_columns),
        };
        Ok(self.add_calc(stream, calc, format!("Calc[where={predicate}]")))
    }

    pub(super) fn plan_projection(
        &mut self,
        input: &LogicalPlan,
        expressions: &[Expr],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        if let LogicalPlan::Filter(filter) = input
            && !Self::is_top_n(filter)
        {
            let stream = self.plan(&filter.input)?;
            if stream.pending.is_none() {
                return self.calc(stream, Some(&filter.predicate), expressions, schema);
            }
        }
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

    /// Computes columns.
    pub(super) fn project(
        &mut self,
        stream: Stream,
        expressions: &[Expr],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        self.calc(stream, None, expressions, schema)
    }

    fn calc(
        &mut self,
        stream: Stream,
        condition: Option<&Expr>,
        expressions: &[Expr],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        let mut collected = Collected::default();
        let projected: SqlResult<Vec<Expr>> = expressions
            .iter()
            .map(|e| collected.replace(e, &stream.schema))
            .collect();
        let projected = projected?;
        let wanted = collected.leaves.len();
        let filter = condition
            .map(|c| collected.replace(c, &stream.schema))
            .transpose()?;
        let leaf_schema = projected_schema(&collected.named(), &stream.schema)?;
        let leaves: SqlResult<Vec<Expression>> = collected
            .leaves
            .iter()
            .map(|leaf| self.compile(leaf, &stream.schema))
            .collect();
        let compiled: SqlResult<Vec<Expression>> = projected
            .iter()
            .map(|e| self.compile(e, &leaf_schema))
            .collect();
        let calc = Calc {
            leaves: Some(Leaves {
                expressions: leaves?,
                schema: arrow_schema(&leaf_schema),
                wanted,
            }),
            condition: filter.map(|f| self.compile(&f, &leaf_schema)).transpose()?,
            projection: Some(compiled?),
            schema: arrow_schema(schema),
        };
        let traits: Vec<ColumnTrait> = expressions
            .iter()
            .map(|e| {
                stream
                    .position(e)
                    .map_or(ColumnTrait::default(), |c| stream.traits[c].clone())
            })
            .collect();
        let list: Vec<String> = expressions.iter().map(ToString::to_string).collect();
        let filter = condition.map_or(String::new(), |c| format!(", where={c}"));
        let line = format!("Calc[select={}{filter}]", list.join(", "));
        let mut projected = self.add_calc(stream, calc, line);
        projected.schema = schema.clone();
        projected.traits = traits;
        Ok(projected)
    }

    fn add_calc(&mut self, mut stream: Stream, calc: Calc, line: String) -> Stream {
        let factory: Factory = Arc::new(move |_| Ok(Box::new(calc.clone())));
        let edge = [(&stream, Partitioning::Unspecified)];
        stream.node = self.add_operator("Calc", factory, &edge, stream.parallelism);
        stream.text = nested(line, &[&stream.text]);
        stream
    }
}

/// The leaves of some expressions, each once.
#[derive(Default)]
struct Collected {
    leaves: Vec<Expr>,
}

impl Collected {
    /// The expression over the leaves, which are named `_l0`, `_l1`, ….
    fn replace(&mut self, expression: &Expr, schema: &DFSchema) -> SqlResult<Expr> {
        let replaced = expression.clone().transform_down(|e| {
            if leaf(&e, schema).is_none() {
                return Ok(Transformed::no(e));
            }
            let at = self
                .leaves
                .iter()
                .position(|known| *known == e)
                .unwrap_or_else(|| {
                    self.leaves.push(e);
                    self.leaves.len() - 1
                });
            let leaf = Expr::Column(datafusion_common::Column::new_unqualified(format!(
                "_l{at}"
            )));
            Ok(Transformed::new(leaf, true, TreeNodeRecursion::Jump))
        });
        Ok(replaced.map_err(plan_error)?.data)
    }

    fn named(&self) -> Vec<Expr> {
        let leaves = self.leaves.iter().enumerate();
        leaves
            .map(|(at, leaf)| leaf.clone().alias(format!("_l{at}")))
            .collect()
    }
}

//! Filters and projections.
//!
//! A filter and the projection above it become one operator.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DFSchemaRef};
use datafusion_expr::{Expr, LogicalPlan};
use thalweg_core::graph::Partitioning;

use super::window::pass_window;
use super::{Factory, PhysicalPlanner, arrow_schema, arrow_schema_of, nested, projected_schema};
use crate::error::{SqlError, SqlResult};
use crate::exec::calc::{Calc, Computation, Leaf, OutputColumn};
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
        // Columns of a pending window are not there yet.
        let columns = stream.pending.as_ref().map(|pending| pending.bounds_at);
        let mut calc = Calc::pass(arrow_schema_of(&stream.schema, columns));
        let mut leaves = Collected::new(&stream.schema, std::mem::take(&mut calc.leaves));
        calc.condition = Some(self.computation(std::slice::from_ref(predicate), &mut leaves)?);
        calc.leaves = leaves.leaves;
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
        let mut leaves = Collected::new(&stream.schema, Vec::new());
        let mut columns = Vec::new();
        let mut computed = Vec::new();
        for expression in expressions {
            let known = leaves.position(expression)?;
            columns.push(known.map_or(OutputColumn::Computed(computed.len()), OutputColumn::Leaf));
            if known.is_none() {
                computed.push(expression.clone());
            }
        }
        let computed = self.computation(&computed, &mut leaves)?;
        let filtered = condition
            .map(|condition| self.computation(std::slice::from_ref(condition), &mut leaves))
            .transpose()?;
        let calc = Calc {
            leaves: leaves.leaves,
            condition: filtered,
            computed,
            columns,
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
        let edge = [(stream.node, Partitioning::Unspecified)];
        stream.node = self.add_operator("Calc", factory, &edge, stream.parallelism);
        // It has no state: one more or one less must not change whose state is whose behind it.
        self.graph.nodes[stream.node.0].transparent = true;
        stream.text = nested(line, &[&stream.text]);
        stream
    }

    /// Compiles expressions over the leaves that they read.
    fn computation(
        &self,
        expressions: &[Expr],
        collected: &mut Collected<'_>,
    ) -> SqlResult<Computation> {
        let mut read: Vec<(usize, Expr)> = Vec::new();
        let mut replaced = Vec::new();
        for expression in expressions {
            replaced.push(collected.replace(expression, &mut read)?);
        }
        let named: Vec<Expr> = read
            .iter()
            .map(|(at, leaf)| leaf.clone().alias(leaf_name(*at)))
            .collect();
        let schema = projected_schema(&named, collected.schema)?;
        let compiled: SqlResult<Vec<Expression>> = replaced
            .iter()
            .map(|expression| self.compile(expression, &schema))
            .collect();
        Ok(Computation {
            leaves: read.into_iter().map(|(at, _)| at).collect(),
            schema: arrow_schema(&schema),
            expressions: compiled?,
        })
    }
}

fn leaf_name(position: usize) -> String {
    format!("_l{position}")
}

/// The leaves of some expressions, each once.
struct Collected<'a> {
    schema: &'a DFSchema,
    leaves: Vec<Leaf>,
}

impl<'a> Collected<'a> {
    fn new(schema: &'a DFSchema, leaves: Vec<Leaf>) -> Self {
        Collected { schema, leaves }
    }

    /// The position of a leaf that an expression is nothing but.
    fn position(&mut self, expression: &Expr) -> SqlResult<Option<usize>> {
        if let Expr::Alias(alias) = expression {
            return self.position(&alias.expr);
        }
        let Some((column, names)) = leaf(expression, self.schema) else {
            return Ok(None);
        };
        let mut path = Vec::new();
        let mut data_type = self.schema.field(column).data_type();
        for name in names {
            let DataType::Struct(fields) = data_type else {
                // A field of something else, such as an element of a map, is computed.
                return Ok(None);
            };
            let (at, field) = fields
                .find(&name)
                .ok_or_else(|| SqlError::unknown(format!("the row has no field `{name}`")))?;
            path.push(at);
            data_type = field.data_type();
        }
        let wanted = Leaf { column, path };
        let known = self.leaves.iter().position(|leaf| *leaf == wanted);
        Ok(Some(known.unwrap_or_else(|| {
            self.leaves.push(wanted);
            self.leaves.len() - 1
        })))
    }

    /// The expression over leaves, which are added to those `read` and named by position.
    fn replace(&mut self, expression: &Expr, read: &mut Vec<(usize, Expr)>) -> SqlResult<Expr> {
        let mut failed = None;
        let replaced = expression.clone().transform_down(|part| {
            let found = match self.position_unaliased(&part) {
                Ok(found) => found,
                Err(error) => {
                    failed = Some(error);
                    return Ok(Transformed::new(part, false, TreeNodeRecursion::Stop));
                }
            };
            let Some(at) = found else {
                return Ok(Transformed::no(part));
            };
            if !read.iter().any(|(known, _)| *known == at) {
                read.push((at, part));
            }
            let name = datafusion_common::Column::new_unqualified(leaf_name(at));
            let named = Expr::Column(name);
            Ok(Transformed::new(named, true, TreeNodeRecursion::Jump))
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(replaced.map_err(plan_error)?.data),
        }
    }

    // An alias inside an expression stays.
    fn position_unaliased(&mut self, expression: &Expr) -> SqlResult<Option<usize>> {
        match expression {
            Expr::Alias(_) => Ok(None),
            other => self.position(other),
        }
    }
}

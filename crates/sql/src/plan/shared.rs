//! What a condition and the projection above it both compute.
//!
//! A function that the condition calls for every row anyway need not be called again for the rows
//! that are left.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator};

use super::leaf::leaf;
use super::nodes::WindowNode;

// Functions that are cheap and never fail: computing them for a row too many does no harm.
const HARMLESS: [&str; 2] = ["lower", "upper"];

/// Computes below each filter what it shares with the projection above it.
///
/// # Errors
/// If the plan cannot be rebuilt.
pub fn share_calls(plan: LogicalPlan) -> Result<LogicalPlan> {
    let shared = plan.transform_up(|node| {
        let LogicalPlan::Projection(projection) = &node else {
            return Ok(Transformed::no(node));
        };
        let Some(filter) = filter_below(&projection.input) else {
            return Ok(Transformed::no(node));
        };
        let input = filter.input.as_ref();
        let (above, below) = (projection.input.schema(), input.schema());
        let predicate = renamed(&filter.predicate, below, below)?;
        let expressions = projection.expr.iter();
        let expressions: Result<Vec<Expr>> = expressions
            .map(|expression| renamed(expression, above, below))
            .collect();
        let expressions = expressions?;
        let common = between(&predicate, &expressions, below);
        if common.is_empty() {
            return Ok(Transformed::no(node));
        }
        let known = input.schema().columns().into_iter().map(Expr::Column);
        let added = common.iter().enumerate();
        let added = added.map(|(at, call)| call.clone().alias(name(at)));
        // A column keeps its name, although it is written in another way.
        let named = expressions.iter().zip(&projection.expr);
        let named = named.zip(projection.schema.iter());
        let outputs: Result<Vec<Expr>> = named
            .map(|((expression, original), (qualifier, field))| {
                let replaced = replace(expression, &common)?;
                Ok(match replaced {
                    Expr::Alias(_) | Expr::Column(_) if replaced == *original => replaced,
                    other => other
                        .unalias()
                        .alias_qualified(qualifier.cloned(), field.name()),
                })
            })
            .collect();
        let rebuilt = LogicalPlanBuilder::from(input.clone())
            .project(known.chain(added).collect::<Vec<Expr>>())?
            .filter(replace(&predicate, &common)?)?
            .project(outputs?)?
            .build()?;
        Ok(Transformed::yes(rebuilt))
    })?;
    Ok(shared.data)
}

/// The filter whose rows a plan passes on under other names at most, as the names of views do.
fn filter_below(mut plan: &LogicalPlan) -> Option<&Filter> {
    loop {
        match plan {
            LogicalPlan::SubqueryAlias(alias) => plan = alias.input.as_ref(),
            LogicalPlan::Filter(filter) => return (!is_windowed(&filter.input)).then_some(filter),
            _ => return None,
        }
    }
}

/// Whether rows come with a window or a rank, which a filter right above it may become a part of.
fn is_windowed(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => is_windowed(&alias.input),
        LogicalPlan::Projection(projection) => is_windowed(&projection.input),
        LogicalPlan::Window(_) => true,
        LogicalPlan::Extension(extension) => extension.node.as_any().is::<WindowNode>(),
        _ => false,
    }
}

/// An expression over one schema, over another with the same columns under other names.
fn renamed(expression: &Expr, from: &DFSchema, to: &DFSchema) -> Result<Expr> {
    let renamed = expression.clone().transform(|part| {
        let Expr::Column(column) = &part else {
            return Ok(Transformed::no(part));
        };
        let (qualifier, field) = to.qualified_field(from.index_of_column(column)?);
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        Ok(Transformed::yes(column))
    });
    Ok(renamed?.data)
}

/// The name of the column for the shared call at a position.
fn name(position: usize) -> String {
    format!("_shared{position}")
}

/// Function calls that the condition makes for every row and that are in the projection too.
fn between(condition: &Expr, projection: &[Expr], schema: &DFSchema) -> Vec<Expr> {
    let mut called = Vec::new();
    collect(condition, schema, true, &mut called);
    called.retain(|call| {
        projection
            .iter()
            .any(|expression| contains(expression, call))
    });
    called
}

/// Calls outside of what a condition may skip: the right side of `AND` and `OR`, and branches.
fn collect(condition: &Expr, schema: &DFSchema, always: bool, calls: &mut Vec<Expr>) {
    match condition {
        Expr::ScalarFunction(call) if leaf(condition, schema).is_none() => {
            let wanted = always || HARMLESS.contains(&call.name());
            let repeatable = !condition.is_volatile() && !call.args.is_empty();
            if wanted && repeatable && !calls.contains(condition) {
                calls.push(condition.clone());
            }
        }
        Expr::BinaryExpr(binary) => {
            collect(&binary.left, schema, always, calls);
            let skips = matches!(binary.op, Operator::And | Operator::Or);
            collect(&binary.right, schema, always && !skips, calls);
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::Not(inner) => {
            collect(inner, schema, always, calls);
        }
        Expr::InList(list) => collect(&list.expr, schema, always, calls),
        _ => {}
    }
}

fn contains(expression: &Expr, call: &Expr) -> bool {
    // The closure never fails.
    expression.exists(|part| Ok(part == call)).unwrap_or(false)
}

/// The expression with columns in place of the shared ones.
fn replace(expression: &Expr, common: &[Expr]) -> Result<Expr> {
    let replaced = expression.clone().transform_down(|part| {
        let Some(at) = common.iter().position(|shared| *shared == part) else {
            return Ok(Transformed::no(part));
        };
        let column = Expr::Column(Column::new_unqualified(name(at)));
        Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
    });
    Ok(replaced?.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::Functions;
    use arrow_schema::{DataType, Field, Schema};
    use datafusion_expr::{Window, col, lit};
    use std::sync::Arc;

    fn call(name: &str, argument: Expr) -> Expr {
        let function = Functions::default().scalar(name).unwrap();
        function.call(vec![argument])
    }

    fn reverse(argument: Expr) -> Expr {
        call("reverse", argument)
    }

    fn schema() -> DFSchema {
        let field = |name| Field::new(name, DataType::Utf8View, true);
        DFSchema::try_from(Schema::new(vec![field("a"), field("b")])).unwrap()
    }

    #[test]
    fn a_call_that_the_condition_always_makes_is_shared() {
        let condition = reverse(col("a"))
            .is_not_null()
            .or(reverse(col("b")).is_null());
        let projection = [reverse(col("b")), reverse(col("a")).eq(lit("X")), col("a")];
        let common = between(&condition, &projection, &schema());
        // The right side of OR may be skipped.
        assert_eq!(common, [reverse(col("a"))]);
        let replaced = replace(&projection[1], &common).unwrap();
        assert_eq!(replaced, col("_shared0").eq(lit("X")));
    }

    #[test]
    fn a_call_that_cannot_fail_is_shared_wherever_it_is() {
        let condition = col("b").is_null().or(call("lower", col("a")).eq(lit("x")));
        let projection = [call("lower", col("a"))];
        assert_eq!(between(&condition, &projection, &schema()), projection);
    }

    #[test]
    fn a_call_is_shared_through_the_name_of_a_view() {
        let rows = LogicalPlanBuilder::values(vec![vec![lit("x"), lit("y")]]).unwrap();
        let plan = rows
            .filter(reverse(col("column1")).is_not_null())
            .and_then(|plan| plan.alias("inner"))
            .and_then(|plan| plan.alias("v"))
            .and_then(|plan| plan.project([reverse(col("v.column1")), col("v.column2")]))
            .and_then(LogicalPlanBuilder::build)
            .unwrap();
        let shared = share_calls(plan.clone()).unwrap();
        assert_eq!(shared.schema(), plan.schema());
        let text = shared.display_indent().to_string();
        assert_eq!(
            text.matches("reverse(column1) AS _shared0").count(),
            1,
            "{text}"
        );
        assert!(text.contains("Filter: _shared0 IS NOT NULL"), "{text}");
    }

    #[test]
    fn nothing_comes_between_a_rank_and_its_filter() {
        let rows = LogicalPlanBuilder::values(vec![vec![lit("x")]]).unwrap();
        let rows = rows.build().unwrap();
        let ranked = LogicalPlan::Window(Window::try_new(Vec::new(), Arc::new(rows)).unwrap());
        let plan = LogicalPlanBuilder::from(ranked)
            .filter(reverse(col("column1")).is_not_null())
            .and_then(|plan| plan.project([reverse(col("column1"))]))
            .and_then(LogicalPlanBuilder::build)
            .unwrap();
        assert_eq!(share_calls(plan.clone()).unwrap(), plan);
    }

    #[test]
    fn a_call_in_the_condition_alone_is_not_computed_first() {
        let condition = reverse(col("a")).eq(lit("X"));
        assert!(between(&condition, &[col("a")], &schema()).is_empty());
    }
}

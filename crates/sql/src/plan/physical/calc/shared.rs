//! What a condition and the projection above it both compute.
//!
//! A function that the condition calls for every row anyway need not be called again for the rows
//! that are left.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::{Expr, Operator};

use crate::error::SqlResult;
use crate::plan::leaf::leaf;
use crate::plan::logical::plan_error;

/// The name of the column for the shared expression at a position.
pub fn name(position: usize) -> String {
    format!("_shared{position}")
}

/// Function calls that the condition makes for every row and that are in the projection too.
pub fn between(condition: &Expr, projection: &[Expr], schema: &DFSchema) -> Vec<Expr> {
    let mut called = Vec::new();
    collect(condition, schema, &mut called);
    called.retain(|call| {
        projection
            .iter()
            .any(|expression| contains(expression, call))
    });
    called
}

/// Calls outside of what a condition may skip: the right side of `AND` and `OR`, and branches.
fn collect(condition: &Expr, schema: &DFSchema, calls: &mut Vec<Expr>) {
    match condition {
        Expr::ScalarFunction(call) if leaf(condition, schema).is_none() => {
            let repeatable = !condition.is_volatile();
            if repeatable && !call.args.is_empty() && !calls.contains(condition) {
                calls.push(condition.clone());
            }
        }
        Expr::BinaryExpr(binary) => {
            collect(&binary.left, schema, calls);
            if !matches!(binary.op, Operator::And | Operator::Or) {
                collect(&binary.right, schema, calls);
            }
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::Not(inner) => {
            collect(inner, schema, calls);
        }
        Expr::InList(list) => collect(&list.expr, schema, calls),
        _ => {}
    }
}

fn contains(expression: &Expr, call: &Expr) -> bool {
    // The closure never fails.
    expression.exists(|part| Ok(part == call)).unwrap_or(false)
}

/// The expression with columns in place of the shared ones.
pub fn replace(expression: &Expr, common: &[Expr]) -> SqlResult<Expr> {
    let replaced = expression.clone().transform_down(|part| {
        let Some(at) = common.iter().position(|shared| *shared == part) else {
            return Ok(Transformed::no(part));
        };
        let column = Expr::Column(Column::new_unqualified(name(at)));
        Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
    });
    Ok(replaced.map_err(plan_error)?.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field, Schema};
    use datafusion_expr::{col, lit};

    fn upper(argument: Expr) -> Expr {
        datafusion_functions::string::upper().call(vec![argument])
    }

    fn schema() -> DFSchema {
        let field = |name| Field::new(name, DataType::Utf8View, true);
        DFSchema::try_from(Schema::new(vec![field("a"), field("b")])).unwrap()
    }

    #[test]
    fn a_call_that_the_condition_always_makes_is_shared() {
        let condition = upper(col("a")).is_not_null().or(upper(col("b")).is_null());
        let projection = [upper(col("b")), upper(col("a")).eq(lit("X")), col("a")];
        let common = between(&condition, &projection, &schema());
        // The right side of OR may be skipped.
        assert_eq!(common, [upper(col("a"))]);
        let replaced = replace(&projection[1], &common).unwrap();
        assert_eq!(replaced, col("_shared0").eq(lit("X")));
    }

    #[test]
    fn a_call_in_the_condition_alone_is_not_computed_first() {
        let condition = upper(col("a")).eq(lit("X"));
        assert!(between(&condition, &[col("a")], &schema()).is_empty());
    }
}

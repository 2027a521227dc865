//! Expressions that cost nothing to compute: columns, and fields of rows.

use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;

/// The column and the field names inside it, if the expression is nothing else.
pub fn leaf(expression: &Expr, schema: &DFSchema) -> Option<(usize, Vec<String>)> {
    match expression {
        Expr::Column(column) => Some((schema.maybe_index_of_column(column)?, Vec::new())),
        Expr::ScalarFunction(call) if call.func.name() == "get_field" => {
            let (row, names) = call.args.split_first()?;
            let (column, mut path) = leaf(row, schema)?;
            for name in names {
                path.push(field_name(name)?);
            }
            Some((column, path))
        }
        _ => None,
    }
}

fn field_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(ScalarValue::Utf8(name) | ScalarValue::Utf8View(name), _) => name.clone(),
        _ => None,
    }
}

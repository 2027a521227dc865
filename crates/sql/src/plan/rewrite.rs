//! Rewrites of the tree that DataFusion's planner needs: Flink's spellings to ones it knows.
//!
//! - `TIMESTAMPADD(MINUTE, …)`: the unit becomes text, or it would be read as a column.
//! - `FLOOR(ts TO HOUR)`, `CEIL(ts TO DAY)`: become functions of a unit.
//! - `GROUP BY TUMBLE(ts, i)` and its kin become window table functions.

mod group_window;

use std::ops::ControlFlow;

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Select, SelectItem, Value, VisitMut,
    VisitorMut,
};

use crate::error::{SqlError, SqlResult};

/// Rewrites a query.
///
/// # Errors
/// What a rewrite finds wrong.
pub fn rewrite_query(mut query: Query) -> SqlResult<Query> {
    match query.visit(&mut Rewrite) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Rewrites an expression.
///
/// # Errors
/// What a rewrite finds wrong.
pub fn rewrite_expr(mut expr: Expr) -> SqlResult<Expr> {
    match expr.visit(&mut Rewrite) {
        ControlFlow::Continue(()) => Ok(expr),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        name_columns(select);
        match group_window::rewrite(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        rewrite_units(expr);
        ControlFlow::Continue(())
    }
}

/// A column that is an expression without a name is called `EXPR$n`, counting columns from 0.
fn name_columns(select: &mut Select) {
    for (at, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::UnnamedExpr(expr) = item
            && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
            && !matches!(expr, Expr::CompoundFieldAccess { .. })
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::new(format!("EXPR${at}")),
            };
        }
    }
}

fn rewrite_units(expr: &mut Expr) {
    match expr {
        Expr::Function(function) if takes_unit(function) => {
            if let FunctionArguments::List(list) = &mut function.args
                && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) =
                    list.args.first_mut()
                && let Expr::Identifier(unit) = first
                && unit.quote_style.is_none()
            {
                *first = text(&unit.value);
            }
        }
        Expr::Floor {
            expr: inner,
            field: CeilFloorKind::DateTimeField(field),
        } if *field != DateTimeField::NoDateTime => {
            *expr = call(
                "floor_to",
                vec![(**inner).clone(), text(&field.to_string())],
            );
        }
        Expr::Ceil {
            expr: inner,
            field: CeilFloorKind::DateTimeField(field),
        } if *field != DateTimeField::NoDateTime => {
            *expr = call("ceil_to", vec![(**inner).clone(), text(&field.to_string())]);
        }
        _ => {}
    }
}

fn takes_unit(function: &Function) -> bool {
    let name = function.name.to_string();
    ["TIMESTAMPADD", "TIMESTAMPDIFF"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

pub(super) fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).into())
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args
        .into_iter()
        .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
        .collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

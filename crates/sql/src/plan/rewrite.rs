//! Rewrites of the tree that DataFusion's planner needs: Flink's spellings to ones it knows.
//!
//! - `TIMESTAMPADD(MINUTE, …)`: the unit becomes text, or it would be read as a column.
//! - `FLOOR(ts TO HOUR)`, `CEIL(ts TO DAY)`: become functions of a unit.
//! - `GROUP BY TUMBLE(ts, i)` and its kin become window table functions.
//! - `CROSS JOIN UNNEST(array)` becomes a column of a sub-query.

mod group_window;
mod unnest;

use std::ops::ControlFlow;

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Select, SelectItem,
    TableFactor, Value, VisitMut, VisitorMut,
};

use crate::dialect::select_hints;
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
        match select_hints(select).map(|hints| hints.into_iter().next()) {
            Ok(None) => {}
            Ok(Some(hint)) => {
                // A hint that is not followed must not be dropped without a word.
                return ControlFlow::Break(SqlError::unsupported(format!(
                    "the hint `{}`",
                    hint.name
                )));
            }
            Err(error) => return ControlFlow::Break(error),
        }
        name_columns(select);
        match unnest::rewrite(select).and_then(|()| group_window::rewrite(select)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        rewrite_units(expr);
        ControlFlow::Continue(())
    }
}

/// Gives names to columns that have none: a field of a row is called by the field, any other
/// expression `EXPR$n`, counting columns from 0.
fn name_columns(select: &mut Select) {
    let tables = table_names(select);
    for (at, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        let alias = match &*expr {
            Expr::Identifier(_) => continue,
            Expr::CompoundIdentifier(parts) => {
                let own = parts
                    .first()
                    .is_some_and(|first| tables.contains(&first.value));
                match parts.last() {
                    Some(field) if parts.len() > 2 || !own => field.clone(),
                    _ => continue,
                }
            }
            _ => Ident::new(format!("EXPR${at}")),
        };
        *item = SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias,
        };
    }
}

/// The names by which a `SELECT` can qualify columns.
fn table_names(select: &Select) -> Vec<String> {
    let relations = select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    relations
        .filter_map(|relation| match relation {
            TableFactor::Table {
                alias: Some(alias), ..
            }
            | TableFactor::Derived {
                alias: Some(alias), ..
            }
            | TableFactor::TableFunction {
                alias: Some(alias), ..
            }
            | TableFactor::UNNEST {
                alias: Some(alias), ..
            } => Some(alias.name.value.clone()),
            TableFactor::Table { name, .. } => name
                .0
                .last()
                .and_then(|part| part.as_ident())
                .map(|ident| ident.value.clone()),
            _ => None,
        })
        .collect()
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

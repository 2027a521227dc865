//! `GROUP BY TUMBLE(ts, i)` (and `HOP`, `SESSION`) as a window table function.
//!
//! ```text
//! SELECT k, TUMBLE_START(ts, i), COUNT(*) FROM t GROUP BY k, TUMBLE(ts, i)
//!   becomes
//! SELECT k, window_start, COUNT(*) FROM TABLE(TUMBLE((SELECT * FROM t), DESCRIPTOR(ts), i))
//! GROUP BY k, window_start, window_end
//! ```
//!
//! A `WHERE` stays in the inner query, so that it still sees the tables' own names.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Select,
    SelectItem, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};

use crate::dialect::{parse_query, table_function};
use crate::error::{SqlError, SqlResult};

const KINDS: [&str; 3] = ["TUMBLE", "HOP", "SESSION"];

/// Rewrites a `SELECT` if it groups by a window.
pub(super) fn rewrite(select: &mut Select) -> SqlResult<()> {
    let GroupByExpr::Expressions(items, _) = &mut select.group_by else {
        return Ok(());
    };
    let Some(at) = items.iter().position(|item| group_window(item).is_some()) else {
        return Ok(());
    };
    let window = items[at].clone();
    let Some((kind, args)) = group_window(&window) else {
        return Ok(());
    };
    let args: Vec<Expr> = args.into_iter().cloned().collect();
    let Some((Expr::Identifier(time), measures)) = args.split_first() else {
        return Err(SqlError::unsupported(format!(
            "`{kind}` in GROUP BY over anything but a column"
        )));
    };
    items.remove(at);
    items.push(Expr::Identifier(Ident::new("window_start")));
    items.push(Expr::Identifier(Ident::new("window_end")));
    select.from = vec![window_table(select, kind, time, measures)?];
    select.selection = None;
    let mut replace = ReplaceAuxiliary { kind, error: None };
    for item in &mut select.projection {
        replace_in_item(item, &mut replace);
    }
    if let Some(having) = &mut select.having {
        let _: ControlFlow<()> = having.visit(&mut replace);
    }
    replace.error.map_or(Ok(()), Err)
}

fn group_window(expr: &Expr) -> Option<(&'static str, Vec<&Expr>)> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let name = function.name.to_string();
    let kind = KINDS
        .into_iter()
        .find(|kind| name.eq_ignore_ascii_case(kind))?;
    Some((kind, arguments(function)))
}

fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    list.args
        .iter()
        .filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

fn window_table(
    select: &Select,
    kind: &str,
    time: &Ident,
    measures: &[Expr],
) -> SqlResult<TableWithJoins> {
    let from: Vec<String> = select.from.iter().map(ToString::to_string).collect();
    if select
        .from
        .iter()
        .any(|table| table_function(&table.relation).is_some())
    {
        return Err(SqlError::unsupported(format!(
            "`{kind}` in GROUP BY over a table function"
        )));
    }
    let filter = select
        .selection
        .as_ref()
        .map_or(String::new(), |expr| format!(" WHERE {expr}"));
    let measures: Vec<String> = measures.iter().map(ToString::to_string).collect();
    let text = format!(
        "SELECT * FROM TABLE({kind}((SELECT * FROM {}{filter}), DESCRIPTOR({time}), {}))",
        from.join(", "),
        measures.join(", ")
    );
    let query = parse_query(&text)?;
    let sqlparser::ast::SetExpr::Select(inner) = *query.body else {
        return Err(SqlError::internal("a window table is no SELECT"));
    };
    let mut table = inner
        .from
        .into_iter()
        .next()
        .ok_or_else(|| SqlError::internal("a window table has no FROM"))?;
    keep_alias(&mut table, select);
    Ok(table)
}

/// Columns that the query qualifies by its one table's name keep their qualifier.
fn keep_alias(table: &mut TableWithJoins, select: &Select) {
    let [only] = select.from.as_slice() else {
        return;
    };
    if !only.joins.is_empty() {
        return;
    }
    let TableFactor::Table {
        name, alias: own, ..
    } = &only.relation
    else {
        return;
    };
    let name = own
        .as_ref()
        .map(|alias| alias.name.clone())
        .or_else(|| name.0.last().and_then(|part| part.as_ident()).cloned());
    let Some(name) = name else { return };
    if let TableFactor::TableFunction { alias, .. } = &mut table.relation {
        *alias = Some(sqlparser::ast::TableAlias {
            explicit: true,
            name,
            columns: Vec::new(),
            at: None,
        });
    }
}

struct ReplaceAuxiliary {
    kind: &'static str,
    error: Option<SqlError>,
}

impl VisitorMut for ReplaceAuxiliary {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = &*expr else {
            return ControlFlow::Continue(());
        };
        let name = function.name.to_string().to_ascii_uppercase();
        let Some(part) = name
            .strip_prefix(self.kind)
            .and_then(|rest| rest.strip_prefix('_'))
        else {
            return ControlFlow::Continue(());
        };
        let column = match part {
            "START" => "window_start",
            "END" => "window_end",
            "ROWTIME" => "window_time",
            _ => {
                self.error = Some(SqlError::unsupported(format!("`{name}`")));
                return ControlFlow::Continue(());
            }
        };
        *expr = Expr::Identifier(Ident::new(column));
        ControlFlow::Continue(())
    }
}

fn replace_in_item(item: &mut SelectItem, replace: &mut ReplaceAuxiliary) {
    let expr = match item {
        SelectItem::UnnamedExpr(expr) => expr,
        SelectItem::ExprWithAlias { expr, .. } => expr,
        _ => return,
    };
    let _: ControlFlow<()> = expr.visit(replace);
}

//! `FROM t CROSS JOIN UNNEST(array) AS u (x)` as a column of a sub-query.
//!
//! ```text
//! FROM t CROSS JOIN UNNEST(f(t.a)) AS u (x)   becomes   FROM (SELECT *, UNNEST(f(t.a)) AS x FROM t) AS t
//! ```
//!
//! References to `u.x` then are references to `x`.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, Select, TableAlias, TableFactor, TableWithJoins,
    VisitMut, VisitorMut,
};

use crate::dialect::parse_query;
use crate::error::{SqlError, SqlResult};

/// Rewrites the tables of a `SELECT`.
pub(super) fn rewrite(select: &mut Select) -> SqlResult<()> {
    let mut qualifiers = Vec::new();
    for table in &mut select.from {
        while let Some(at) = table
            .joins
            .iter()
            .position(|join| is_unnest(&join.relation))
        {
            qualifiers.push(pull_in(table, at)?);
        }
    }
    if !qualifiers.is_empty() {
        let _: ControlFlow<()> = select.visit(&mut Unqualify(qualifiers));
    }
    Ok(())
}

fn is_unnest(table: &TableFactor) -> bool {
    matches!(table, TableFactor::UNNEST { .. })
}

/// Moves the join at `at` and everything before it into a sub-query.
fn pull_in(table: &mut TableWithJoins, at: usize) -> SqlResult<Ident> {
    let rest = table.joins.split_off(at + 1);
    let join = table
        .joins
        .pop()
        .ok_or_else(|| SqlError::internal("no join to rewrite"))?;
    let cross = matches!(
        join.join_operator,
        JoinOperator::CrossJoin(_)
            | JoinOperator::Inner(JoinConstraint::None)
            | JoinOperator::Join(JoinConstraint::None)
    );
    let TableFactor::UNNEST {
        alias,
        array_exprs,
        with_ordinality,
        ..
    } = join.relation
    else {
        return Err(SqlError::internal("no UNNEST to rewrite"));
    };
    let ([array], Some(alias), true, false) =
        (array_exprs.as_slice(), alias, cross, with_ordinality)
    else {
        return Err(SqlError::unsupported(
            "UNNEST other than `CROSS JOIN UNNEST(array) AS t (x)`",
        ));
    };
    let column = alias
        .columns
        .first()
        .map_or(&alias.name, |column| &column.name)
        .clone();
    let outer = outer_alias(table);
    let text = format!(
        "SELECT *, UNNEST({array}) AS {} FROM {table}",
        quoted(&column)
    );
    table.relation = TableFactor::Derived {
        lateral: false,
        subquery: parse_query(&text)?,
        alias: outer,
        sample: None,
    };
    table.joins = rest;
    Ok(alias.name)
}

fn quoted(name: &Ident) -> String {
    format!("`{}`", name.value.replace('`', "``"))
}

/// One table keeps its name, so that `t.a` still means its column.
fn outer_alias(table: &TableWithJoins) -> Option<TableAlias> {
    let named = |name: Ident| TableAlias {
        explicit: true,
        name,
        columns: Vec::new(),
        at: None,
    };
    match &table.relation {
        _ if !table.joins.is_empty() => None,
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(named(alias.name.clone())),
        TableFactor::Table { name, .. } => name
            .0
            .last()
            .and_then(|part| part.as_ident())
            .cloned()
            .map(named),
        _ => None,
    }
}

struct Unqualify(Vec<Ident>);

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, column] = parts.as_slice()
            && self.0.iter().any(|known| known.value == table.value)
        {
            *expr = Expr::Identifier(column.clone());
        }
        ControlFlow::Continue(())
    }
}

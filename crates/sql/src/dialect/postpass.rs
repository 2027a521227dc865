//! Turns the wrapped parser's tree into one a planner may trust.
//!
//! A partition list that stands for a hint becomes the table's hints. Whatever the parser
//! accepts but Flink SQL does not have is refused: a clause that nobody reads would silently
//! change the answer.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, FunctionArguments, GroupByExpr, Ident, JoinConstraint,
    JoinOperator, LimitClause, ObjectName, Query, Select, SelectItem, SetExpr, SetQuantifier,
    Spanned, Subscript, TableAlias, TableFactor, TableVersion, TableWithJoins, UnaryOperator,
    Value, ValueWithSpan, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Span;

use super::keywords::ends_expression;
use super::prepass::OPTIONS_MARK;
use crate::error::{SqlError, SqlResult};

/// Checks and finishes the tree of a query.
pub(super) fn query(query: &mut Query) -> SqlResult<()> {
    run(query)
}

/// Checks and finishes the tree of an expression.
pub(super) fn expression(expr: &mut Expr) -> SqlResult<()> {
    run(expr)
}

fn run(tree: &mut impl VisitMut) -> SqlResult<()> {
    match tree.visit(&mut Finish) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Finish;

impl VisitorMut for Finish {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        flow(check_query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        flow(check_select(select))
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<SqlError> {
        flow(check_relation(relation))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<SqlError> {
        flow(finish_table(table))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        flow(check_expr(expr))
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<SqlError> {
        match &value.value {
            Value::Placeholder(text) => {
                let error = SqlError::syntax(format!("a statement has no parameters: `{text}`"));
                ControlFlow::Break(error.at_span(value.span))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn flow(result: SqlResult<()>) -> ControlFlow<SqlError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

fn absent(what: &str, span: Span) -> SqlResult<()> {
    Err(SqlError::syntax(format!("{what} is not part of Flink SQL")).at_span(span))
}

fn check_query(query: &Query) -> SqlResult<()> {
    if let Some(lock) = query.locks.first() {
        return absent(&format!("`{lock}`"), query.body.span());
    }
    if query.for_clause.is_some() {
        return absent("`FOR XML` or `FOR JSON`", query.body.span());
    }
    if let Some(LimitClause::LimitOffset { limit_by, .. }) = &query.limit_clause
        && !limit_by.is_empty()
    {
        return absent("`LIMIT BY`", query.body.span());
    }
    check_body(&query.body)
}

fn check_body(body: &SetExpr) -> SqlResult<()> {
    match body {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            absent("a statement that writes inside a query", body.span())
        }
        SetExpr::SetOperation {
            left,
            right,
            set_quantifier,
            ..
        } => {
            if matches!(
                set_quantifier,
                SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName
            ) {
                return absent("`BY NAME`", body.span());
            }
            check_body(left)?;
            check_body(right)
        }
        _ => Ok(()),
    }
}

fn check_select(select: &Select) -> SqlResult<()> {
    let span = select.select_token.0.span;
    if select.into.is_some() {
        return absent("`SELECT INTO`", span);
    }
    if matches!(select.distinct, Some(Distinct::On(_))) {
        return absent("`DISTINCT ON`", span);
    }
    match &select.group_by {
        GroupByExpr::All(_) => return absent("`GROUP BY ALL`", span),
        GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty() => {
            return absent("a modifier after the `GROUP BY` list", span);
        }
        GroupByExpr::Expressions(..) => {}
    }
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => check_name(alias)?,
            SelectItem::ExprWithAliases { .. } => return absent("a list of aliases", span),
            _ => {}
        }
    }
    select.from.iter().try_for_each(check_joins)
}

fn check_joins(table: &TableWithJoins) -> SqlResult<()> {
    for join in &table.joins {
        let span = join.relation.span();
        match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => {
                if *constraint == JoinConstraint::None {
                    let message = "a join needs `ON`, `USING` or `NATURAL`";
                    return Err(SqlError::syntax(message)
                        .at_span(span)
                        .with_hint("write `CROSS JOIN` for all combinations"));
                }
            }
            JoinOperator::CrossJoin(JoinConstraint::None) => {}
            other => return absent(&format!("the join `{other:?}`"), span),
        }
    }
    Ok(())
}

fn check_relation(name: &ObjectName) -> SqlResult<()> {
    let Some(parts) = name
        .0
        .iter()
        .map(|part| part.as_ident())
        .collect::<Option<Vec<_>>>()
    else {
        return absent("a computed table name", name.span());
    };
    parts.into_iter().try_for_each(check_name)
}

/// Refuses a string or a clause's word where a name should stand.
fn check_name(name: &Ident) -> SqlResult<()> {
    let found = match name.quote_style {
        Some('`') => return Ok(()),
        None => {
            let word = sqlparser::tokenizer::Word {
                value: name.value.clone(),
                quote_style: None,
                keyword: sqlparser::keywords::Keyword::NoKeyword,
            };
            if !ends_expression(&word) {
                return Ok(());
            }
            format!("`{}`", name.value)
        }
        Some(_) => format!("the string '{}'", name.value),
    };
    Err(SqlError::syntax(format!("expected a name, found {found}"))
        .at_span(name.span)
        .with_hint(format!(
            "write `{}` in back-ticks to use it as a name",
            name.value
        )))
}

fn check_alias(alias: &Option<TableAlias>) -> SqlResult<()> {
    match alias {
        Some(alias) => check_name(&alias.name),
        None => Ok(()),
    }
}

fn finish_table(table: &mut TableFactor) -> SqlResult<()> {
    let span = table.span();
    match table {
        TableFactor::Table {
            alias,
            with_hints,
            version,
            partitions,
            sample,
            index_hints,
            ..
        } => {
            check_alias(alias)?;
            if !with_hints.is_empty() || !index_hints.is_empty() {
                return absent("`WITH` or an index hint after a table", span);
            }
            if sample.is_some() {
                let error = SqlError::unsupported("`TABLESAMPLE` is not supported");
                return Err(error.at_span(span));
            }
            if !matches!(version, None | Some(TableVersion::ForSystemTimeAsOf(_))) {
                return absent("this table version", span);
            }
            *with_hints = hints_of(std::mem::take(partitions), span)?;
            Ok(())
        }
        TableFactor::Derived { alias, sample, .. } => {
            if sample.is_some() {
                let error = SqlError::unsupported("`TABLESAMPLE` is not supported");
                return Err(error.at_span(span));
            }
            check_alias(alias)
        }
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => check_joins(table_with_joins),
        TableFactor::UNNEST {
            with_offset: true, ..
        } => absent("`WITH OFFSET`", span),
        TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::MatchRecognize { alias, .. } => check_alias(alias),
        other => absent(&format!("`{other}`"), span),
    }
}

/// The hints that a marked partition list stands for.
fn hints_of(partitions: Vec<Ident>, span: Span) -> SqlResult<Vec<Expr>> {
    let Some((mark, pairs)) = partitions.split_first() else {
        return Ok(Vec::new());
    };
    if mark.value != OPTIONS_MARK || mark.quote_style.is_some() {
        absent("`PARTITION` after a table's name", span)?;
    }
    let text = |ident: &Ident| {
        Box::new(Expr::Value(
            Value::SingleQuotedString(ident.value.clone()).with_span(mark.span),
        ))
    };
    Ok(pairs
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [key, value] => Some(Expr::BinaryOp {
                left: text(key),
                op: BinaryOperator::Eq,
                right: text(value),
            }),
            _ => None,
        })
        .collect())
}

fn check_expr(expr: &Expr) -> SqlResult<()> {
    use BinaryOperator as B;
    match expr {
        Expr::BinaryOp { op, .. } => match op {
            B::Plus
            | B::Minus
            | B::Multiply
            | B::Divide
            | B::Modulo
            | B::StringConcat
            | B::Gt
            | B::Lt
            | B::GtEq
            | B::LtEq
            | B::Eq
            | B::NotEq
            | B::And
            | B::Or
            | B::Overlaps => Ok(()),
            other => absent(&format!("the operator `{other}`"), expr.span()),
        },
        Expr::UnaryOp { op, .. } => match op {
            UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not => Ok(()),
            other => absent(&format!("the operator `{other}`"), expr.span()),
        },
        Expr::Identifier(ident) => check_column(ident),
        Expr::CompoundIdentifier(parts) => parts.iter().try_for_each(check_column),
        Expr::Function(function) if function.parameters != FunctionArguments::None => {
            absent("a call of a call", expr.span())
        }
        Expr::CompoundFieldAccess { access_chain, .. } => {
            let slices = access_chain.iter().any(|access| {
                matches!(
                    access,
                    sqlparser::ast::AccessExpr::Subscript(Subscript::Slice { .. })
                )
            });
            match slices {
                true => absent("a slice", expr.span()),
                false => Ok(()),
            }
        }
        Expr::JsonAccess { .. } | Expr::Lambda(_) | Expr::Collate { .. } => {
            absent(&format!("`{expr}`"), expr.span())
        }
        _ => Ok(()),
    }
}

/// Refuses a string where a column should stand.
fn check_column(name: &Ident) -> SqlResult<()> {
    match name.quote_style {
        Some('\'') | Some('"') => check_name(name),
        _ => Ok(()),
    }
}

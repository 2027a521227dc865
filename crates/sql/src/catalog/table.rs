//! The definition of a table: what `CREATE TABLE` says, checked.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, Ident};
use sqlparser::tokenizer::Span;

use crate::dialect::{ColumnDef, ColumnKind, CreateTable, Distribution, Options, WatermarkDef};
use crate::error::{SqlError, SqlResult};
use crate::types::SqlType;

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDefinition {
    /// Its columns, in declared order.
    pub columns: Vec<Column>,
    /// Its watermark.
    pub watermark: Option<Watermark>,
    /// The columns of its primary key, which nothing enforces; empty if it has none.
    pub primary_key: Vec<String>,
    /// The name of the primary key's constraint.
    pub primary_key_name: Option<String>,
    /// Its options, in order.
    pub options: Options,
    /// Its comment.
    pub comment: Option<String>,
    /// Its partition keys.
    pub partition_keys: Vec<String>,
    /// Its distribution.
    pub distribution: Option<Distribution>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type; of a computed column unknown until the planner has typed the expression.
    pub data_type: Option<SqlType>,
    /// Where its values come from.
    pub origin: ColumnOrigin,
    /// Its comment.
    pub comment: Option<String>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnOrigin {
    /// The external system.
    Physical,
    /// An expression over the other columns; never written.
    Computed {
        /// The expression.
        expr: Box<Expr>,
        /// The expression as written.
        text: String,
    },
    /// The connector's metadata.
    Metadata {
        /// The connector's key.
        key: String,
        /// Never written.
        is_virtual: bool,
    },
}

/// The watermark of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Watermark {
    /// The time column.
    pub column: String,
    /// The watermark of a row.
    pub expr: Expr,
    /// The expression as written.
    pub text: String,
}

impl TableDefinition {
    /// The definition that a `CREATE TABLE` without `LIKE` and `AS` gives.
    ///
    /// # Errors
    /// `Catalog` or `Type`, placed at the column at fault.
    pub fn new(create: &CreateTable) -> SqlResult<Self> {
        let mut table = Self::declared(create)?;
        table.finish(create)?;
        Ok(table)
    }

    /// What the statement itself declares, unchecked.
    pub(super) fn declared(create: &CreateTable) -> SqlResult<Self> {
        Ok(Self {
            columns: create.columns.iter().map(Column::new).collect(),
            watermark: create.watermark.as_ref().map(Watermark::new).transpose()?,
            primary_key: values(create.primary_key.as_ref().map_or(&[], |key| &key.columns)),
            primary_key_name: create
                .primary_key
                .as_ref()
                .and_then(|key| key.name.as_ref())
                .map(|name| name.value.clone()),
            options: create.options.clone(),
            comment: create.comment.clone(),
            partition_keys: values(&create.partitioned_by),
            distribution: create.distribution.clone(),
        })
    }

    /// The definition that a `CREATE TABLE .. AS query` gives, whose query has `columns`.
    ///
    /// Declared columns come first, then the query's. A column that is both stays in the query's
    /// place with the declared type. A list of names alone puts the query's columns in its order.
    ///
    /// # Errors
    /// `Catalog` or `Type`, placed at the column at fault.
    pub fn from_query(create: &CreateTable, columns: &[(String, SqlType)]) -> SqlResult<Self> {
        let mut table = Self::declared(create)?;
        let mut query: Vec<Column> = columns
            .iter()
            .map(|(name, data_type)| Column {
                name: name.clone(),
                data_type: Some(data_type.clone()),
                origin: ColumnOrigin::Physical,
                comment: None,
            })
            .collect();
        if !create.identifiers.is_empty() {
            query = reorder(query, &create.identifiers)?;
        }
        let mut declared = Vec::new();
        for column in table.columns {
            match query.iter_mut().find(|known| known.name == column.name) {
                Some(known) if column.origin == ColumnOrigin::Physical => *known = column,
                Some(_) => {
                    let message = format!(
                        "the query has a column `{}`, which is not declared physical",
                        column.name
                    );
                    return Err(SqlError::catalog(message));
                }
                None => declared.push(column),
            }
        }
        declared.append(&mut query);
        table.columns = declared;
        if let Some(key) = &create.primary_key {
            for name in &key.columns {
                let nullable = columns
                    .iter()
                    .any(|(column, data_type)| *column == name.value && data_type.nullable);
                if nullable {
                    let message = format!(
                        "the query's column `{}` may be NULL and cannot be in the primary key",
                        name.value
                    );
                    return Err(SqlError::type_mismatch(message).at_span(name.span));
                }
            }
        }
        table.finish(create)?;
        Ok(table)
    }

    /// Checks the parts against each other; places come from `create` where it names them.
    pub(super) fn finish(&mut self, create: &CreateTable) -> SqlResult<()> {
        let span_of = |name: &str| column_span(create, name);
        let mut seen = BTreeSet::new();
        for column in &self.columns {
            if !seen.insert(column.name.as_str()) {
                let message = format!("the table has two columns `{}`", column.name);
                return Err(SqlError::catalog(message).at_span(span_of(&column.name)));
            }
            if let ColumnOrigin::Computed { expr, .. } = &column.origin
                && has_subquery(expr)
            {
                let message = "a computed column cannot contain a sub-query";
                return Err(SqlError::syntax(message).at_span(span_of(&column.name)));
            }
        }
        if self.columns.is_empty() {
            let span = create
                .name
                .parts
                .last()
                .map_or(Span::empty(), |part| part.span);
            return Err(SqlError::catalog("a table needs at least one column").at_span(span));
        }
        self.check_keys(create)?;
        for name in &self.partition_keys {
            self.existing(name, span_in(&create.partitioned_by, name), "partition key")?;
        }
        self.check_watermark(create.watermark.as_ref())
    }

    fn check_keys(&mut self, create: &CreateTable) -> SqlResult<()> {
        let key: &[Ident] = create.primary_key.as_ref().map_or(&[], |key| &key.columns);
        for name in self.primary_key.clone() {
            let span = span_in(key, &name);
            let column = self.existing(&name, span, "primary key")?;
            if column.origin != ColumnOrigin::Physical {
                let message = format!("the primary key's column `{name}` is not physical");
                return Err(SqlError::catalog(message).at_span(span));
            }
        }
        for column in &mut self.columns {
            if self.primary_key.contains(&column.name)
                && let Some(data_type) = &mut column.data_type
            {
                data_type.nullable = false;
            }
        }
        Ok(())
    }

    fn existing(&self, name: &str, span: Span, role: &str) -> SqlResult<&Column> {
        self.column(name).ok_or_else(|| {
            SqlError::unknown(format!("the {role} names no column of the table: `{name}`"))
                .with_nearest(name, self.columns.iter().map(|column| column.name.as_str()))
                .at_span(span)
        })
    }

    /// Checks that the watermark's column exists and, once its type is known, that it is a time.
    fn check_watermark(&self, def: Option<&WatermarkDef>) -> SqlResult<()> {
        let Some(watermark) = &self.watermark else {
            return Ok(());
        };
        let span = def
            .and_then(|def| def.column.first())
            .map_or(Span::empty(), |name| name.span);
        let column = self.existing(&watermark.column, span, "watermark")?;
        match &column.data_type {
            Some(data_type) if !data_type.can_be_rowtime() => {
                let message = format!(
                    "the watermark's column `{}` is `{data_type}`",
                    watermark.column
                );
                Err(SqlError::type_mismatch(message)
                    .with_hint("it must be `TIMESTAMP(p)` or `TIMESTAMP_LTZ(p)` with p at most 3")
                    .at_span(span))
            }
            _ => Ok(()),
        }
    }

    /// Gives every computed column the type that `type_of` finds, and checks the watermark.
    ///
    /// # Errors
    /// Those of `type_of`, and `Type` when the watermark's column is no time.
    pub fn resolve_computed(
        &mut self,
        mut type_of: impl FnMut(&str, &Expr) -> SqlResult<SqlType>,
    ) -> SqlResult<()> {
        for column in &mut self.columns {
            if let ColumnOrigin::Computed { expr, .. } = &column.origin {
                column.data_type = Some(type_of(&column.name, expr)?);
            }
        }
        self.check_watermark(None)
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The value of an option.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// The columns stored in the external system.
    pub fn physical_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.origin == ColumnOrigin::Physical)
    }

    /// The columns an `INSERT` writes: physical ones and metadata that is not virtual.
    pub fn sink_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| {
            matches!(
                column.origin,
                ColumnOrigin::Physical
                    | ColumnOrigin::Metadata {
                        is_virtual: false,
                        ..
                    }
            )
        })
    }

    /// Whether `options` of a hint or `ALTER TABLE SET` override the table's, giving the result.
    #[must_use]
    pub fn with_options(&self, options: &[(String, String)]) -> Self {
        let mut table = self.clone();
        for (key, value) in options {
            match table.options.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => known.clone_from(value),
                None => table.options.push((key.clone(), value.clone())),
            }
        }
        table
    }
}

impl Column {
    pub(super) fn new(def: &ColumnDef) -> Self {
        let name = def.name.value.clone();
        let (data_type, origin) = match &def.kind {
            ColumnKind::Physical { data_type } => (Some(data_type.clone()), ColumnOrigin::Physical),
            ColumnKind::Computed { expr, text } => (
                None,
                ColumnOrigin::Computed {
                    expr: Box::new(expr.clone()),
                    text: text.clone(),
                },
            ),
            ColumnKind::Metadata {
                data_type,
                key,
                is_virtual,
            } => (
                Some(data_type.clone()),
                ColumnOrigin::Metadata {
                    key: key.clone().unwrap_or_else(|| name.clone()),
                    is_virtual: *is_virtual,
                },
            ),
        };
        Self {
            name,
            data_type,
            origin,
            comment: def.comment.clone(),
        }
    }
}

impl Watermark {
    pub(super) fn new(def: &WatermarkDef) -> SqlResult<Self> {
        match def.column.as_slice() {
            [column] => Ok(Self {
                column: column.value.clone(),
                expr: def.expr.clone(),
                text: def.text.clone(),
            }),
            parts => {
                let span = parts.first().map_or(Span::empty(), |part| part.span);
                let message = "a watermark cannot be declared on a field of a row";
                Err(SqlError::unsupported(message)
                    .with_hint("declare a computed column of the field")
                    .at_span(span))
            }
        }
    }
}

fn reorder(mut query: Vec<Column>, names: &[Ident]) -> SqlResult<Vec<Column>> {
    let mut ordered = Vec::with_capacity(names.len());
    for name in names {
        match query.iter().position(|column| column.name == name.value) {
            Some(index) => ordered.push(query.remove(index)),
            None => {
                let error = SqlError::unknown(format!("the query has no column `{}`", name.value));
                let known = query.iter().map(|column| column.name.as_str());
                return Err(error.with_nearest(&name.value, known).at_span(name.span));
            }
        }
    }
    match query.first() {
        None => Ok(ordered),
        Some(left) => {
            let span = names.first().map_or(Span::empty(), |name| name.span);
            let message = format!(
                "the list of columns leaves out `{}` of the query",
                left.name
            );
            Err(SqlError::catalog(message).at_span(span))
        }
    }
}

fn values(names: &[Ident]) -> Vec<String> {
    names.iter().map(|name| name.value.clone()).collect()
}

/// The place of the last column called `name`: the duplicate, if there are two.
fn column_span(create: &CreateTable, name: &str) -> Span {
    create
        .columns
        .iter()
        .rev()
        .find(|column| column.name.value == name)
        .map_or(Span::empty(), |column| column.name.span)
}

fn span_in(names: &[Ident], name: &str) -> Span {
    names
        .iter()
        .find(|known| known.value == name)
        .map_or(Span::empty(), |known| known.span)
}

fn has_subquery(expr: &Expr) -> bool {
    sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            std::ops::ControlFlow::Break(())
        }
        _ => std::ops::ControlFlow::Continue(()),
    })
    .is_break()
}

//! The tables and views of a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use datafusion_common::DFSchema;
use sqlparser::ast::Query;
use thalweg_columnar::connector::{TableConnector, TableSpec};

use super::text_rows;
use crate::dialect::{ColumnKind, CreateTable, CreateView, Drop, ObjectKind, ObjectPath};
use crate::error::{SqlError, SqlResult};
use crate::plan::relation::{ColumnSource, Relation, Relations, Table};
use crate::types::SqlType;

/// Options that every table knows.
const COMMON_OPTIONS: [&str; 1] = ["connector"];

#[derive(Clone)]
enum Entry {
    Table(Arc<Table>),
    View {
        query: Box<Query>,
        columns: Vec<String>,
        shown: Vec<(String, String)>,
    },
}

/// Tables and views by name.
#[derive(Default)]
pub struct Tables {
    entries: BTreeMap<String, Entry>,
}

type ConnectorOf<'a> = &'a dyn Fn(&str) -> SqlResult<Arc<dyn TableConnector>>;

impl Tables {
    /// All names.
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// The names of views.
    pub fn view_names(&self) -> Vec<String> {
        let views = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::View { .. }));
        views.map(|(name, _)| name.clone()).collect()
    }

    /// `CREATE TABLE`.
    ///
    /// # Errors
    /// `Catalog` if the name is taken; `Unknown` for options and columns that are not there.
    pub fn create_table(
        &mut self,
        create: &CreateTable,
        connector: ConnectorOf<'_>,
    ) -> SqlResult<()> {
        let name = create.name.object().to_owned();
        if self.entries.contains_key(&name) {
            if create.if_not_exists {
                return Ok(());
            }
            return Err(taken(&create.name));
        }
        let absent = [
            (create.like.is_some(), "CREATE TABLE … LIKE"),
            (create.as_query.is_some(), "CREATE TABLE … AS"),
            (create.distribution.is_some(), "DISTRIBUTED BY"),
        ];
        if let Some((_, what)) = absent.iter().find(|(there, _)| *there) {
            return Err(SqlError::unsupported(format!("`{what}`")));
        }
        let table = define(create, connector)?;
        self.entries.insert(name, Entry::Table(Arc::new(table)));
        Ok(())
    }

    /// `CREATE VIEW`; `schema` is the planned query's.
    ///
    /// # Errors
    /// `Catalog` if the name is taken.
    pub fn create_view(&mut self, create: &CreateView, schema: &DFSchema) -> SqlResult<()> {
        let name = create.name.object().to_owned();
        if self.entries.contains_key(&name) && !create.or_replace {
            if create.if_not_exists {
                return Ok(());
            }
            return Err(taken(&create.name));
        }
        let columns: Vec<String> = create
            .columns
            .iter()
            .map(|column| column.value.clone())
            .collect();
        let shown = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(at, field)| {
                let name = columns.get(at).unwrap_or(field.name());
                let shown = SqlType::from_field(field)
                    .map_or_else(|_| field.data_type().to_string(), |t| t.to_string());
                (name.clone(), shown)
            })
            .collect();
        self.entries.insert(
            name,
            Entry::View {
                query: create.query.clone(),
                columns,
                shown,
            },
        );
        Ok(())
    }

    /// `DROP TABLE` and `DROP VIEW`.
    ///
    /// # Errors
    /// `Unknown` if there is no such object.
    pub fn drop(&mut self, drop: &Drop) -> SqlResult<()> {
        let name = drop.name.object();
        let fits = match (self.entries.get(name), &drop.kind) {
            (Some(Entry::Table(_)), ObjectKind::Table) => true,
            (Some(Entry::View { .. }), ObjectKind::View) => true,
            (_, ObjectKind::Table | ObjectKind::View) => false,
            (_, other) => return Err(SqlError::unsupported(format!("`DROP` of {other:?}"))),
        };
        if fits {
            self.entries.remove(name);
            return Ok(());
        }
        if drop.if_exists {
            Ok(())
        } else {
            Err(self.unknown(name))
        }
    }

    /// `DESCRIBE`.
    ///
    /// # Errors
    /// `Unknown` if there is no such object.
    pub fn describe(&self, path: &ObjectPath) -> SqlResult<RecordBatch> {
        let entry = self
            .entries
            .get(path.object())
            .ok_or_else(|| self.unknown(path.object()))?;
        let rows: Vec<(String, String)> = match entry {
            Entry::View { shown, .. } => shown.clone(),
            Entry::Table(table) => table
                .columns
                .iter()
                .map(|(name, source)| {
                    let field = match source {
                        ColumnSource::Physical(at) => Some(table.spec.schema.field(*at)),
                        ColumnSource::Metadata(at) => Some(table.spec.metadata[*at].1.as_ref()),
                        ColumnSource::Computed(_) => None,
                    };
                    let shown = match (field, source) {
                        (Some(field), _) => SqlType::from_field(field)
                            .map_or_else(|_| field.data_type().to_string(), |t| t.to_string()),
                        (None, ColumnSource::Computed(expr)) => format!("AS {expr}"),
                        _ => String::new(),
                    };
                    (name.clone(), shown)
                })
                .collect(),
        };
        let names = rows.iter().map(|(name, _)| name.as_str()).collect();
        let types = rows.iter().map(|(_, shown)| shown.as_str()).collect();
        text_rows(&[("name", names), ("type", types)])
    }

    /// A table to write to, with the options of a hint.
    ///
    /// # Errors
    /// `Unknown` if there is none; `Type` if it is a view.
    pub fn table(&self, path: &ObjectPath, hints: &[(String, String)]) -> SqlResult<Arc<Table>> {
        match self.entries.get(path.object()) {
            Some(Entry::Table(table)) => Ok(hinted(table, hints)),
            Some(Entry::View { .. }) => Err(SqlError::type_mismatch(format!(
                "`{}` is a view and cannot be written to",
                path.object()
            ))),
            None => {
                let error = self.unknown(path.object());
                Err(match path.parts.last() {
                    Some(part) => error.at_span(part.span),
                    None => error,
                })
            }
        }
    }

    fn unknown(&self, name: &str) -> SqlError {
        SqlError::unknown(format!("there is no table or view `{name}`"))
            .with_nearest(name, self.entries.keys().map(String::as_str))
    }
}

fn taken(path: &ObjectPath) -> SqlError {
    let error = SqlError::catalog(format!("`{path}` exists already"));
    match path.parts.last() {
        Some(part) => error.at_span(part.span),
        None => error,
    }
}

fn hinted(table: &Arc<Table>, hints: &[(String, String)]) -> Arc<Table> {
    if hints.is_empty() {
        return table.clone();
    }
    let mut changed = (**table).clone();
    changed.spec.options.extend(hints.iter().cloned());
    Arc::new(changed)
}

impl Relations for Tables {
    fn resolve(&self, path: &[String], hints: &[(String, String)]) -> SqlResult<Relation> {
        let name = path.last().map_or("", String::as_str);
        match self.entries.get(name) {
            Some(Entry::Table(table)) => Ok(Relation::Table(hinted(table, hints))),
            Some(Entry::View { query, columns, .. }) => Ok(Relation::View {
                query: query.clone(),
                columns: columns.clone(),
            }),
            None => Err(self.unknown(name)),
        }
    }
}

fn define(create: &CreateTable, connector: ConnectorOf<'_>) -> SqlResult<Table> {
    let name = create.name.object().to_owned();
    let mut options: BTreeMap<String, String> = create.options.iter().cloned().collect();
    let identifier = options
        .remove("connector")
        .ok_or_else(|| SqlError::catalog(format!("table `{name}` has no option `connector`")))?;
    check_options(&name, &options, connector(&identifier)?.as_ref())?;
    let key: Vec<String> = create
        .primary_key
        .iter()
        .flat_map(|key| key.columns.iter().map(|column| column.value.clone()))
        .collect();
    let (mut fields, mut metadata, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for column in &create.columns {
        let own = column.name.value.clone();
        if columns.iter().any(|(known, _)| *known == own) {
            return Err(
                SqlError::catalog(format!("column `{own}` is declared twice"))
                    .at_span(column.name.span),
            );
        }
        let source = match &column.kind {
            ColumnKind::Physical { data_type } => {
                let not_null = key.contains(&own);
                let data_type = if not_null {
                    data_type.clone().with_nullable(false)
                } else {
                    data_type.clone()
                };
                fields.push(data_type.to_field(own.clone()));
                ColumnSource::Physical(fields.len() - 1)
            }
            ColumnKind::Metadata { data_type, key, .. } => {
                let key = key.clone().unwrap_or_else(|| own.clone());
                metadata.push((key, Arc::new(data_type.to_field(own.clone()))));
                ColumnSource::Metadata(metadata.len() - 1)
            }
            ColumnKind::Computed { expr, .. } => ColumnSource::Computed(Box::new(expr.clone())),
        };
        columns.push((own, source));
    }
    let known = |wanted: &str| columns.iter().any(|(known, _)| known == wanted);
    for column in create.primary_key.iter().flat_map(|key| &key.columns) {
        if !known(&column.value) {
            return Err(no_column(&name, column, &columns));
        }
    }
    let watermark = match &create.watermark {
        Some(watermark) => match watermark.column.as_slice() {
            [column] if known(&column.value) => {
                Some((column.value.clone(), watermark.expr.clone()))
            }
            [column] => return Err(no_column(&name, column, &columns)),
            _ => return Err(SqlError::unsupported("a WATERMARK on a field of a row")),
        },
        None => None,
    };
    let partition_keys = create
        .partitioned_by
        .iter()
        .map(|column| column.value.clone())
        .collect();
    Ok(Table {
        spec: TableSpec {
            name,
            schema: Arc::new(Schema::new(fields)),
            metadata,
            options,
            primary_key: key,
            partition_keys,
        },
        connector: identifier,
        columns,
        watermark,
    })
}

fn no_column(
    table: &str,
    column: &sqlparser::ast::Ident,
    columns: &[(String, ColumnSource)],
) -> SqlError {
    SqlError::unknown(format!("table `{table}` has no column `{}`", column.value))
        .with_nearest(&column.value, columns.iter().map(|(name, _)| name.as_str()))
        .at_span(column.span)
}

fn check_options(
    table: &str,
    options: &BTreeMap<String, String>,
    connector: &dyn TableConnector,
) -> SqlResult<()> {
    let known = |key: &str| {
        COMMON_OPTIONS.contains(&key)
            || connector
                .options()
                .iter()
                .any(|option| match option.key.strip_suffix('*') {
                    Some(prefix) => key.starts_with(prefix),
                    None => option.key == key,
                })
    };
    match options.keys().find(|key| !known(key)) {
        Some(key) => Err(SqlError::unknown(format!(
            "table `{table}`: connector `{}` has no option `{key}`",
            connector.identifier()
        ))
        .with_nearest(key, connector.options().iter().map(|option| option.key))),
        None => Ok(()),
    }
}

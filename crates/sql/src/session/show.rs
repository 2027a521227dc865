//! `SHOW` and `DESCRIBE`.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringViewArray};

use super::{Outcome, Session};
use crate::catalog::{CatalogObject, ColumnOrigin};
use crate::dialect::{ObjectPath, Show, ShowKind};
use crate::error::{SqlError, SqlResult};
use crate::types::SqlType;

impl Session {
    pub(super) fn show(&self, show: &Show) -> SqlResult<Outcome> {
        let from = show.from.as_ref();
        if let Some(from) = from
            && !matches!(show.kind, ShowKind::Tables | ShowKind::Views)
        {
            return Err(SqlError::unsupported(format!("`SHOW … FROM {from}`")));
        }
        let (column, names) = match &show.kind {
            ShowKind::Tables => ("table name", self.catalog.tables(from)?),
            ShowKind::Views => ("view name", self.catalog.views(from)?),
            ShowKind::Functions { user: false } => ("function name", self.function_names()),
            ShowKind::Catalogs => ("catalog name", self.catalog.catalogs()),
            ShowKind::Databases => ("database name", self.catalog.databases(None)),
            ShowKind::CurrentCatalog => (
                "current catalog name",
                vec![self.catalog.current_catalog().to_owned()],
            ),
            ShowKind::CurrentDatabase => (
                "current database name",
                vec![self.catalog.current_database().to_owned()],
            ),
            other => return Err(SqlError::unsupported(format!("`SHOW` of {other:?}"))),
        };
        let accepted = |name: &&String| show.filter.as_ref().is_none_or(|f| f.accepts(name));
        let names: Vec<&str> = names.iter().filter(accepted).map(String::as_str).collect();
        Ok(Outcome::Rows(text_rows(&[(column, names)])?))
    }

    pub(super) fn describe(&self, path: &ObjectPath) -> SqlResult<Outcome> {
        let resolved = self.catalog.resolve(path)?;
        let mut rows: Vec<[String; 6]> = Vec::new();
        match &resolved.object {
            CatalogObject::View(view) => {
                let plan = self.plan(&view.query)?;
                for (at, field) in plan.schema().fields().iter().enumerate() {
                    let name = view.columns.get(at).unwrap_or(field.name()).clone();
                    let sql_type = SqlType::from_field(field)?.with_nullable(true).to_string();
                    let null = if field.is_nullable() { "TRUE" } else { "FALSE" };
                    let none = String::new;
                    rows.push([name, sql_type, null.to_owned(), none(), none(), none()]);
                }
            }
            CatalogObject::Table(table) => {
                for column in &table.columns {
                    let declared = column.data_type.clone();
                    let null = declared.as_ref().is_none_or(|t| t.nullable);
                    let shown =
                        declared.map_or_else(String::new, |t| t.with_nullable(true).to_string());
                    let key = if table.primary_key.contains(&column.name) {
                        format!("PRI({})", table.primary_key.join(", "))
                    } else {
                        String::new()
                    };
                    let extras = match &column.origin {
                        ColumnOrigin::Physical => String::new(),
                        ColumnOrigin::Computed { text, .. } => format!("AS {text}"),
                        ColumnOrigin::Metadata { key, is_virtual } => {
                            let end = if *is_virtual { " VIRTUAL" } else { "" };
                            format!("METADATA FROM '{key}'{end}")
                        }
                    };
                    let watermark = match &table.watermark {
                        Some(watermark) if watermark.column == column.name => {
                            watermark.text.clone()
                        }
                        _ => String::new(),
                    };
                    let null = if null { "TRUE" } else { "FALSE" };
                    rows.push([
                        column.name.clone(),
                        shown,
                        null.to_owned(),
                        key,
                        extras,
                        watermark,
                    ]);
                }
            }
        }
        let names = ["name", "type", "null", "key", "extras", "watermark"];
        let columns: Vec<(&str, Vec<&str>)> = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| (name, rows.iter().map(|row| row[at].as_str()).collect()))
            .collect();
        Ok(Outcome::Rows(text_rows(&columns)?))
    }
}

/// A batch of text columns.
pub(super) fn text_rows(columns: &[(&str, Vec<&str>)]) -> SqlResult<RecordBatch> {
    let columns = columns.iter().map(|(name, values)| {
        let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
        (*name, array)
    });
    RecordBatch::try_from_iter(columns).map_err(|error| SqlError::internal(error.to_string()))
}

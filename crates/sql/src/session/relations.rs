//! The catalog as the planner sees it: definitions turned into tables with an Arrow schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::Schema;
use sqlparser::ast::Ident;
use thalweg_columnar::connector::TableSpec;

use crate::catalog::{Catalog, CatalogObject, ColumnOrigin, ObjectIdentifier, TableDefinition};
use crate::dialect::ObjectPath;
use crate::error::{SqlError, SqlResult};
use crate::plan::relation::{ColumnSource, Relation, Relations, Table};
use crate::types::SqlType;

impl Relations for Catalog {
    fn resolve(&self, path: &[String], hints: &[(String, String)]) -> SqlResult<Relation> {
        let parts: Vec<Ident> = path.iter().map(|part| Ident::new(part.clone())).collect();
        let resolved = Catalog::resolve(self, &ObjectPath::from(parts))?;
        Ok(match resolved.object {
            CatalogObject::Table(table) => {
                let table = table.with_options(hints);
                Relation::Table(Arc::new(planned_table(&resolved.identifier, &table)?))
            }
            CatalogObject::View(view) => Relation::View {
                query: view.query.clone(),
                columns: view.columns.clone(),
            },
        })
    }
}

/// A definition with the schema its connector works with.
///
/// # Errors
/// `Catalog` for a table without a connector.
pub fn planned_table(name: &ObjectIdentifier, definition: &TableDefinition) -> SqlResult<Table> {
    let (mut fields, mut metadata, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for column in &definition.columns {
        let declared = || {
            let sql_type = column.data_type.clone().unwrap_or_else(SqlType::string);
            sql_type.to_field(column.name.clone())
        };
        let source = match &column.origin {
            ColumnOrigin::Physical => {
                fields.push(declared());
                ColumnSource::Physical(fields.len() - 1)
            }
            ColumnOrigin::Metadata { key, .. } => {
                metadata.push((key.clone(), Arc::new(declared())));
                ColumnSource::Metadata(metadata.len() - 1)
            }
            ColumnOrigin::Computed { expr, .. } => ColumnSource::Computed(expr.clone()),
        };
        columns.push((column.name.clone(), source));
    }
    let mut options: BTreeMap<String, String> = definition.options.iter().cloned().collect();
    let connector = options.remove("connector").ok_or_else(|| {
        SqlError::catalog(format!("table `{}` has no option `connector`", name.object))
    })?;
    Ok(Table {
        spec: TableSpec {
            name: name.object.clone(),
            schema: Arc::new(Schema::new(fields)),
            metadata,
            options,
            primary_key: definition.primary_key.clone(),
            partition_keys: definition.partition_keys.clone(),
        },
        connector,
        columns,
        watermark: definition
            .watermark
            .as_ref()
            .map(|watermark| (watermark.column.clone(), watermark.expr.clone())),
    })
}

//! `ALTER TABLE` and `ALTER VIEW` on the catalog.

use std::sync::Arc;

use sqlparser::ast::{Expr, Ident};

use super::table::{Column, ColumnOrigin, TableDefinition, Watermark};
use super::{Catalog, CatalogObject, ObjectIdentifier, ViewDefinition, span, view};
use crate::dialect::{
    AlterElements, AlterTable, AlterTableAction, AlterView, AlterViewAction, ColumnPlace,
    CreateTable, ObjectPath, Replace,
};
use crate::error::{SqlError, SqlResult};

impl Catalog {
    /// Runs `ALTER TABLE`.
    ///
    /// # Errors
    /// `Unknown` table without `IF EXISTS`, `Catalog` when the change does not fit the table.
    pub fn alter_table(&mut self, alter: &AlterTable) -> SqlResult<()> {
        let (identifier, table) = match self.table(&alter.name) {
            Ok(found) => found,
            Err(_) if alter.if_exists => return Ok(()),
            Err(error) => return Err(error),
        };
        if let AlterTableAction::Rename(to) = &alter.action {
            return self.rename(&identifier, to);
        }
        let mut changed = TableDefinition::clone(&table);
        match &alter.action {
            AlterTableAction::Rename(_) => {}
            AlterTableAction::RenameColumn(from, to) => rename_column(&mut changed, from, to)?,
            AlterTableAction::Set(options) => changed = changed.with_options(options),
            AlterTableAction::Reset(keys) => {
                changed.options.retain(|(key, _)| !keys.contains(key));
            }
            AlterTableAction::Add(elements) => add(&mut changed, elements)?,
            AlterTableAction::Modify(elements) => modify(&mut changed, elements)?,
            AlterTableAction::DropColumns(columns) => drop_columns(&mut changed, columns)?,
            AlterTableAction::DropPrimaryKey(_) => changed.primary_key.clear(),
            AlterTableAction::DropWatermark => changed.watermark = None,
            AlterTableAction::DropDistribution => changed.distribution = None,
        }
        changed.finish(&nothing(&alter.name))?;
        self.update_table(&identifier, changed)
    }

    /// Runs `ALTER VIEW`.
    ///
    /// # Errors
    /// `Unknown` view, `Catalog` when it is a table or the new name is taken.
    pub fn alter_view(&mut self, alter: &AlterView) -> SqlResult<()> {
        let resolved = self.resolve(&alter.name)?;
        let CatalogObject::View(known) = &resolved.object else {
            let message = format!("`{}` is a table, not a view", alter.name);
            return Err(SqlError::catalog(message).at_span(span(&alter.name)));
        };
        match &alter.action {
            AlterViewAction::Rename(to) => self.rename(&resolved.identifier, to),
            AlterViewAction::As { query, text } => {
                let view = ViewDefinition {
                    columns: Vec::new(),
                    query: view::expanded(self, query)?,
                    text: text.clone(),
                    comment: known.comment.clone(),
                };
                let object = CatalogObject::View(Arc::new(view));
                self.replace(&resolved.identifier, Some(object)).map(drop)
            }
        }
    }

    /// Gives an object another name in its database.
    fn rename(&mut self, from: &ObjectIdentifier, to: &ObjectPath) -> SqlResult<()> {
        let target = match to.names().as_slice() {
            // A bare name stays in the object's database, whatever database is current.
            [object] => ObjectIdentifier {
                object: (*object).to_string(),
                ..from.clone()
            },
            _ => self.qualify(to)?,
        };
        if (&target.catalog, &target.database) != (&from.catalog, &from.database) {
            let message = format!("`{to}` is in another database than `{from}`");
            return Err(SqlError::catalog(message).at_span(span(to)));
        }
        let is_temporary = self.temporary.contains_key(from);
        let taken = match is_temporary {
            true => self.temporary.contains_key(&target),
            false => self
                .database_mut(from)?
                .objects
                .contains_key(&target.object),
        };
        if taken {
            let message = format!("`{to}` exists already");
            return Err(SqlError::catalog(message).at_span(span(to)));
        }
        if let Some(object) = self.replace(from, None)? {
            if is_temporary {
                self.temporary.insert(target, object);
            } else {
                let name = target.object.clone();
                self.database_mut(&target)?.objects.insert(name, object);
            }
        }
        Ok(())
    }

    /// Puts `object` in the place of `name`, or removes it; returns what stood there.
    fn replace(
        &mut self,
        name: &ObjectIdentifier,
        object: Option<CatalogObject>,
    ) -> SqlResult<Option<CatalogObject>> {
        if self.temporary.contains_key(name) {
            return Ok(match object {
                Some(object) => self.temporary.insert(name.clone(), object),
                None => self.temporary.remove(name),
            });
        }
        let objects = &mut self.database_mut(name)?.objects;
        Ok(match object {
            Some(object) => objects.insert(name.object.clone(), object),
            None => objects.remove(&name.object),
        })
    }
}

/// A statement that names no columns: checks of a changed table have no better place.
fn nothing(name: &ObjectPath) -> CreateTable {
    CreateTable {
        temporary: false,
        if_not_exists: false,
        replace: Replace::No,
        name: name.clone(),
        columns: Vec::new(),
        identifiers: Vec::new(),
        watermark: None,
        primary_key: None,
        comment: None,
        distribution: None,
        partitioned_by: Vec::new(),
        options: Vec::new(),
        like: None,
        as_query: None,
    }
}

/// The top-level column that `path` names.
fn column_name(path: &[Ident]) -> SqlResult<&Ident> {
    match path {
        [name] => Ok(name),
        parts => {
            let error = SqlError::unsupported("changing a field of a row is not supported");
            Err(match parts.first() {
                Some(first) => error.at_span(first.span),
                None => error,
            })
        }
    }
}

fn position(table: &TableDefinition, name: &Ident) -> SqlResult<usize> {
    let found = table
        .columns
        .iter()
        .position(|column| column.name == name.value);
    found.ok_or_else(|| {
        let names = table.columns.iter().map(|column| column.name.as_str());
        SqlError::unknown(format!("the table has no column `{}`", name.value))
            .with_nearest(&name.value, names)
            .at_span(name.span)
    })
}

/// What uses the column `name`, beside itself.
fn user_of(table: &TableDefinition, name: &str) -> Option<String> {
    for column in &table.columns {
        if let ColumnOrigin::Computed { expr, .. } = &column.origin
            && column.name != name
            && mentions(expr, name)
        {
            return Some(format!("the computed column `{}`", column.name));
        }
    }
    if let Some(watermark) = &table.watermark
        && (watermark.column == name || mentions(&watermark.expr, name))
    {
        return Some("the watermark".to_string());
    }
    if table.primary_key.iter().any(|key| key == name) {
        return Some("the primary key".to_string());
    }
    if table.partition_keys.iter().any(|key| key == name) {
        return Some("the partition keys".to_string());
    }
    None
}

fn mentions(expr: &Expr, name: &str) -> bool {
    sqlparser::ast::visit_expressions(expr, |inner| {
        let first = match inner {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.first(),
            _ => None,
        };
        match first {
            Some(ident) if ident.value == name => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        }
    })
    .is_break()
}

fn refuse_use(table: &TableDefinition, name: &Ident) -> SqlResult<()> {
    match user_of(table, &name.value) {
        Some(user) => {
            let message = format!("the column `{}` is used by {user}", name.value);
            Err(SqlError::catalog(message).at_span(name.span))
        }
        None => Ok(()),
    }
}

fn rename_column(table: &mut TableDefinition, from: &[Ident], to: &Ident) -> SqlResult<()> {
    let from = column_name(from)?;
    let index = position(table, from)?;
    refuse_use(table, from)?;
    if table.column(&to.value).is_some() {
        let message = format!("the table has a column `{}` already", to.value);
        return Err(SqlError::catalog(message).at_span(to.span));
    }
    if let Some(column) = table.columns.get_mut(index) {
        column.name.clone_from(&to.value);
    }
    Ok(())
}

fn drop_columns(table: &mut TableDefinition, columns: &[Vec<Ident>]) -> SqlResult<()> {
    for column in columns {
        let name = column_name(column)?;
        let index = position(table, name)?;
        refuse_use(table, name)?;
        table.columns.remove(index);
    }
    Ok(())
}

fn insert_at(
    table: &mut TableDefinition,
    column: Column,
    place: Option<&ColumnPlace>,
) -> SqlResult<()> {
    let index = match place {
        None => table.columns.len(),
        Some(ColumnPlace::First) => 0,
        Some(ColumnPlace::After(name)) => position(table, name)? + 1,
    };
    table.columns.insert(index, column);
    Ok(())
}

fn add(table: &mut TableDefinition, elements: &AlterElements) -> SqlResult<()> {
    let twice = |what: &str| SqlError::catalog(format!("the table has a {what} already"));
    for (def, place) in &elements.columns {
        if table.column(&def.name.value).is_some() {
            let error = twice(&format!("column `{}`", def.name.value));
            return Err(error.at_span(def.name.span));
        }
        insert_at(table, Column::new(def), place.as_ref())?;
    }
    if let Some(def) = &elements.watermark {
        if table.watermark.is_some() {
            return Err(twice("watermark"));
        }
        table.watermark = Some(Watermark::new(def)?);
    }
    if let Some(key) = &elements.primary_key {
        if !table.primary_key.is_empty() {
            return Err(twice("primary key"));
        }
        table.primary_key = key.columns.iter().map(|name| name.value.clone()).collect();
    }
    if let Some(distribution) = &elements.distribution {
        if table.distribution.is_some() {
            return Err(twice("distribution"));
        }
        table.distribution = Some(distribution.clone());
    }
    Ok(())
}

fn modify(table: &mut TableDefinition, elements: &AlterElements) -> SqlResult<()> {
    let missing = |what: &str| SqlError::catalog(format!("the table has no {what} to modify"));
    for (def, place) in &elements.columns {
        let index = position(table, &def.name)?;
        let column = Column::new(def);
        match place {
            None => {
                if let Some(known) = table.columns.get_mut(index) {
                    *known = column;
                }
            }
            Some(place) => {
                table.columns.remove(index);
                insert_at(table, column, Some(place))?;
            }
        }
    }
    if let Some(def) = &elements.watermark {
        if table.watermark.is_none() {
            return Err(missing("watermark"));
        }
        table.watermark = Some(Watermark::new(def)?);
    }
    if let Some(key) = &elements.primary_key {
        if table.primary_key.is_empty() {
            return Err(missing("primary key"));
        }
        table.primary_key = key.columns.iter().map(|name| name.value.clone()).collect();
    }
    if let Some(distribution) = &elements.distribution {
        if table.distribution.is_none() {
            return Err(missing("distribution"));
        }
        table.distribution = Some(distribution.clone());
    }
    Ok(())
}

//! What a session knows: catalogs, databases, tables, views and options.
//!
//! ```text
//! Catalog ─┬─ catalog `default_catalog` ── database `default_database` ─┬─ table `bid`
//!          ├─ …                                                         └─ view `v`
//!          └─ temporary objects, by full name: they hide permanent ones of the same name
//! ```
//!
//! Everything is in memory and case-sensitive. Names without a catalog or database take the
//! current ones. An error names the nearest object that exists.

mod alter;
mod like;
pub mod options;
mod table;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

pub use self::table::{Column, ColumnOrigin, TableDefinition, Watermark};
pub use self::view::ViewDefinition;
use crate::dialect::{
    CreateCatalog, CreateDatabase, CreateTable, CreateView, Drop, ObjectKind, ObjectPath, Options,
    Replace,
};
use crate::error::{SqlError, SqlResult};
use crate::types::SqlType;

/// The catalog a session begins in.
pub const DEFAULT_CATALOG: &str = "default_catalog";
/// The database a session begins in.
pub const DEFAULT_DATABASE: &str = "default_database";

/// The full name of a table or view.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectIdentifier {
    /// The catalog.
    pub catalog: String,
    /// The database.
    pub database: String,
    /// The object.
    pub object: String,
}

impl fmt::Display for ObjectIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.catalog, self.database, self.object)
    }
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq)]
pub enum CatalogObject {
    /// A table.
    Table(Arc<TableDefinition>),
    /// A view.
    View(Arc<ViewDefinition>),
}

impl CatalogObject {
    fn kind(&self) -> ObjectKind {
        match self {
            Self::Table(_) => ObjectKind::Table,
            Self::View(_) => ObjectKind::View,
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::View(_) => "view",
        }
    }
}

/// A name that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Its full form.
    pub identifier: ObjectIdentifier,
    /// What it names.
    pub object: CatalogObject,
    /// Whether it lives with the session only.
    pub temporary: bool,
}

#[derive(Debug, Clone, Default)]
struct Database {
    comment: Option<String>,
    options: Options,
    objects: BTreeMap<String, CatalogObject>,
}

#[derive(Debug, Clone, Default)]
struct CatalogEntry {
    options: Options,
    databases: BTreeMap<String, Database>,
}

/// The catalogs of a session and its temporary objects.
#[derive(Debug, Clone)]
pub struct Catalog {
    catalogs: BTreeMap<String, CatalogEntry>,
    temporary: BTreeMap<ObjectIdentifier, CatalogObject>,
    current_catalog: String,
    current_database: String,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// One catalog with one empty database, both current.
    pub fn new() -> Self {
        let mut entry = CatalogEntry::default();
        entry
            .databases
            .insert(DEFAULT_DATABASE.to_string(), Database::default());
        Self {
            catalogs: BTreeMap::from([(DEFAULT_CATALOG.to_string(), entry)]),
            temporary: BTreeMap::new(),
            current_catalog: DEFAULT_CATALOG.to_string(),
            current_database: DEFAULT_DATABASE.to_string(),
        }
    }

    /// The current catalog's name.
    pub fn current_catalog(&self) -> &str {
        &self.current_catalog
    }

    /// The current database's name.
    pub fn current_database(&self) -> &str {
        &self.current_database
    }

    /// The full name that `path` stands for, whether it exists or not.
    ///
    /// # Errors
    /// `Syntax` unless the path has one to three parts.
    pub fn qualify(&self, path: &ObjectPath) -> SqlResult<ObjectIdentifier> {
        let (catalog, database, object) = match path.names().as_slice() {
            [object] => (
                self.current_catalog.as_str(),
                self.current_database.as_str(),
                *object,
            ),
            [database, object] => (self.current_catalog.as_str(), *database, *object),
            [catalog, database, object] => (*catalog, *database, *object),
            _ => {
                let message = format!("`{path}` is not the name of a table");
                return Err(SqlError::syntax(message).at_span(span(path)));
            }
        };
        Ok(ObjectIdentifier {
            catalog: catalog.to_string(),
            database: database.to_string(),
            object: object.to_string(),
        })
    }

    /// The table or view that `path` names; a temporary one first.
    ///
    /// # Errors
    /// `Unknown`, naming the nearest catalog, database, table or view.
    pub fn resolve(&self, path: &ObjectPath) -> SqlResult<Resolved> {
        let identifier = self.qualify(path)?;
        if let Some(object) = self.temporary.get(&identifier) {
            return Ok(Resolved {
                identifier,
                object: object.clone(),
                temporary: true,
            });
        }
        let database = self.database(&identifier, path)?;
        match database.objects.get(&identifier.object) {
            Some(object) => Ok(Resolved {
                object: object.clone(),
                identifier,
                temporary: false,
            }),
            None => Err(self.no_object(&identifier, path)),
        }
    }

    /// The table that `path` names.
    ///
    /// # Errors
    /// As [`Catalog::resolve`], and `Catalog` when it names a view.
    pub fn table(&self, path: &ObjectPath) -> SqlResult<(ObjectIdentifier, Arc<TableDefinition>)> {
        let resolved = self.resolve(path)?;
        match resolved.object {
            CatalogObject::Table(table) => Ok((resolved.identifier, table)),
            CatalogObject::View(_) => {
                let message = format!("`{path}` is a view, not a table");
                Err(SqlError::catalog(message).at_span(span(path)))
            }
        }
    }

    fn no_object(&self, identifier: &ObjectIdentifier, path: &ObjectPath) -> SqlError {
        let names = self.objects_in(&identifier.catalog, &identifier.database);
        SqlError::unknown(format!("table `{path}` not found"))
            .with_nearest(
                &identifier.object,
                names.iter().map(|(name, _)| name.as_str()),
            )
            .at_span(span(path))
    }

    fn database(&self, name: &ObjectIdentifier, path: &ObjectPath) -> SqlResult<&Database> {
        let part = |from_end: usize| {
            let index = path.parts.len().checked_sub(from_end);
            index
                .and_then(|index| path.parts.get(index))
                .map_or(span(path), |part| part.span)
        };
        let entry = self.catalog_entry(&name.catalog, part(3))?;
        entry.databases.get(&name.database).ok_or_else(|| {
            SqlError::unknown(format!("database `{}` not found", name.database))
                .with_nearest(&name.database, entry.databases.keys().map(String::as_str))
                .at_span(part(2))
        })
    }

    fn catalog_entry(&self, name: &str, span: Span) -> SqlResult<&CatalogEntry> {
        self.catalogs.get(name).ok_or_else(|| {
            SqlError::unknown(format!("catalog `{name}` not found"))
                .with_nearest(name, self.catalogs.keys().map(String::as_str))
                .at_span(span)
        })
    }

    fn database_mut(&mut self, name: &ObjectIdentifier) -> SqlResult<&mut Database> {
        self.catalogs
            .get_mut(&name.catalog)
            .and_then(|entry| entry.databases.get_mut(&name.database))
            .ok_or_else(|| {
                SqlError::internal(format!(
                    "database `{}.{}` vanished",
                    name.catalog, name.database
                ))
            })
    }

    /// Names and objects of a database, temporary ones included, by name.
    fn objects_in(&self, catalog: &str, database: &str) -> BTreeMap<String, CatalogObject> {
        let mut objects = self
            .catalogs
            .get(catalog)
            .and_then(|entry| entry.databases.get(database))
            .map(|database| database.objects.clone())
            .unwrap_or_default();
        for (name, object) in &self.temporary {
            if name.catalog == catalog && name.database == database {
                objects.insert(name.object.clone(), object.clone());
            }
        }
        objects
    }

    /// Runs `CREATE TABLE`; `query` holds the columns of its `AS` query, if it has one.
    ///
    /// Returns the table's name, or nothing if it exists and `IF NOT EXISTS` allows that.
    ///
    /// # Errors
    /// `Catalog` when the name is taken, and those of the definition.
    pub fn create_table(
        &mut self,
        create: &CreateTable,
        query: Option<&[(String, SqlType)]>,
    ) -> SqlResult<Option<ObjectIdentifier>> {
        let table = self.define_table(create, query)?;
        let object = CatalogObject::Table(Arc::new(table));
        if create.replace != Replace::No {
            let exists = self.resolve(&create.name).is_ok();
            if create.replace == Replace::Existing && !exists {
                return Err(self.no_object(&self.qualify(&create.name)?, &create.name));
            }
            return self.put(&create.name, object, create.temporary, false, true);
        }
        self.put(
            &create.name,
            object,
            create.temporary,
            create.if_not_exists,
            false,
        )
    }

    /// The definition that `CREATE TABLE` gives, without adding it.
    ///
    /// # Errors
    /// Those of [`TableDefinition`], and of resolving the table of a `LIKE`.
    pub fn define_table(
        &self,
        create: &CreateTable,
        query: Option<&[(String, SqlType)]>,
    ) -> SqlResult<TableDefinition> {
        match (&create.like, query) {
            (Some(like), _) => {
                let (_, source) = self.table(&like.source)?;
                TableDefinition::from_like(create, like, &source)
            }
            (None, Some(columns)) => TableDefinition::from_query(create, columns),
            (None, None) => TableDefinition::new(create),
        }
    }

    /// Replaces the definition of an existing table, for instance to add the types of its
    /// computed columns.
    ///
    /// # Errors
    /// `Unknown` when there is no such table.
    pub fn update_table(
        &mut self,
        identifier: &ObjectIdentifier,
        table: TableDefinition,
    ) -> SqlResult<()> {
        let object = CatalogObject::Table(Arc::new(table));
        if let Some(known) = self.temporary.get_mut(identifier) {
            *known = object;
            return Ok(());
        }
        let database = self.database_mut(identifier)?;
        match database.objects.get_mut(&identifier.object) {
            Some(known) => {
                *known = object;
                Ok(())
            }
            None => Err(SqlError::unknown(format!("table `{identifier}` not found"))),
        }
    }

    /// Runs `CREATE VIEW`. Its query's columns are the planner's to check first.
    ///
    /// Returns the view's name, or nothing if it exists and `IF NOT EXISTS` allows that.
    ///
    /// # Errors
    /// `Catalog` when the name is taken.
    pub fn create_view(&mut self, create: &CreateView) -> SqlResult<Option<ObjectIdentifier>> {
        let view = ViewDefinition {
            columns: create
                .columns
                .iter()
                .map(|name| name.value.clone())
                .collect(),
            query: view::expanded(self, &create.query)?,
            text: create.text.clone(),
            comment: create.comment.clone(),
        };
        let object = CatalogObject::View(Arc::new(view));
        self.put(
            &create.name,
            object,
            create.temporary,
            create.if_not_exists,
            create.or_replace,
        )
    }

    fn put(
        &mut self,
        path: &ObjectPath,
        object: CatalogObject,
        temporary: bool,
        if_not_exists: bool,
        replace: bool,
    ) -> SqlResult<Option<ObjectIdentifier>> {
        let identifier = self.qualify(path)?;
        let known = if temporary {
            self.temporary.get(&identifier)
        } else {
            self.database(&identifier, path)?
                .objects
                .get(&identifier.object)
        };
        if let Some(known) = known {
            if if_not_exists {
                return Ok(None);
            }
            if !replace || known.kind() != object.kind() {
                let adjective = if temporary { "temporary " } else { "" };
                let message = format!("the {adjective}{} `{path}` exists already", known.noun());
                return Err(SqlError::catalog(message).at_span(span(path)));
            }
        }
        if temporary {
            self.temporary.insert(identifier.clone(), object);
        } else {
            let name = identifier.object.clone();
            self.database_mut(&identifier)?.objects.insert(name, object);
        }
        Ok(Some(identifier))
    }

    /// Runs `CREATE CATALOG`; only in-memory catalogs exist.
    ///
    /// # Errors
    /// `Catalog` when the name is taken, `Unsupported` for another type.
    pub fn create_catalog(&mut self, create: &CreateCatalog) -> SqlResult<()> {
        let name = &create.name;
        if self.catalogs.contains_key(&name.value) {
            if create.if_not_exists {
                return Ok(());
            }
            let message = format!("the catalog `{}` exists already", name.value);
            return Err(SqlError::catalog(message).at_span(name.span));
        }
        let kind = create.options.iter().find(|(key, _)| key == "type");
        match kind.map(|(_, value)| value.as_str()) {
            Some("generic_in_memory") => {}
            Some(other) => {
                let message = format!("catalogs of type `{other}` are not supported");
                return Err(SqlError::unsupported(message)
                    .with_hint("the type `generic_in_memory` is")
                    .at_span(name.span));
            }
            None => {
                let message = "a catalog needs the option `type`";
                return Err(SqlError::catalog(message).at_span(name.span));
            }
        }
        let database = create
            .options
            .iter()
            .find(|(key, _)| key == "default-database")
            .map_or("default", |(_, value)| value.as_str());
        let entry = CatalogEntry {
            options: create.options.clone(),
            databases: BTreeMap::from([(database.to_string(), Database::default())]),
        };
        self.catalogs.insert(name.value.clone(), entry);
        Ok(())
    }

    /// Runs `CREATE DATABASE`.
    ///
    /// # Errors
    /// `Catalog` when the name is taken, `Unknown` for its catalog.
    pub fn create_database(&mut self, create: &CreateDatabase) -> SqlResult<()> {
        let (catalog, database) = self.database_name(&create.name)?;
        let place = span(&create.name);
        self.catalog_entry(&catalog, place)?;
        let Some(entry) = self.catalogs.get_mut(&catalog) else {
            return Err(SqlError::internal("a catalog vanished"));
        };
        if entry.databases.contains_key(&database) {
            if create.if_not_exists {
                return Ok(());
            }
            let message = format!("the database `{}` exists already", create.name);
            return Err(SqlError::catalog(message).at_span(place));
        }
        let created = Database {
            comment: create.comment.clone(),
            options: create.options.clone(),
            objects: BTreeMap::new(),
        };
        entry.databases.insert(database, created);
        Ok(())
    }

    /// Catalog and database of `[catalog.]database`.
    fn database_name(&self, path: &ObjectPath) -> SqlResult<(String, String)> {
        match path.names().as_slice() {
            [database] => Ok((self.current_catalog.clone(), (*database).to_string())),
            [catalog, database] => Ok(((*catalog).to_string(), (*database).to_string())),
            _ => {
                let message = format!("`{path}` is not the name of a database");
                Err(SqlError::syntax(message).at_span(span(path)))
            }
        }
    }

    /// Runs `USE [catalog.]database`.
    ///
    /// # Errors
    /// `Unknown`, naming the nearest.
    pub fn use_database(&mut self, path: &ObjectPath) -> SqlResult<()> {
        let (catalog, database) = self.database_name(path)?;
        let probe = ObjectIdentifier {
            catalog: catalog.clone(),
            database: database.clone(),
            object: String::new(),
        };
        // The path lacks the object's part: pad it so that places are counted from the end.
        let mut padded = path.clone();
        padded.parts.push(Ident::new(""));
        self.database(&probe, &padded)?;
        self.current_catalog = catalog;
        self.current_database = database;
        Ok(())
    }

    /// Runs `USE CATALOG name`.
    ///
    /// # Errors
    /// `Unknown`, naming the nearest.
    pub fn use_catalog(&mut self, name: &Ident) -> SqlResult<()> {
        let entry = self.catalog_entry(&name.value, name.span)?;
        let given = entry
            .options
            .iter()
            .find(|(key, _)| key == "default-database");
        let database = match (given, name.value.as_str()) {
            (Some((_, database)), _) => database.clone(),
            (None, DEFAULT_CATALOG) => DEFAULT_DATABASE.to_string(),
            (None, _) => "default".to_string(),
        };
        self.current_database = database;
        self.current_catalog = name.value.clone();
        Ok(())
    }

    /// Runs `DROP TABLE | VIEW | DATABASE | CATALOG`.
    ///
    /// # Errors
    /// `Unknown` without `IF EXISTS`; `Catalog` when the object is of another kind, temporary
    /// without `TEMPORARY`, in use, or a database that is not empty.
    pub fn drop(&mut self, drop: &Drop) -> SqlResult<()> {
        match drop.kind {
            ObjectKind::Table | ObjectKind::View => self.drop_object(drop),
            ObjectKind::Database => self.drop_database(drop),
            ObjectKind::Catalog => self.drop_catalog(drop),
            ObjectKind::Function => {
                let message = "user-defined functions are not supported";
                Err(SqlError::unsupported(message).at_span(span(&drop.name)))
            }
        }
    }

    fn drop_object(&mut self, drop: &Drop) -> SqlResult<()> {
        let path = &drop.name;
        let identifier = self.qualify(path)?;
        let noun = if drop.kind == ObjectKind::View {
            "view"
        } else {
            "table"
        };
        let hidden = self.temporary.get(&identifier);
        if hidden.is_some() && !drop.temporary {
            let message = format!("a temporary {noun} `{path}` exists");
            return Err(SqlError::catalog(message)
                .with_hint("drop it first, with `DROP TEMPORARY`")
                .at_span(span(path)));
        }
        let found = match drop.temporary {
            true => hidden,
            false => match self.database(&identifier, path) {
                Ok(database) => database.objects.get(&identifier.object),
                Err(_) if drop.if_exists => None,
                Err(error) => return Err(error),
            },
        };
        match found {
            Some(object) if object.kind() != drop.kind => {
                let message = format!("`{path}` is a {}, not a {noun}", object.noun());
                Err(SqlError::catalog(message).at_span(span(path)))
            }
            Some(_) => {
                if drop.temporary {
                    self.temporary.remove(&identifier);
                } else {
                    let name = identifier.object.clone();
                    self.database_mut(&identifier)?.objects.remove(&name);
                }
                Ok(())
            }
            None if drop.if_exists => Ok(()),
            None => Err(self.no_object(&identifier, path)),
        }
    }

    fn drop_database(&mut self, drop: &Drop) -> SqlResult<()> {
        let (catalog, database) = self.database_name(&drop.name)?;
        let place = span(&drop.name);
        let Some(known) = self
            .catalogs
            .get(&catalog)
            .and_then(|entry| entry.databases.get(&database))
        else {
            if drop.if_exists {
                return Ok(());
            }
            let known = self.databases(Some(&catalog));
            return Err(
                SqlError::unknown(format!("database `{}` not found", drop.name))
                    .with_nearest(&database, known.iter().map(String::as_str))
                    .at_span(place),
            );
        };
        if !known.objects.is_empty() && !drop.cascade {
            let message = format!("the database `{}` is not empty", drop.name);
            return Err(SqlError::catalog(message)
                .with_hint("`CASCADE` drops what it holds")
                .at_span(place));
        }
        if (catalog.as_str(), database.as_str())
            == (
                self.current_catalog.as_str(),
                self.current_database.as_str(),
            )
        {
            let message = format!("the database `{}` is in use", drop.name);
            return Err(SqlError::catalog(message).at_span(place));
        }
        if let Some(entry) = self.catalogs.get_mut(&catalog) {
            entry.databases.remove(&database);
        }
        Ok(())
    }

    fn drop_catalog(&mut self, drop: &Drop) -> SqlResult<()> {
        let name = drop.name.object();
        let place = span(&drop.name);
        if drop.if_exists && !self.catalogs.contains_key(name) {
            return Ok(());
        }
        self.catalog_entry(name, place)?;
        if self.current_catalog == name {
            let message = format!("the catalog `{name}` is in use");
            return Err(SqlError::catalog(message).at_span(place));
        }
        self.catalogs.remove(name);
        Ok(())
    }

    /// The names of all catalogs, sorted.
    pub fn catalogs(&self) -> Vec<String> {
        self.catalogs.keys().cloned().collect()
    }

    /// The names of a catalog's databases, sorted; of the current catalog without a name.
    pub fn databases(&self, catalog: Option<&str>) -> Vec<String> {
        self.catalogs
            .get(catalog.unwrap_or(&self.current_catalog))
            .map(|entry| entry.databases.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The comment and properties of a database.
    pub fn database_properties(
        &self,
        catalog: &str,
        database: &str,
    ) -> Option<(Option<&str>, &Options)> {
        let database = self.catalogs.get(catalog)?.databases.get(database)?;
        Some((database.comment.as_deref(), &database.options))
    }

    /// The names of a database's tables and views, sorted; of the current database without a path.
    ///
    /// # Errors
    /// `Unknown` database, naming the nearest.
    pub fn tables(&self, database: Option<&ObjectPath>) -> SqlResult<Vec<String>> {
        Ok(self.listed(database)?.into_keys().collect())
    }

    /// The names of a database's views, sorted; of the current database without a path.
    ///
    /// # Errors
    /// `Unknown` database, naming the nearest.
    pub fn views(&self, database: Option<&ObjectPath>) -> SqlResult<Vec<String>> {
        let objects = self.listed(database)?;
        Ok(objects
            .into_iter()
            .filter(|(_, object)| object.kind() == ObjectKind::View)
            .map(|(name, _)| name)
            .collect())
    }

    fn listed(&self, path: Option<&ObjectPath>) -> SqlResult<BTreeMap<String, CatalogObject>> {
        let Some(path) = path else {
            return Ok(self.objects_in(&self.current_catalog, &self.current_database));
        };
        let (catalog, database) = self.database_name(path)?;
        let probe = ObjectIdentifier {
            catalog,
            database,
            object: String::new(),
        };
        let mut padded = path.clone();
        padded.parts.push(Ident::new(""));
        self.database(&probe, &padded)?;
        Ok(self.objects_in(&probe.catalog, &probe.database))
    }
}

/// The place of a path.
fn span(path: &ObjectPath) -> Span {
    let mut spans = path.parts.iter().map(|part| part.span);
    let first = spans.next().unwrap_or(Span::empty());
    spans.fold(first, |whole, part| whole.union(&part))
}

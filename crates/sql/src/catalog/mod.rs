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
mod drop;
mod like;
mod namespace;
pub mod options;
mod table;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sqlparser::tokenizer::Span;

pub use self::table::{Column, ColumnOrigin, TableDefinition, Watermark};
pub use self::view::ViewDefinition;
use crate::dialect::{CreateTable, CreateView, ObjectKind, ObjectPath, Options, Replace};
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
            .with_nearest(&identifier.object, names.keys().map(String::as_str))
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
}

/// The place of a path.
fn span(path: &ObjectPath) -> Span {
    let mut spans = path.parts.iter().map(|part| part.span);
    let first = spans.next().unwrap_or(Span::empty());
    spans.fold(first, |whole, part| whole.union(&part))
}

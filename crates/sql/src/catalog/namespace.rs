//! Catalogs and databases: creating, choosing and listing them.

use std::collections::BTreeMap;

use sqlparser::ast::Ident;

use super::{
    Catalog, CatalogEntry, CatalogObject, DEFAULT_CATALOG, DEFAULT_DATABASE, Database,
    ObjectIdentifier, span,
};
use crate::dialect::{CreateCatalog, CreateDatabase, ObjectKind, ObjectPath, Options};
use crate::error::{SqlError, SqlResult};

impl Catalog {
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
    pub(super) fn database_name(&self, path: &ObjectPath) -> SqlResult<(String, String)> {
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

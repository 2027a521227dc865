//! `DROP` on the catalog.

use super::{Catalog, span};
use crate::dialect::{Drop, ObjectKind};
use crate::error::{SqlError, SqlResult};

impl Catalog {
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
}

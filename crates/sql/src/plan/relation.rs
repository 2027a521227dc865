//! What a name in a `FROM` clause stands for.

use std::sync::Arc;

use sqlparser::ast::{Expr, Query};
use thalweg_columnar::connector::{TableConnector, TableSpec};

use crate::error::{SqlError, SqlResult};

/// A column of a table, in declared order.
#[derive(Clone, Debug)]
pub enum ColumnSource {
    /// The physical column at this position.
    Physical(usize),
    /// The metadata column at this position.
    Metadata(usize),
    /// A computed column.
    Computed(Box<Expr>),
}

/// A declared table.
#[derive(Clone, Debug)]
pub struct Table {
    /// What the connector needs to know.
    pub spec: TableSpec,
    /// The `connector` option.
    pub connector: String,
    /// All columns with their names.
    pub columns: Vec<(String, ColumnSource)>,
    /// The watermark's column and expression.
    pub watermark: Option<(String, Expr)>,
}

/// A table or a view.
#[derive(Clone, Debug)]
pub enum Relation {
    /// A table.
    Table(Arc<Table>),
    /// A view: its query and, if it renames them, its columns.
    View {
        /// The query.
        query: Box<Query>,
        /// New column names; empty to keep the query's.
        columns: Vec<String>,
    },
}

/// Finds relations by path.
pub trait Relations {
    /// The relation with this path of one to three parts; options of a hint override its own.
    ///
    /// # Errors
    /// `Unknown`, naming the nearest relation there is.
    fn resolve(&self, path: &[String], hints: &[(String, String)]) -> SqlResult<Relation>;
}

/// Options that every table knows.
const COMMON_OPTIONS: [&str; 1] = ["connector"];

/// Refuses options that a table's connector does not know.
///
/// # Errors
/// `Unknown`, naming the nearest option.
pub fn check_options(table: &Table, connector: &dyn TableConnector) -> SqlResult<()> {
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
    match table.spec.options.keys().find(|key| !known(key)) {
        Some(key) => Err(SqlError::unknown(format!(
            "table `{}`: connector `{}` has no option `{key}`",
            table.spec.name,
            connector.identifier()
        ))
        .with_nearest(key, connector.options().iter().map(|option| option.key))),
        None => Ok(()),
    }
}

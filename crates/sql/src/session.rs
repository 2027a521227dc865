//! A session: a catalog, a configuration, and the execution of statements.

mod explain;
mod insert;
mod job;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringViewArray};
use thalweg_columnar::connector::TableConnector;

use crate::catalog::options::SessionOptions;
use crate::dialect::{ObjectKind, ShowKind, Statement};
use crate::error::{SqlError, SqlResult};
use crate::functions::Functions;

pub use job::{InsertJob, QueryJob};
pub use tables::Tables;

/// What a statement led to.
pub enum Outcome {
    /// It is done and has nothing to show.
    Done,
    /// Rows to show at once.
    Rows(RecordBatch),
    /// A query that is ready to run.
    Query(Box<QueryJob>),
    /// An insert, or a set of them, that is ready to run.
    Insert(Box<InsertJob>),
}

/// A session.
pub struct Session {
    tables: Tables,
    options: SessionOptions,
    functions: Functions,
    connectors: BTreeMap<&'static str, Arc<dyn TableConnector>>,
}

impl Session {
    /// A session with an empty catalog.
    pub fn new(connectors: Vec<Arc<dyn TableConnector>>) -> Self {
        Session {
            tables: Tables::default(),
            options: SessionOptions::default(),
            functions: Functions::default(),
            connectors: connectors
                .into_iter()
                .map(|c| (c.identifier(), c))
                .collect(),
        }
    }

    /// The configuration.
    pub fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// The configuration, for changing it.
    pub fn options_mut(&mut self) -> &mut SessionOptions {
        &mut self.options
    }

    /// The names of all tables and views, for completion.
    pub fn relation_names(&self) -> Vec<String> {
        self.tables.names()
    }

    /// The names of all functions, for completion.
    pub fn function_names(&self) -> Vec<String> {
        let mut names = self.functions.scalar_names();
        names.extend(self.functions.aggregate_names());
        names
    }

    /// Executes a statement, or makes ready the job it stands for.
    ///
    /// # Errors
    /// What is wrong with the statement, with its place where it is known.
    pub fn execute(&mut self, statement: &Statement) -> SqlResult<Outcome> {
        match statement {
            Statement::CreateTable(create) => {
                let connectors = &self.connectors;
                self.tables.create_table(create, &|name| find_connector(connectors, name))?;
                Ok(Outcome::Done)
            }
            Statement::CreateView(create) => {
                let plan = self.plan(&create.query)?;
                self.tables.create_view(create, plan.schema())?;
                Ok(Outcome::Done)
            }
            Statement::Drop(drop) => self.tables.drop(drop).map(|()| Outcome::Done),
            Statement::Set(Some(setting)) => {
                self.options.apply(setting)?;
                Ok(Outcome::Done)
            }
            Statement::Set(None) => {
                let (keys, values): (Vec<_>, Vec<_>) = self.options.explicit().unzip();
                Ok(Outcome::Rows(text_rows(&[
                    ("key", keys),
                    ("value", values),
                ])?))
            }
            Statement::Reset(key) => {
                self.options.reset(key.as_ref())?;
                Ok(Outcome::Done)
            }
            Statement::Query(query) => Ok(Outcome::Query(Box::new(self.query_job(query)?))),
            Statement::Insert(insert) => Ok(Outcome::Insert(Box::new(
                self.insert_job(std::slice::from_ref(&**insert))?,
            ))),
            Statement::StatementSet(inserts) => {
                Ok(Outcome::Insert(Box::new(self.insert_job(inserts)?)))
            }
            Statement::Explain { details, statement } => self.explain(details, statement),
            Statement::Show(show) => self.show(&show.kind),
            Statement::Describe {
                kind: ObjectKind::Table,
                name,
                ..
            } => self.tables.describe(name).map(Outcome::Rows),
            Statement::Unsupported(unsupported) => {
                Err(SqlError::unsupported(format!("`{}`", unsupported.what)))
            }
            other => Err(SqlError::unsupported(format!(
                "`{}`",
                statement_name(other)
            ))),
        }
    }

    fn show(&self, kind: &ShowKind) -> SqlResult<Outcome> {
        let names = match kind {
            ShowKind::Tables => self.tables.names(),
            ShowKind::Views => self.tables.view_names(),
            ShowKind::Functions { .. } => self.function_names(),
            other => return Err(SqlError::unsupported(format!("`SHOW` of {other:?}"))),
        };
        let column = match kind {
            ShowKind::Tables => "table name",
            ShowKind::Views => "view name",
            _ => "function name",
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(Outcome::Rows(text_rows(&[(column, names)])?))
    }

    fn connector(&self, name: &str) -> SqlResult<Arc<dyn TableConnector>> {
        find_connector(&self.connectors, name)
    }
}

fn find_connector(
    connectors: &BTreeMap<&'static str, Arc<dyn TableConnector>>,
    name: &str,
) -> SqlResult<Arc<dyn TableConnector>> {
    connectors.get(name).cloned().ok_or_else(|| {
        SqlError::unknown(format!("there is no connector `{name}`"))
            .with_nearest(name, connectors.keys().copied())
    })
}

fn statement_name(statement: &Statement) -> String {
    let text = format!("{statement:?}");
    text.split(['(', ' ', '{'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A batch of text columns.
fn text_rows(columns: &[(&str, Vec<&str>)]) -> SqlResult<RecordBatch> {
    let columns = columns.iter().map(|(name, values)| {
        let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
        (*name, array)
    });
    RecordBatch::try_from_iter(columns).map_err(|error| SqlError::internal(error.to_string()))
}

//! A session: a catalog, a configuration, and the execution of statements.

mod execution;
mod explain;
mod insert;
mod job;
mod relations;
mod restart;
mod show;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use thalweg_columnar::connector::TableConnector;

use self::relations::planned_table;
use self::show::text_rows;
use crate::catalog::Catalog;
use crate::catalog::options::SessionOptions;
use crate::dialect::{CreateTable, JobStatement, ObjectKind, Statement};
use crate::error::{SqlError, SqlResult};
use crate::functions::Functions;
use crate::plan::relation::check_options;

pub use job::{InsertJob, QueryJob};

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
    /// A statement about jobs that run: whoever runs them has to execute it.
    Job(JobStatement),
}

/// A session.
pub struct Session {
    catalog: Catalog,
    options: SessionOptions,
    functions: Functions,
    connectors: BTreeMap<&'static str, Arc<dyn TableConnector>>,
}

impl Session {
    /// A session with an empty catalog.
    pub fn new(connectors: Vec<Arc<dyn TableConnector>>) -> Self {
        Session {
            catalog: Catalog::new(),
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

    /// The names of the current database's tables and views.
    pub fn relation_names(&self) -> Vec<String> {
        self.catalog.tables(None).unwrap_or_default()
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
            Statement::CreateTable(create) => self.create_table(create),
            Statement::CreateView(create) => {
                // A view that cannot be planned is refused now, not when it is used.
                self.plan(&create.query)?;
                self.catalog.create_view(create)?;
                Ok(Outcome::Done)
            }
            Statement::CreateDatabase(create) => {
                self.catalog.create_database(create)?;
                Ok(Outcome::Done)
            }
            Statement::Use(path) => self.catalog.use_database(path).map(|()| Outcome::Done),
            Statement::AlterTable(alter) => {
                self.catalog.alter_table(alter)?;
                Ok(Outcome::Done)
            }
            Statement::AlterView(alter) => {
                self.catalog.alter_view(alter)?;
                Ok(Outcome::Done)
            }
            Statement::Drop(drop) => {
                self.catalog.drop(drop)?;
                Ok(Outcome::Done)
            }
            Statement::Set(Some(setting)) => {
                self.options.apply(setting)?;
                Ok(Outcome::Done)
            }
            Statement::Set(None) => {
                let (keys, values): (Vec<_>, Vec<_>) = self.options.shown().unzip();
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
            Statement::Show(show) => self.show(show),
            Statement::Job(job) => Ok(Outcome::Job(job.clone())),
            Statement::Describe {
                kind: ObjectKind::Table,
                name,
                ..
            } => self.describe(name),
            Statement::Unsupported(unsupported) => {
                Err(SqlError::unsupported(format!("`{}`", unsupported.what)))
            }
            other => Err(SqlError::unsupported(format!(
                "`{}`",
                statement_name(other)
            ))),
        }
    }

    fn create_table(&mut self, create: &CreateTable) -> SqlResult<Outcome> {
        let absent = [
            (create.as_query.is_some(), "CREATE TABLE … AS"),
            (create.distribution.is_some(), "DISTRIBUTED BY"),
        ];
        if let Some((_, what)) = absent.iter().find(|(there, _)| *there) {
            return Err(SqlError::unsupported(format!("`{what}`")));
        }
        let definition = self.catalog.define_table(create, None)?;
        let table = planned_table(&self.catalog.qualify(&create.name)?, &definition)?;
        let connector = self.connector(&table.connector)?;
        check_options(&table, connector.as_ref())?;
        self.catalog.create_table(create, None)?;
        Ok(Outcome::Done)
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

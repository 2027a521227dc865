//! The statements of Flink SQL as a tree.
//!
//! Queries and expressions are the wrapped parser's trees; everything around them is ours,
//! because Flink's clauses (watermarks, metadata columns, statement sets) exist nowhere else.

mod table;

use std::fmt;
use std::ops::Range;

use sqlparser::ast::{Expr, Ident, Query};

pub use self::table::*;
use super::hints::Hint;
use crate::error::Position;

/// A part of a script and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// What stands there.
    pub node: T,
    /// The place of its first character, in the whole script.
    pub start: Position,
    /// The place after its last character.
    pub end: Position,
    /// The bytes of the script it covers, without the final `;`.
    pub bytes: Range<usize>,
}

/// The name of an object of the catalog: `[[catalog.]database.]object`, case kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectPath {
    /// One to three parts.
    pub parts: Vec<Ident>,
}

impl ObjectPath {
    /// The parts as plain text.
    pub fn names(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.value.as_str()).collect()
    }

    /// The last part: the object's own name.
    pub fn object(&self) -> &str {
        self.parts.last().map_or("", |part| part.value.as_str())
    }
}

impl From<Vec<Ident>> for ObjectPath {
    fn from(parts: Vec<Ident>) -> Self {
        Self { parts }
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&part.value)?;
        }
        Ok(())
    }
}

/// Options as written: `('key' = 'value', ..)`, in order.
pub type Options = Vec<(String, String)>;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `CREATE TABLE ..`, also `CREATE [OR REPLACE] TABLE .. AS`.
    CreateTable(Box<CreateTable>),
    /// `CREATE VIEW .. AS query`.
    CreateView(Box<CreateView>),
    /// `CREATE CATALOG ..`.
    CreateCatalog(CreateCatalog),
    /// `CREATE DATABASE ..`.
    CreateDatabase(CreateDatabase),
    /// `CREATE FUNCTION ..`.
    CreateFunction(CreateFunction),
    /// `DROP TABLE | VIEW | DATABASE | CATALOG | FUNCTION ..`.
    Drop(Drop),
    /// `ALTER TABLE ..`.
    AlterTable(Box<AlterTable>),
    /// `ALTER VIEW ..`.
    AlterView(AlterView),
    /// `ALTER DATABASE d SET (..)`.
    AlterDatabase {
        /// The database.
        name: ObjectPath,
        /// The properties to set.
        options: Options,
    },
    /// `USE [catalog.]database`.
    Use(ObjectPath),
    /// `USE CATALOG c`.
    UseCatalog(Ident),
    /// `INSERT INTO | OVERWRITE ..`.
    Insert(Box<Insert>),
    /// `EXECUTE STATEMENT SET BEGIN ..; END` and its older form.
    StatementSet(Vec<Insert>),
    /// A query whose rows are shown.
    Query(Box<Query>),
    /// `EXPLAIN ..`.
    Explain {
        /// What to show beside the plan.
        details: Vec<ExplainDetail>,
        /// The explained `Query`, `Insert` or `StatementSet`.
        statement: Box<Statement>,
    },
    /// `SET 'key' = 'value'`; bare `SET` lists.
    Set(Option<Setting>),
    /// `RESET ['key']`.
    Reset(Option<SettingKey>),
    /// `SHOW ..` with a list as result.
    Show(Show),
    /// `SHOW CREATE TABLE | VIEW | CATALOG | .. name`.
    ShowCreate {
        /// What kind of object.
        kind: ObjectKind,
        /// Its name.
        name: ObjectPath,
    },
    /// `DESCRIBE ..`.
    Describe {
        /// What kind of object.
        kind: ObjectKind,
        /// Its name.
        name: ObjectPath,
        /// Whether `EXTENDED` was asked for.
        extended: bool,
    },
    /// A job statement: `SHOW JOBS`, `DESCRIBE JOB`, `STOP JOB`.
    Job(JobStatement),
    /// A command of the prompt.
    Client(ClientCommand),
    /// A statement of Flink that this engine does not run.
    Unsupported(Unsupported),
}

/// A recognised statement without an implementation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The statement in words of its own, for instance `CREATE MODEL`.
    pub what: String,
    /// The feature it belongs to, for instance `models`.
    pub feature: &'static str,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// Lives as long as the session.
    pub temporary: bool,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// Do nothing if the view exists.
    pub if_not_exists: bool,
    /// The view's name.
    pub name: ObjectPath,
    /// Names of its columns; empty: those of the query.
    pub columns: Vec<Ident>,
    /// `COMMENT '..'`.
    pub comment: Option<String>,
    /// Its definition.
    pub query: Box<Query>,
    /// The definition as written.
    pub text: String,
}

/// `CREATE CATALOG`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateCatalog {
    /// The catalog's name.
    pub name: Ident,
    /// Do nothing if it exists.
    pub if_not_exists: bool,
    /// `COMMENT '..'`.
    pub comment: Option<String>,
    /// `WITH (..)`.
    pub options: Options,
}

/// `CREATE DATABASE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateDatabase {
    /// The database's name.
    pub name: ObjectPath,
    /// Do nothing if it exists.
    pub if_not_exists: bool,
    /// `COMMENT '..'`.
    pub comment: Option<String>,
    /// `WITH (..)`.
    pub options: Options,
}

/// `CREATE FUNCTION`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateFunction {
    /// Lives as long as the session.
    pub temporary: bool,
    /// Shadows a built-in function.
    pub system: bool,
    /// Do nothing if it exists.
    pub if_not_exists: bool,
    /// The function's name.
    pub name: ObjectPath,
    /// `AS 'class'`.
    pub class: String,
    /// `LANGUAGE ..`.
    pub language: Option<String>,
    /// `USING JAR | ARTIFACT 'uri', ..`.
    pub artifacts: Vec<String>,
}

/// `DROP ..`.
#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    /// What is dropped.
    pub kind: ObjectKind,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// Do nothing if it does not exist.
    pub if_exists: bool,
    /// Its name.
    pub name: ObjectPath,
    /// `CASCADE`: with everything in it.
    pub cascade: bool,
}

/// A kind of named object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A table; in `DESCRIBE`, a table or view.
    Table,
    /// A view.
    View,
    /// A database.
    Database,
    /// A catalog.
    Catalog,
    /// A function.
    Function,
}

/// `ALTER VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterView {
    /// The view.
    pub name: ObjectPath,
    /// The change.
    pub action: AlterViewAction,
}

/// What `ALTER VIEW` changes.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterViewAction {
    /// `RENAME TO name`.
    Rename(ObjectPath),
    /// `AS query`.
    As {
        /// The new definition.
        query: Box<Query>,
        /// The definition as written.
        text: String,
    },
}

/// `INSERT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table written to.
    pub table: ObjectPath,
    /// Hints on the table.
    pub hints: Vec<Hint>,
    /// `OVERWRITE` instead of `INTO`.
    pub overwrite: bool,
    /// `PARTITION (p = literal, ..)`.
    pub partition: Vec<(Ident, Expr)>,
    /// The listed columns; empty: all.
    pub columns: Vec<Ident>,
    /// The rows.
    pub query: Box<Query>,
    /// `ON CONFLICT DO ..`.
    pub on_conflict: Option<OnConflict>,
    /// The place of the `INSERT`.
    pub position: Position,
}

/// What an insert does with a row whose key another row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Keep the first.
    Nothing,
    /// Fail.
    Error,
    /// Keep the last, by retraction.
    Deduplicate,
}

/// What `EXPLAIN` shows beside the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainDetail {
    /// `ESTIMATED_COST`.
    EstimatedCost,
    /// `CHANGELOG_MODE`.
    ChangelogMode,
    /// `JSON_EXECUTION_PLAN`.
    JsonExecutionPlan,
    /// `PLAN_ADVICE`.
    PlanAdvice,
}

/// A key of the session's configuration and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingKey {
    /// The key.
    pub key: String,
    /// Its place.
    pub position: Position,
    /// Its length in characters, as written.
    pub length: u64,
}

/// `SET 'key' = 'value'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: SettingKey,
    /// The value.
    pub value: String,
    /// The place of the value.
    pub value_position: Position,
    /// The value's length in characters, as written.
    pub value_length: u64,
}

/// `SHOW ..`.
#[derive(Debug, Clone, PartialEq)]
pub struct Show {
    /// What is listed.
    pub kind: ShowKind,
    /// `FROM | IN name`.
    pub from: Option<ObjectPath>,
    /// `[NOT] LIKE | ILIKE 'pattern'`.
    pub filter: Option<ShowFilter>,
}

/// What `SHOW` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShowKind {
    /// `SHOW CATALOGS`.
    Catalogs,
    /// `SHOW CURRENT CATALOG`.
    CurrentCatalog,
    /// `SHOW DATABASES`.
    Databases,
    /// `SHOW CURRENT DATABASE`.
    CurrentDatabase,
    /// `SHOW TABLES`.
    Tables,
    /// `SHOW VIEWS`.
    Views,
    /// `SHOW COLUMNS FROM t`.
    Columns,
    /// `SHOW PARTITIONS t`.
    Partitions,
    /// `SHOW [USER] FUNCTIONS`.
    Functions {
        /// Only the user's.
        user: bool,
    },
    /// `SHOW PROCEDURES`.
    Procedures,
    /// `SHOW [FULL] MODULES`.
    Modules {
        /// Also those loaded but not used.
        full: bool,
    },
    /// `SHOW JARS`.
    Jars,
}

/// A filter on names: `%` any text, `_` any character, `\` escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowFilter {
    /// `NOT`.
    pub negated: bool,
    /// `ILIKE`: letter case aside.
    pub ignore_case: bool,
    /// The pattern.
    pub pattern: String,
}

/// A statement about jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStatement {
    /// `SHOW JOBS`.
    Show,
    /// `DESCRIBE JOB 'id'`.
    Describe(String),
    /// `STOP JOB 'id' [WITH SAVEPOINT] [WITH DRAIN]`.
    Stop {
        /// The job.
        id: String,
        /// Take a savepoint first.
        with_savepoint: bool,
        /// Send the last watermark first.
        with_drain: bool,
    },
}

/// A command of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCommand {
    /// `HELP`.
    Help,
    /// `QUIT` or `EXIT`.
    Quit,
    /// `CLEAR`.
    Clear,
    /// `SOURCE 'file'`.
    Source(String),
}

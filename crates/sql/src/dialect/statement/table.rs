//! `CREATE TABLE` and `ALTER TABLE` as trees.

use sqlparser::ast::{Expr, Ident, Query};

use super::{ObjectPath, Options};
use crate::types::SqlType;

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// Lives as long as the session.
    pub temporary: bool,
    /// Do nothing if the table exists.
    pub if_not_exists: bool,
    /// `REPLACE TABLE` or `CREATE OR REPLACE TABLE`.
    pub replace: Replace,
    /// The table's name.
    pub name: ObjectPath,
    /// The declared columns, in order.
    pub columns: Vec<ColumnDef>,
    /// `CREATE TABLE t (a, b) AS ..`: names without types, which reorder the query's columns.
    pub identifiers: Vec<Ident>,
    /// `WATERMARK FOR .. AS ..`.
    pub watermark: Option<WatermarkDef>,
    /// `PRIMARY KEY (..) NOT ENFORCED`, as a table or column constraint.
    pub primary_key: Option<PrimaryKey>,
    /// `COMMENT '..'`.
    pub comment: Option<String>,
    /// `DISTRIBUTED BY ..`.
    pub distribution: Option<Distribution>,
    /// `PARTITIONED BY (..)`.
    pub partitioned_by: Vec<Ident>,
    /// `WITH (..)`.
    pub options: Options,
    /// `LIKE source (..)`.
    pub like: Option<LikeClause>,
    /// `AS query`.
    pub as_query: Option<Box<Query>>,
}

/// Whether a table replaces an existing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// `CREATE TABLE`.
    No,
    /// `REPLACE TABLE`: the table must exist.
    Existing,
    /// `CREATE OR REPLACE TABLE`.
    OrCreate,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Where its values come from.
    pub kind: ColumnKind,
    /// `COMMENT '..'`.
    pub comment: Option<String>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
// A statement holds few columns: an expression in place costs less than its box would save.
#[allow(clippy::large_enum_variant)]
pub enum ColumnKind {
    /// Stored in the external system.
    Physical {
        /// Declared type, with its nullability.
        data_type: SqlType,
    },
    /// `c AS expr`.
    Computed {
        /// The expression.
        expr: Expr,
        /// The expression as written.
        text: String,
    },
    /// `c TYPE METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// Declared type, with its nullability.
        data_type: SqlType,
        /// The connector's key, if it is not the column's name.
        key: Option<String>,
        /// Read only.
        is_virtual: bool,
    },
}

/// `WATERMARK FOR column AS expr`.
#[derive(Debug, Clone, PartialEq)]
pub struct WatermarkDef {
    /// The time column; more than one part names a field of a row.
    pub column: Vec<Ident>,
    /// The watermark of a row.
    pub expr: Expr,
    /// The expression as written.
    pub text: String,
}

/// `[CONSTRAINT name] PRIMARY KEY (columns) NOT ENFORCED`.
#[derive(Debug, Clone, PartialEq)]
pub struct PrimaryKey {
    /// The constraint's name, if it has one.
    pub name: Option<Ident>,
    /// The key's columns.
    pub columns: Vec<Ident>,
}

/// `DISTRIBUTED [BY [HASH | RANGE] (columns)] [INTO n BUCKETS]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// `HASH` or `RANGE`, or the connector's choice.
    pub kind: Option<String>,
    /// The bucketing columns.
    pub columns: Vec<Ident>,
    /// The number of buckets.
    pub buckets: Option<u64>,
}

/// `LIKE source (INCLUDING | EXCLUDING | OVERWRITING feature ..)`.
#[derive(Debug, Clone, PartialEq)]
pub struct LikeClause {
    /// The table whose definition is taken over.
    pub source: ObjectPath,
    /// What is taken over and how, in order.
    pub options: Vec<LikeOption>,
}

/// One line of a `LIKE` clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeOption {
    /// What happens to the feature.
    pub strategy: MergeStrategy,
    /// The feature.
    pub feature: LikeFeature,
}

/// What `LIKE` does with a feature of the source table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeStrategy {
    /// Take it over; a duplicate is an error.
    Including,
    /// Leave it.
    Excluding,
    /// Take it over; the new table's own wins.
    Overwriting,
}

/// A part of a table's definition that `LIKE` handles by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LikeFeature {
    /// Everything not named otherwise.
    All,
    /// The primary key.
    Constraints,
    /// The distribution.
    Distribution,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// The options.
    Options,
    /// The partition keys.
    Partitions,
    /// The watermark.
    Watermarks,
}

/// `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub name: ObjectPath,
    /// Do nothing if it does not exist.
    pub if_exists: bool,
    /// The change.
    pub action: AlterTableAction,
}

/// What `ALTER TABLE` changes.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterTableAction {
    /// `RENAME TO name`.
    Rename(ObjectPath),
    /// `RENAME a TO b`.
    RenameColumn(Vec<Ident>, Ident),
    /// `SET (..)`.
    Set(Options),
    /// `RESET (..)`.
    Reset(Vec<String>),
    /// `ADD ..`.
    Add(AlterElements),
    /// `MODIFY ..`.
    Modify(AlterElements),
    /// `DROP column` or `DROP (columns)`.
    DropColumns(Vec<Vec<Ident>>),
    /// `DROP PRIMARY KEY` or `DROP CONSTRAINT name`.
    DropPrimaryKey(Option<Ident>),
    /// `DROP WATERMARK`.
    DropWatermark,
    /// `DROP DISTRIBUTION`.
    DropDistribution,
}

/// The elements that `ALTER TABLE ADD | MODIFY` lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterElements {
    /// Columns and where they go.
    pub columns: Vec<(ColumnDef, Option<ColumnPlace>)>,
    /// A watermark.
    pub watermark: Option<WatermarkDef>,
    /// A primary key.
    pub primary_key: Option<PrimaryKey>,
    /// A distribution.
    pub distribution: Option<Distribution>,
}

/// Where an added column goes.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnPlace {
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(Ident),
}

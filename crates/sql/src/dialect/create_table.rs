//! `CREATE TABLE` and the elements of a table, which `ALTER TABLE` shares.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::parse::{comment, dotted, options};
use super::statement::{
    ColumnDef, ColumnKind, CreateTable, Distribution, LikeClause, LikeFeature, LikeOption,
    MergeStrategy, Options, PrimaryKey, Replace, Statement, WatermarkDef,
};
use crate::error::{SqlError, SqlResult};

/// `REPLACE TABLE .. AS query`.
pub(super) fn replace(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("REPLACE")?;
    create_table(cursor, false, Replace::Existing)
}

/// `TABLE ..`, after `CREATE [OR REPLACE] [TEMPORARY]`.
pub(super) fn create_table(
    cursor: &mut Cursor<'_>,
    temporary: bool,
    replace: Replace,
) -> SqlResult<Statement> {
    cursor.expect("TABLE")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.path()?;
    let mut elements = Elements::default();
    if cursor.eat_token(&Token::LParen) && !cursor.eat_token(&Token::RParen) {
        elements = table_elements(cursor)?;
        cursor.expect_token(&Token::RParen)?;
    }
    let mut table = CreateTable {
        temporary,
        if_not_exists,
        replace,
        name,
        columns: elements.columns,
        identifiers: elements.identifiers,
        watermark: elements.watermark,
        primary_key: elements.primary_key,
        comment: comment(cursor)?,
        distribution: distribution(cursor)?,
        partitioned_by: Vec::new(),
        options: Options::new(),
        like: None,
        as_query: None,
    };
    if cursor.eat_all(&["PARTITIONED", "BY"]) {
        table.partitioned_by = cursor.identifiers()?;
    }
    if cursor.eat("WITH") {
        table.options = options(cursor)?;
    }
    if cursor.eat("LIKE") {
        table.like = Some(like(cursor)?);
    } else if cursor.eat("AS") {
        table.as_query = Some(cursor.query()?.0);
    }
    check(cursor, &table)?;
    Ok(Statement::CreateTable(Box::new(table)))
}

fn check(cursor: &Cursor<'_>, table: &CreateTable) -> SqlResult<()> {
    if table.as_query.is_none() && cursor.at_end() {
        if let Some(first) = table.identifiers.first() {
            let message = format!("the column `{}` has no type", first.value);
            return Err(SqlError::syntax(message).at_span(first.span));
        }
        if table.replace != Replace::No {
            return Err(cursor.expected("`AS` and a query: a table is only replaced with rows"));
        }
    }
    match (table.identifiers.first(), table.columns.first()) {
        (Some(first), Some(_)) => {
            let message = format!(
                "the column `{}` has no type, others have: name all columns or declare all",
                first.value
            );
            Err(SqlError::syntax(message).at_span(first.span))
        }
        _ => Ok(()),
    }
}

/// The elements between the parentheses of a table.
#[derive(Debug, Default)]
struct Elements {
    columns: Vec<ColumnDef>,
    identifiers: Vec<Ident>,
    watermark: Option<WatermarkDef>,
    primary_key: Option<PrimaryKey>,
}

fn table_elements(cursor: &mut Cursor<'_>) -> SqlResult<Elements> {
    let mut elements = Elements::default();
    loop {
        if at_watermark(cursor) {
            let span = cursor.peek().span;
            if elements.watermark.replace(watermark(cursor)?).is_some() {
                return Err(SqlError::syntax("a table has at most one watermark").at_span(span));
            }
        } else if at_primary_key(cursor) {
            let span = cursor.peek().span;
            let key = primary_key(cursor)?;
            add_key(&mut elements.primary_key, key, span)?;
        } else if matches!(cursor.peek_second().token, Token::Comma | Token::RParen) {
            elements.identifiers.push(cursor.identifier()?);
        } else {
            let span = cursor.peek().span;
            let (column, key) = column(cursor)?;
            if let Some(key) = key {
                add_key(&mut elements.primary_key, key, span)?;
            }
            elements.columns.push(column);
        }
        if !cursor.eat_token(&Token::Comma) {
            return Ok(elements);
        }
    }
}

fn add_key(
    known: &mut Option<PrimaryKey>,
    key: PrimaryKey,
    span: sqlparser::tokenizer::Span,
) -> SqlResult<()> {
    match known.replace(key) {
        None => Ok(()),
        Some(_) => Err(SqlError::syntax("a table has at most one primary key").at_span(span)),
    }
}

pub(super) fn at_watermark(cursor: &Cursor<'_>) -> bool {
    cursor.at_all(&["WATERMARK", "FOR"])
}

pub(super) fn at_primary_key(cursor: &Cursor<'_>) -> bool {
    cursor.at_all(&["PRIMARY", "KEY"]) || cursor.at("CONSTRAINT") || cursor.at("UNIQUE")
}

/// `WATERMARK FOR column AS expr`.
pub(super) fn watermark(cursor: &mut Cursor<'_>) -> SqlResult<WatermarkDef> {
    cursor.expect_all(&["WATERMARK", "FOR"])?;
    let column = dotted(cursor)?;
    cursor.expect("AS")?;
    let (expr, text) = cursor.expression()?;
    Ok(WatermarkDef { column, expr, text })
}

/// `[CONSTRAINT name] PRIMARY KEY (columns) NOT ENFORCED`.
pub(super) fn primary_key(cursor: &mut Cursor<'_>) -> SqlResult<PrimaryKey> {
    let name = match cursor.eat("CONSTRAINT") {
        true => Some(cursor.identifier()?),
        false => None,
    };
    refuse_unique(cursor)?;
    cursor.expect_all(&["PRIMARY", "KEY"])?;
    let columns = cursor.identifiers()?;
    not_enforced(cursor)?;
    Ok(PrimaryKey { name, columns })
}

fn refuse_unique(cursor: &Cursor<'_>) -> SqlResult<()> {
    match cursor.at("UNIQUE") {
        true => Err(
            SqlError::unsupported("`UNIQUE` constraints are not supported")
                .with_hint("declare a `PRIMARY KEY (..) NOT ENFORCED`")
                .at_span(cursor.peek().span),
        ),
        false => Ok(()),
    }
}

fn not_enforced(cursor: &mut Cursor<'_>) -> SqlResult<()> {
    if cursor.eat_all(&["NOT", "ENFORCED"]) {
        return Ok(());
    }
    Err(cursor
        .expected("`NOT ENFORCED`")
        .with_hint("nothing checks that the key is unique: say `PRIMARY KEY .. NOT ENFORCED`"))
}

/// A column and the primary key its own constraint declares.
pub(super) fn column(cursor: &mut Cursor<'_>) -> SqlResult<(ColumnDef, Option<PrimaryKey>)> {
    let name = cursor.identifier()?;
    if cursor.eat("AS") {
        let (expr, text) = cursor.expression()?;
        let comment = comment(cursor)?;
        let kind = ColumnKind::Computed { expr, text };
        return Ok((
            ColumnDef {
                name,
                kind,
                comment,
            },
            None,
        ));
    }
    let data_type = cursor.data_type()?;
    if cursor.eat("METADATA") {
        let key = match cursor.eat("FROM") {
            true => Some(cursor.string()?),
            false => None,
        };
        let is_virtual = cursor.eat("VIRTUAL");
        let kind = ColumnKind::Metadata {
            data_type,
            key,
            is_virtual,
        };
        let comment = comment(cursor)?;
        return Ok((
            ColumnDef {
                name,
                kind,
                comment,
            },
            None,
        ));
    }
    let mut constraint_name = None;
    if cursor.eat("CONSTRAINT") {
        constraint_name = Some(cursor.identifier()?);
    }
    refuse_unique(cursor)?;
    let mut key = None;
    if cursor.eat_all(&["PRIMARY", "KEY"]) {
        not_enforced(cursor)?;
        key = Some(PrimaryKey {
            name: constraint_name,
            columns: vec![name.clone()],
        });
    }
    let comment = comment(cursor)?;
    let kind = ColumnKind::Physical { data_type };
    Ok((
        ColumnDef {
            name,
            kind,
            comment,
        },
        key,
    ))
}

/// `DISTRIBUTED [BY [HASH | RANGE] (columns)] [INTO n BUCKETS]`, if it stands here.
pub(super) fn distribution(cursor: &mut Cursor<'_>) -> SqlResult<Option<Distribution>> {
    if !cursor.eat("DISTRIBUTED") && !cursor.eat("DISTRIBUTION") {
        return Ok(None);
    }
    let mut distribution = Distribution {
        kind: None,
        columns: Vec::new(),
        buckets: None,
    };
    if cursor.eat("BY") {
        for kind in ["HASH", "RANGE"] {
            if cursor.eat(kind) {
                distribution.kind = Some(kind.to_string());
            }
        }
        distribution.columns = cursor.identifiers()?;
    }
    if cursor.eat("INTO") {
        distribution.buckets = Some(cursor.number()?);
        cursor.expect("BUCKETS")?;
    }
    Ok(Some(distribution))
}

fn like(cursor: &mut Cursor<'_>) -> SqlResult<LikeClause> {
    let source = cursor.path()?;
    let mut options = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        while !cursor.eat_token(&Token::RParen) {
            options.push(like_option(cursor)?);
        }
    }
    Ok(LikeClause { source, options })
}

fn like_option(cursor: &mut Cursor<'_>) -> SqlResult<LikeOption> {
    let strategy = match cursor.one_of(&["INCLUDING", "EXCLUDING", "OVERWRITING"])? {
        "INCLUDING" => MergeStrategy::Including,
        "EXCLUDING" => MergeStrategy::Excluding,
        _ => MergeStrategy::Overwriting,
    };
    let span = cursor.peek().span;
    let feature = match cursor.one_of(&[
        "ALL",
        "CONSTRAINTS",
        "DISTRIBUTION",
        "GENERATED",
        "METADATA",
        "OPTIONS",
        "PARTITIONS",
        "WATERMARKS",
    ])? {
        "ALL" => LikeFeature::All,
        "CONSTRAINTS" => LikeFeature::Constraints,
        "DISTRIBUTION" => LikeFeature::Distribution,
        "GENERATED" => LikeFeature::Generated,
        "METADATA" => LikeFeature::Metadata,
        "OPTIONS" => LikeFeature::Options,
        "PARTITIONS" => LikeFeature::Partitions,
        _ => LikeFeature::Watermarks,
    };
    let cannot_overwrite = matches!(
        feature,
        LikeFeature::All
            | LikeFeature::Constraints
            | LikeFeature::Distribution
            | LikeFeature::Partitions
    );
    if strategy == MergeStrategy::Overwriting && cannot_overwrite {
        let message = "only `GENERATED`, `METADATA`, `OPTIONS` and `WATERMARKS` can be overwritten";
        return Err(SqlError::syntax(message).at_span(span));
    }
    Ok(LikeOption { strategy, feature })
}

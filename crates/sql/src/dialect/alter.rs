//! `ALTER TABLE`, `ALTER VIEW` and `ALTER DATABASE`.

use sqlparser::tokenizer::Token;

use super::create_table::{
    at_primary_key, at_watermark, column, distribution, primary_key, watermark,
};
use super::cursor::Cursor;
use super::parse::{dotted, options};
use super::statement::{
    AlterElements, AlterTable, AlterTableAction, AlterView, AlterViewAction, ColumnPlace, Statement,
};
use crate::error::{SqlError, SqlResult};

/// `ALTER ..`.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("ALTER")?;
    match cursor.one_of(&["TABLE", "VIEW", "DATABASE"])? {
        "TABLE" => {
            let if_exists = cursor.if_exists();
            Ok(Statement::AlterTable(Box::new(AlterTable {
                name: cursor.path()?,
                if_exists,
                action: table_action(cursor)?,
            })))
        }
        "VIEW" => Ok(Statement::AlterView(AlterView {
            name: cursor.path()?,
            action: view_action(cursor)?,
        })),
        _ => {
            let name = cursor.path()?;
            cursor.expect("SET")?;
            Ok(Statement::AlterDatabase {
                name,
                options: options(cursor)?,
            })
        }
    }
}

fn view_action(cursor: &mut Cursor<'_>) -> SqlResult<AlterViewAction> {
    if cursor.eat("RENAME") {
        cursor.expect("TO")?;
        return Ok(AlterViewAction::Rename(cursor.path()?));
    }
    if !cursor.eat("AS") {
        return Err(cursor.expected("`RENAME TO` or `AS`"));
    }
    let (query, text) = cursor.query()?;
    Ok(AlterViewAction::As { query, text })
}

fn table_action(cursor: &mut Cursor<'_>) -> SqlResult<AlterTableAction> {
    if cursor.at("PARTITION") || cursor.at_all(&["ADD", "PARTITION"]) {
        return Err(partitions(cursor));
    }
    Ok(
        match cursor.one_of(&["RENAME", "SET", "RESET", "ADD", "MODIFY", "DROP"])? {
            "RENAME" if cursor.eat("TO") => AlterTableAction::Rename(cursor.path()?),
            "RENAME" => {
                let from = dotted(cursor)?;
                cursor.expect("TO")?;
                AlterTableAction::RenameColumn(from, cursor.identifier()?)
            }
            "SET" => AlterTableAction::Set(options(cursor)?),
            "RESET" => {
                cursor.expect_token(&Token::LParen)?;
                let keys = cursor.comma_separated(|cursor| cursor.string())?;
                cursor.expect_token(&Token::RParen)?;
                AlterTableAction::Reset(keys)
            }
            "ADD" => AlterTableAction::Add(elements(cursor)?),
            "MODIFY" => AlterTableAction::Modify(elements(cursor)?),
            _ => drop_action(cursor)?,
        },
    )
}

fn partitions(cursor: &Cursor<'_>) -> SqlError {
    SqlError::unsupported("changing the partitions of a table is not supported")
        .at_span(cursor.peek().span)
}

fn drop_action(cursor: &mut Cursor<'_>) -> SqlResult<AlterTableAction> {
    if cursor.at("PARTITION") {
        return Err(partitions(cursor));
    }
    if cursor.eat_all(&["PRIMARY", "KEY"]) {
        return Ok(AlterTableAction::DropPrimaryKey(None));
    }
    if cursor.at("CONSTRAINT") && matches!(cursor.peek_second().token, Token::Word(_)) {
        cursor.expect("CONSTRAINT")?;
        return Ok(AlterTableAction::DropPrimaryKey(Some(cursor.identifier()?)));
    }
    if cursor.eat("WATERMARK") {
        return Ok(AlterTableAction::DropWatermark);
    }
    if cursor.eat("DISTRIBUTION") {
        return Ok(AlterTableAction::DropDistribution);
    }
    if !cursor.eat_token(&Token::LParen) {
        return Ok(AlterTableAction::DropColumns(vec![dotted(cursor)?]));
    }
    let columns = cursor.comma_separated(dotted)?;
    cursor.expect_token(&Token::RParen)?;
    Ok(AlterTableAction::DropColumns(columns))
}

/// One element, or several in parentheses.
fn elements(cursor: &mut Cursor<'_>) -> SqlResult<AlterElements> {
    let mut elements = AlterElements::default();
    if !cursor.eat_token(&Token::LParen) {
        element(cursor, &mut elements)?;
        return Ok(elements);
    }
    loop {
        element(cursor, &mut elements)?;
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(elements)
}

fn element(cursor: &mut Cursor<'_>, elements: &mut AlterElements) -> SqlResult<()> {
    let span = cursor.peek().span;
    let twice = |what: &str| SqlError::syntax(format!("two {what}s are listed")).at_span(span);
    if at_watermark(cursor) {
        return match elements.watermark.replace(watermark(cursor)?) {
            None => Ok(()),
            Some(_) => Err(twice("watermark")),
        };
    }
    if at_primary_key(cursor) {
        return match elements.primary_key.replace(primary_key(cursor)?) {
            None => Ok(()),
            Some(_) => Err(twice("primary key")),
        };
    }
    if let Some(distribution) = distribution(cursor)? {
        return match elements.distribution.replace(distribution) {
            None => Ok(()),
            Some(_) => Err(twice("distribution")),
        };
    }
    let (column, key) = column(cursor)?;
    if let Some(key) = key
        && elements.primary_key.replace(key).is_some()
    {
        return Err(twice("primary key"));
    }
    let place = if cursor.eat("FIRST") {
        Some(ColumnPlace::First)
    } else if cursor.eat("AFTER") {
        Some(ColumnPlace::After(cursor.identifier()?))
    } else {
        None
    };
    elements.columns.push((column, place));
    Ok(())
}

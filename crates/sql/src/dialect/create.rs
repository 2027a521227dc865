//! `CREATE` and `DROP` of everything but tables.

use sqlparser::tokenizer::Token;

use super::create_table::create_table;
use super::cursor::Cursor;
use super::parse::{comment, object_kind, with_options};
use super::statement::{
    CreateCatalog, CreateDatabase, CreateFunction, CreateView, Drop, ObjectKind, Replace, Statement,
};
use crate::error::SqlResult;

/// `CREATE ..`.
pub(super) fn create(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("CREATE")?;
    let or_replace = cursor.eat_all(&["OR", "REPLACE"]);
    let temporary = cursor.eat("TEMPORARY");
    if cursor.at("TABLE") {
        let replace = if or_replace {
            Replace::OrCreate
        } else {
            Replace::No
        };
        return create_table(cursor, temporary, replace);
    }
    if cursor.at("VIEW") {
        return create_view(cursor, temporary, or_replace);
    }
    if or_replace {
        return Err(cursor.expected("`TABLE` or `VIEW`"));
    }
    if cursor.at("FUNCTION") || (temporary && cursor.at_all(&["SYSTEM", "FUNCTION"])) {
        return create_function(cursor, temporary);
    }
    if temporary {
        return Err(cursor.expected("`TABLE`, `VIEW` or `FUNCTION`"));
    }
    match object_kind(cursor)? {
        ObjectKind::Database => {
            let if_not_exists = cursor.if_not_exists();
            Ok(Statement::CreateDatabase(CreateDatabase {
                name: cursor.path()?,
                if_not_exists,
                comment: comment(cursor)?,
                options: with_options(cursor)?,
            }))
        }
        _ => {
            let if_not_exists = cursor.if_not_exists();
            Ok(Statement::CreateCatalog(CreateCatalog {
                name: cursor.identifier()?,
                if_not_exists,
                comment: comment(cursor)?,
                options: with_options(cursor)?,
            }))
        }
    }
}

fn create_view(cursor: &mut Cursor<'_>, temporary: bool, or_replace: bool) -> SqlResult<Statement> {
    cursor.expect("VIEW")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.path()?;
    let columns = match cursor.peek().token {
        Token::LParen => cursor.identifiers()?,
        _ => Vec::new(),
    };
    let comment = comment(cursor)?;
    cursor.expect("AS")?;
    let (query, text) = cursor.query()?;
    Ok(Statement::CreateView(Box::new(CreateView {
        temporary,
        or_replace,
        if_not_exists,
        name,
        columns,
        comment,
        query,
        text,
    })))
}

fn create_function(cursor: &mut Cursor<'_>, temporary: bool) -> SqlResult<Statement> {
    let system = cursor.eat("SYSTEM");
    cursor.expect("FUNCTION")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.path()?;
    cursor.expect("AS")?;
    let class = cursor.string()?;
    let language = match cursor.eat("LANGUAGE") {
        true => Some(
            cursor
                .one_of(&["JAVA", "SCALA", "PYTHON", "SQL"])?
                .to_string(),
        ),
        false => None,
    };
    let mut artifacts = Vec::new();
    if cursor.eat("USING") {
        artifacts = cursor.comma_separated(|cursor| {
            cursor.one_of(&["JAR", "ARTIFACT"])?;
            cursor.string()
        })?;
    }
    Ok(Statement::CreateFunction(CreateFunction {
        temporary,
        system,
        if_not_exists,
        name,
        class,
        language,
        artifacts,
    }))
}

/// `DROP ..`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("DROP")?;
    let temporary = cursor.eat("TEMPORARY");
    if temporary {
        cursor.eat("SYSTEM");
    }
    let kind = object_kind(cursor)?;
    let if_exists = cursor.if_exists();
    let name = cursor.path()?;
    let cascade = cursor.eat("CASCADE");
    if !cascade {
        cursor.eat("RESTRICT");
    }
    Ok(Statement::Drop(Drop {
        kind,
        temporary,
        if_exists,
        name,
        cascade,
    }))
}

//! `INSERT` and statement sets.

use sqlparser::ast::{Expr, Ident};
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::hints::{Hint, HintArgument};
use super::keywords::is_word;
use super::prepass::OPTIONS_MARK;
use super::statement::{Insert, OnConflict, Statement};
use crate::error::{Position, SqlError, SqlResult};

/// `INSERT {INTO | OVERWRITE} ..`.
pub(super) fn insert(cursor: &mut Cursor<'_>) -> SqlResult<Insert> {
    let position = cursor.position();
    cursor.expect("INSERT")?;
    let overwrite = cursor.one_of(&["INTO", "OVERWRITE"])? == "OVERWRITE";
    if overwrite {
        cursor.eat("INTO");
    }
    let table = cursor.path()?;
    let hints = hints(cursor)?;
    let partition = match cursor.eat("PARTITION") {
        true => partition(cursor)?,
        false => Vec::new(),
    };
    let mut columns = Vec::new();
    if cursor.peek().token == Token::LParen && !begins_query(&cursor.peek_second().token) {
        columns = cursor.identifiers()?;
    }
    let (query, _) = cursor.query()?;
    let on_conflict = on_conflict(cursor)?;
    Ok(Insert {
        table,
        hints,
        overwrite,
        partition,
        columns,
        query,
        on_conflict,
        position,
    })
}

fn begins_query(token: &Token) -> bool {
    *token == Token::LParen
        || ["SELECT", "WITH", "VALUES"]
            .iter()
            .any(|word| is_word(token, word))
}

/// The hint that a marked partition list stands for.
fn hints(cursor: &mut Cursor<'_>) -> SqlResult<Vec<Hint>> {
    let mut hints = Vec::new();
    while cursor.at("PARTITION") && cursor.peek_second().token == Token::LParen {
        let start = cursor.peek().span.start;
        if start != cursor.peek_second().span.start {
            break;
        }
        cursor.expect("PARTITION")?;
        cursor.expect_token(&Token::LParen)?;
        cursor.expect(OPTIONS_MARK)?;
        let mut arguments = Vec::new();
        while cursor.eat_token(&Token::Comma) {
            let key = cursor.string()?;
            cursor.expect_token(&Token::Comma)?;
            arguments.push(HintArgument::Pair(key, cursor.string()?));
        }
        cursor.expect_token(&Token::RParen)?;
        hints.push(Hint {
            name: "OPTIONS".to_string(),
            arguments,
            position: Position::new(start.line, start.column),
        });
    }
    Ok(hints)
}

/// `(p = literal, ..)`; a column without a value is a dynamic partition and needs no entry.
fn partition(cursor: &mut Cursor<'_>) -> SqlResult<Vec<(Ident, Expr)>> {
    cursor.expect_token(&Token::LParen)?;
    let entries = cursor.comma_separated(|cursor| {
        let column = cursor.identifier()?;
        if !cursor.eat_token(&Token::Eq) {
            return Ok(None);
        }
        Ok(Some((column, cursor.expression()?.0)))
    })?;
    cursor.expect_token(&Token::RParen)?;
    Ok(entries.into_iter().flatten().collect())
}

fn on_conflict(cursor: &mut Cursor<'_>) -> SqlResult<Option<OnConflict>> {
    if !cursor.eat_all(&["ON", "CONFLICT"]) {
        return Ok(None);
    }
    cursor.expect("DO")?;
    Ok(Some(
        match cursor.one_of(&["NOTHING", "ERROR", "DEDUPLICATE"])? {
            "NOTHING" => OnConflict::Nothing,
            "ERROR" => OnConflict::Error,
            _ => OnConflict::Deduplicate,
        },
    ))
}

/// `STATEMENT SET BEGIN insert; .. END` or `BEGIN STATEMENT SET; insert; .. END`.
pub(super) fn statement_set(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    let span = cursor.peek().span;
    if cursor.eat("BEGIN") {
        cursor.expect_all(&["STATEMENT", "SET"])?;
    } else {
        cursor.expect_all(&["STATEMENT", "SET", "BEGIN"])?;
    }
    let mut inserts = Vec::new();
    loop {
        while cursor.eat_token(&Token::SemiColon) {}
        if cursor.eat("END") {
            break;
        }
        if !cursor.at("INSERT") {
            return Err(cursor.expected("`INSERT` or `END`"));
        }
        inserts.push(insert(cursor)?);
        if cursor.peek().token != Token::SemiColon {
            return Err(cursor.expected("`;`"));
        }
    }
    if inserts.is_empty() {
        return Err(SqlError::syntax("a statement set needs an `INSERT`").at_span(span));
    }
    Ok(Statement::StatementSet(inserts))
}

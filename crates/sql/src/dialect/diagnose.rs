//! Better errors where the wrapped parser's first guess misleads.
//!
//! It tries a parenthesis in `FROM` as a sub-query, then as a join, and reports only the second
//! failure. A sub-query stands by itself, so the innermost one that does not parse alone holds
//! the mistake.

use sqlparser::tokenizer::Token;

use super::cursor::{Cursor, Source};
use super::keywords::{ends_expression, is_word};
use crate::error::{Position, SqlError, nearest};

/// Clause words worth proposing for a misspelt one.
const CLAUSES: &[&str] = &[
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "WINDOW",
    "QUALIFY",
    "MATCH_RECOGNIZE",
];

/// The error of the innermost sub-query at or after token `from` that does not parse alone.
pub(super) fn inner_error(source: &Source<'_>, from: usize) -> Option<SqlError> {
    let lexemes = source.lexemes();
    let begins_query = |index: usize| {
        lexemes.get(index).is_some_and(|lexeme| {
            let token = &lexeme.token.token;
            is_word(token, "SELECT") || is_word(token, "WITH")
        })
    };
    for open in (from..lexemes.len()).rev() {
        let is_open = lexemes
            .get(open)
            .is_some_and(|lexeme| lexeme.token.token == Token::LParen);
        if !is_open || !begins_query(open + 1) {
            continue;
        }
        // Without its closing parenthesis the mistake is the outer query's to report.
        let close = closing(source, open)?;
        let inner = lexemes.get(open + 1..close)?.to_vec();
        let end = lexemes.get(close)?.token.span.start;
        let end = Position::new(end.line, end.column);
        let mut cursor = Cursor::new(source.text(), inner, end);
        let result = cursor.query().and_then(|_| cursor.end());
        if let Err(error) = result {
            return Some(at_parenthesis(error, end));
        }
    }
    None
}

/// An inner query ends with a parenthesis, not with the statement.
fn at_parenthesis(mut error: SqlError, end: Position) -> SqlError {
    if error.position == Some(end) {
        error.message = error.message.replace("found end of statement", "found `)`");
    }
    error.message = error
        .message
        .replace("expected end of statement", "expected `)`");
    error
}

/// The index of the parenthesis that closes the one at `open`.
fn closing(source: &Source<'_>, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, lexeme) in source.lexemes().iter().enumerate().skip(open) {
        match lexeme.token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// `error` with advice if the token at `index` or the one before it is nearly a clause's word.
pub(super) fn misspelt_word(source: &Source<'_>, index: usize, error: SqlError) -> SqlError {
    let candidates = [index.checked_sub(1), Some(index)];
    for lexeme in candidates
        .into_iter()
        .flatten()
        .filter_map(|at| source.lexemes().get(at))
    {
        if let Token::Word(word) = &lexeme.token.token
            && word.quote_style.is_none()
            && word.value.len() >= 4
            && !ends_expression(word)
            && let Some(found) = nearest(&word.value, CLAUSES.iter().copied())
            && !found.eq_ignore_ascii_case(&word.value)
        {
            let hint = format!("did you mean `{found}` instead of `{}`?", word.value);
            return error.with_hint(hint);
        }
    }
    error
}

//! Flink SQL from text to trees.
//!
//! ```text
//! text ──lexer──▶ tokens ──script──▶ statements ──prepass──▶ parser ──postpass──▶ Statement
//!                                      (cut at `;`)  (hints)            (checks)
//! ```
//!
//! Expressions and queries are parsed by the wrapped `sqlparser` with the rules of
//! [`FlinkDialect`]; the statements around them are parsed here. Two promises to the planner:
//! every place is relative to the whole script, and nothing that was written is dropped: it is
//! in the tree, or the statement failed.

mod alter;
mod create;
mod create_table;
mod cursor;
mod data_type;
mod diagnose;
mod flink;
mod hints;
mod insert;
mod interval;
mod json;
mod keywords;
mod lexer;
mod locate;
mod parse;
mod parse_error;
mod postpass;
mod prepass;
mod script;
mod show;
mod statement;
#[cfg(test)]
mod tests;
mod window_tvf;

use sqlparser::ast::{Expr, Query};

pub use self::flink::{
    FINAL, FlinkDialect, IS_JSON, ORDER_BY, PARTITION_BY, RUNNING, TABLE_ARGUMENT,
};
pub use self::hints::{Hint, HintArgument, select_hints, table_options};
pub use self::interval::{IntervalValue, interval_to_millis_or_months};
pub use self::locate::locate;
pub use self::script::{Script, is_complete};
pub use self::statement::*;
pub use self::window_tvf::{
    TableFunctionCall, TvfInput, WindowKind, WindowTvf, match_within, table_function, window_tvf,
};
use crate::error::SqlResult;
use crate::types::SqlType;

/// Parses every statement of `text`.
///
/// # Errors
/// The first statement's that fails; [`Script`] gives those before it as well.
pub fn parse_script(text: &str) -> SqlResult<Vec<Spanned<Statement>>> {
    Script::new(text).collect()
}

/// Parses `text` as one expression.
///
/// # Errors
/// `Syntax` and the other kinds an expression can fail with, placed in `text`.
pub fn parse_expression(text: &str) -> SqlResult<Expr> {
    whole(text, |cursor| Ok(cursor.expression()?.0))
}

/// Parses `text` as one query, for instance the stored text of a view.
///
/// # Errors
/// `Syntax` and the other kinds a query can fail with, placed in `text`.
pub fn parse_query(text: &str) -> SqlResult<Box<Query>> {
    whole(text, |cursor| Ok(cursor.query()?.0))
}

/// Parses `text` as one type.
pub(crate) fn parse_type(text: &str) -> SqlResult<SqlType> {
    whole(text, |cursor| cursor.data_type())
}

/// Runs `parse` on all of `text`, which must be one piece.
fn whole<T>(
    text: &str,
    parse: impl FnOnce(&mut cursor::Cursor<'_>) -> SqlResult<T>,
) -> SqlResult<T> {
    let mut lexer = lexer::Lexer::new(text);
    let mut lexemes = Vec::new();
    while let Some(lexeme) = lexer.next_lexeme().map_err(|failure| failure.error)? {
        lexemes.push(lexeme);
    }
    let end = lexer.position();
    let mut cursor = cursor::Cursor::new(text, prepass::rewrite(lexemes)?, end);
    let parsed = parse(&mut cursor)?;
    cursor.end()?;
    Ok(parsed)
}

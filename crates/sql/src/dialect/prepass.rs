//! Rewrites the tokens of a statement into ones the wrapped parser understands.
//!
//! | Written                                  | Handed to the parser                         |
//! |------------------------------------------|----------------------------------------------|
//! | `SELECT /*+ H */`                        | the same comment, its place in front         |
//! | `t /*+ OPTIONS('k'='v') */`              | `t PARTITION ($options, 'k', 'v')`           |
//! | `PATTERN (..) WITHIN i SUBSET .. DEFINE` | `PATTERN (..) SUBSET .. DEFINE $within AS i,`|
//!
//! A partition list is the one thing the parser accepts between a table's name and everything
//! that may follow it (`FOR SYSTEM_TIME`, an alias); [`super::postpass`] turns it into hints.
//! New tokens take the place of the text they stand for, so that errors point at it.

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::hints::{self, HintArgument};
use super::keywords::{ends_expression, is_word, name, word};
use super::lexer::Lexeme;
use crate::error::{Position, SqlError, SqlResult};

/// The first entry of a partition list that stands for an `OPTIONS` hint.
pub(super) const OPTIONS_MARK: &str = "$options";

/// The symbol whose definition is the interval of a `WITHIN` clause.
pub(super) const WITHIN_MARK: &str = "$within";

/// Rewrites hints and `WITHIN` clauses.
pub(super) fn rewrite(lexemes: Vec<Lexeme>) -> SqlResult<Vec<Lexeme>> {
    let mut out: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    for lexeme in lexemes {
        match &lexeme.token.token {
            Token::Whitespace(Whitespace::MultiLineComment(text)) => {
                let text = text.strip_prefix('+').unwrap_or(text).to_string();
                rewrite_hint(&mut out, lexeme, &text)?;
            }
            _ => out.push(lexeme),
        }
    }
    move_within(&mut out);
    Ok(out)
}

fn rewrite_hint(out: &mut Vec<Lexeme>, comment: Lexeme, text: &str) -> SqlResult<()> {
    let start = comment.token.span.start;
    let position = Position::new(start.line, start.column + "/*+".len() as u64);
    let parsed = hints::parse(text, position)?;
    let before = out.last().map(|lexeme| &lexeme.token.token);
    match before {
        Some(token) if is_word(token, "SELECT") => {
            hints::check_on_select(&parsed)?;
            let content = hints::marked(text, position);
            out.push(replaced(
                &comment,
                Token::Whitespace(Whitespace::MultiLineComment(content)),
            ));
        }
        Some(Token::Word(table)) if !ends_expression(table) => {
            hints::check_on_table(&parsed)?;
            let mut list = vec![name(OPTIONS_MARK, None)];
            for argument in parsed.into_iter().flat_map(|hint| hint.arguments) {
                let HintArgument::Pair(key, value) = argument else {
                    let message = "an `OPTIONS` hint takes pairs `'key' = 'value'`";
                    return Err(SqlError::syntax(message).at_span(comment.token.span));
                };
                list.push(Token::SingleQuotedString(key));
                list.push(Token::SingleQuotedString(value));
            }
            out.push(replaced(&comment, word("PARTITION")));
            out.push(replaced(&comment, Token::LParen));
            for (index, token) in list.into_iter().enumerate() {
                if index > 0 {
                    out.push(replaced(&comment, Token::Comma));
                }
                out.push(replaced(&comment, token));
            }
            out.push(replaced(&comment, Token::RParen));
        }
        _ => {
            let message = "a hint stands after `SELECT` or after a table's name only";
            return Err(SqlError::syntax(message).at_span(comment.token.span));
        }
    }
    Ok(())
}

/// `token` at the place of `original`.
fn replaced(original: &Lexeme, token: Token) -> Lexeme {
    Lexeme {
        token: TokenWithSpan::new(token, original.token.span),
        bytes: original.bytes.clone(),
    }
}

/// Moves each `WITHIN interval` of a pattern behind the following `DEFINE`.
fn move_within(lexemes: &mut Vec<Lexeme>) {
    let mut index = 1;
    while index + 1 < lexemes.len() {
        if let Some(moved) = moved_within(lexemes, index) {
            *lexemes = moved;
        }
        index += 1;
    }
}

fn moved_within(lexemes: &[Lexeme], index: usize) -> Option<Vec<Lexeme>> {
    let is = |at: usize, word| {
        lexemes
            .get(at)
            .is_some_and(|lexeme| is_word(&lexeme.token.token, word))
    };
    let closes = lexemes.get(index.checked_sub(1)?)?.token.token == Token::RParen;
    if !(closes && is(index, "WITHIN") && is(index + 1, "INTERVAL")) {
        return None;
    }
    let interval_end = (index..lexemes.len()).find(|&at| is(at, "DEFINE") || is(at, "SUBSET"))?;
    let define = (interval_end..lexemes.len()).find(|&at| is(at, "DEFINE"))?;
    let within = lexemes.get(index)?;
    let mut out = lexemes.get(..index)?.to_vec();
    out.extend_from_slice(lexemes.get(interval_end..=define)?);
    out.push(replaced(within, name(WITHIN_MARK, None)));
    out.push(replaced(within, word("AS")));
    out.extend_from_slice(lexemes.get(index + 1..interval_end)?);
    out.push(replaced(within, Token::Comma));
    out.extend_from_slice(lexemes.get(define + 1..)?);
    Some(out)
}

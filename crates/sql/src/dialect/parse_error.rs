//! Our errors through the wrapped parser, and its errors to ours.
//!
//! The hooks of the dialect can only return the parser's own error, a text. A [`SqlError`]
//! travels inside such a text, fields separated by a control character no SQL text holds in an
//! error message; every other text is the parser's, for instance
//! `Expected: ), found: FROM at Line: 1, Column: 5`.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::error::{ErrorKind, Position, SqlError};

const SEPARATOR: char = '\u{1}';

/// The parser's error that carries `error`.
pub(super) fn encode(error: SqlError) -> ParserError {
    let position = error.position.unwrap_or(Position::new(0, 0));
    let fields = [
        String::new(),
        format!("{:?}", error.kind),
        position.line.to_string(),
        position.column.to_string(),
        error.length.to_string(),
        error.message,
        error.hint.unwrap_or_default(),
    ];
    ParserError::ParserError(fields.join(&SEPARATOR.to_string()))
}

/// The error carried by `text`, if it carries one.
fn decode(text: &str) -> Option<SqlError> {
    let mut fields = text.strip_prefix(SEPARATOR)?.split(SEPARATOR);
    let kind = match fields.next()? {
        "Unknown" => ErrorKind::Unknown,
        "Type" => ErrorKind::Type,
        "Unsupported" => ErrorKind::Unsupported,
        "Catalog" => ErrorKind::Catalog,
        "Data" => ErrorKind::Data,
        "Internal" => ErrorKind::Internal,
        _ => ErrorKind::Syntax,
    };
    let line: u64 = fields.next()?.parse().ok()?;
    let column = fields.next()?.parse().ok()?;
    let length = fields.next()?.parse().ok()?;
    let error = SqlError::new(kind, fields.next()?);
    let error = match fields.next() {
        Some("") | None => error,
        Some(hint) => error.with_hint(hint),
    };
    Some(match line {
        0 => error,
        line => error.at(Position::new(line, column), length),
    })
}

/// The error of a hook: `what` was expected where the parser stands.
pub(super) fn expected<T>(parser: &Parser<'_>, what: &str) -> Result<T, ParserError> {
    parser.expected_ref(what, parser.peek_token_ref())
}

/// The error of a hook: `error` at `span`.
pub(super) fn fail<T>(error: SqlError, span: Span) -> Result<T, ParserError> {
    Err(encode(error.at_span(span)))
}

/// What a parser's error says, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reported {
    /// One of ours.
    Own(SqlError),
    /// `expected` was wanted where another token stands; no place means the end of the text.
    Expected(String, Option<Position>),
    /// Anything else.
    Other(String, Option<Position>),
}

/// Takes a parser's error apart.
pub(super) fn reported(error: &ParserError) -> Reported {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => {
            return Reported::Own(SqlError::syntax("the statement is nested too deeply"));
        }
    };
    if let Some(own) = decode(text) {
        return Reported::Own(own);
    }
    let (text, position) = cut_position(text);
    match text
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.split_once(", found: "))
    {
        Some((wanted, _)) => Reported::Expected(code(wanted), position),
        None => Reported::Other(lower_first(text), position),
    }
}

/// Splits `.. at Line: 1, Column: 5` off.
fn cut_position(text: &str) -> (&str, Option<Position>) {
    let parsed = text.rsplit_once(" at Line: ").and_then(|(head, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let position = Position::new(line.parse().ok()?, column.trim().parse().ok()?);
        Some((head, position))
    });
    match parsed {
        Some((head, position)) => (head, Some(position)),
        None => (text, None),
    }
}

/// `wanted` in back-ticks if it is SQL and not a description.
fn code(wanted: &str) -> String {
    let wanted = match wanted {
        "identifier" => return "a name".to_string(),
        "SELECT, VALUES, or a subquery in the query body" => return "a query".to_string(),
        other => other.strip_prefix("expected ").unwrap_or(other),
    };
    if wanted.chars().any(|c| c.is_lowercase()) {
        wanted.to_string()
    } else {
        format!("`{wanted}`")
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Whether the parser stands at the unquoted word `expected`, `ahead` tokens on.
pub(super) fn at_word(parser: &Parser<'_>, ahead: usize, expected: &str) -> bool {
    super::keywords::is_word(&parser.peek_nth_token_ref(ahead).token, expected)
}

/// Consumes the unquoted word `expected` if the parser stands at it.
pub(super) fn eat_word(parser: &mut Parser<'_>, expected: &str) -> bool {
    let found = at_word(parser, 0, expected);
    if found {
        parser.advance_token();
    }
    found
}

/// Consumes the unquoted words `expected` if the parser stands at all of them.
pub(super) fn eat_words(parser: &mut Parser<'_>, expected: &[&str]) -> bool {
    let found = expected
        .iter()
        .enumerate()
        .all(|(ahead, word)| at_word(parser, ahead, word));
    if found {
        for _ in expected {
            parser.advance_token();
        }
    }
    found
}

/// Consumes the unquoted word `expected`.
pub(super) fn expect_word(parser: &mut Parser<'_>, wanted: &str) -> Result<(), ParserError> {
    match eat_word(parser, wanted) {
        true => Ok(()),
        false => expected(parser, wanted),
    }
}

/// Consumes an unsigned number.
pub(super) fn unsigned(parser: &mut Parser<'_>) -> Result<(u64, Span), ParserError> {
    let token = parser.peek_token_ref();
    let span = token.span;
    let Token::Number(digits, _) = &token.token else {
        return expected(parser, "a number");
    };
    match digits.parse() {
        Ok(number) => {
            parser.advance_token();
            Ok((number, span))
        }
        Err(_) => expected(parser, "a whole number"),
    }
}

//! Hints: `/*+ NAME(argument, ..), .. */` after `SELECT` or after a table's name.
//!
//! The wrapped parser treats comments as blanks and would drop most hints. Here every hint is
//! parsed before the statement is: a hint that is malformed, unknown or in the wrong place is an
//! error, and all others arrive in the tree.
//!
//! | Hint                                    | Place  | How it arrives                         |
//! |-----------------------------------------|--------|----------------------------------------|
//! | `OPTIONS('k'='v')`                      | table  | [`table_options`] of the table factor  |
//! | `OPTIONS` on the target of an `INSERT`  | table  | `Insert::hints`                        |
//! | `STATE_TTL`, `LOOKUP`, join hints       | SELECT | [`select_hints`] of the `Select`       |

use sqlparser::ast::{BinaryOperator, Expr, Select, TableFactor, Value};
use sqlparser::tokenizer::Token;

use super::lexer::Lexer;
use crate::error::{Position, SqlError, SqlResult};

/// Hints on a table.
const ON_TABLE: &[&str] = &["OPTIONS"];

/// Hints on a query.
const ON_SELECT: &[&str] = &[
    "BROADCAST",
    "LOOKUP",
    "MULTI_JOIN",
    "NEST_LOOP",
    "SHUFFLE_HASH",
    "SHUFFLE_MERGE",
    "STATE_TTL",
];

/// One hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Its name in upper case.
    pub name: String,
    /// Its arguments, in order.
    pub arguments: Vec<HintArgument>,
    /// Where it is written.
    pub position: Position,
}

/// An argument of a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HintArgument {
    /// A name: `BROADCAST(t)`.
    Name(String),
    /// A pair: `OPTIONS('k' = 'v')`.
    Pair(String, String),
}

impl Hint {
    /// The arguments that are pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arguments.iter().filter_map(|argument| match argument {
            HintArgument::Pair(key, value) => Some((key.as_str(), value.as_str())),
            HintArgument::Name(_) => None,
        })
    }

    /// The arguments that are names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().filter_map(|argument| match argument {
            HintArgument::Name(name) => Some(name.as_str()),
            HintArgument::Pair(..) => None,
        })
    }
}

/// The options given to a table by a hint, in order; empty for other table factors.
pub fn table_options(table: &TableFactor) -> Vec<(String, String)> {
    let TableFactor::Table { with_hints, .. } = table else {
        return Vec::new();
    };
    let text = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    with_hints
        .iter()
        .filter_map(|hint| match hint {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => Some((text(left)?, text(right)?)),
            _ => None,
        })
        .collect()
}

/// The hints after a `SELECT`, in order.
///
/// # Errors
/// `Syntax` for a tree that did not come from this dialect's parser.
pub fn select_hints(select: &Select) -> SqlResult<Vec<Hint>> {
    let mut hints = Vec::new();
    for comment in &select.optimizer_hints {
        let position = comment
            .prefix
            .strip_prefix('L')
            .and_then(|place| place.split_once('C'))
            .and_then(|(line, column)| {
                Some(Position::new(line.parse().ok()?, column.parse().ok()?))
            })
            .unwrap_or(Position::new(1, 1));
        hints.extend(parse(&comment.text, position)?);
    }
    Ok(hints)
}

/// The comment that stands for a `SELECT`'s hint: `+ text`, its place in front.
pub(super) fn marked(text: &str, position: Position) -> String {
    format!("L{}C{}+{text}", position.line, position.column)
}

/// Checks that `hints` may stand on a table.
pub(super) fn check_on_table(hints: &[Hint]) -> SqlResult<()> {
    check(hints, ON_TABLE, ON_SELECT, "after `SELECT`")
}

/// Checks that `hints` may stand after `SELECT`.
pub(super) fn check_on_select(hints: &[Hint]) -> SqlResult<()> {
    check(hints, ON_SELECT, ON_TABLE, "after a table's name")
}

fn check(hints: &[Hint], here: &[&str], there: &[&str], place: &str) -> SqlResult<()> {
    for hint in hints {
        let length = hint.name.chars().count() as u64;
        let name = hint.name.as_str();
        if there.contains(&name) {
            let message = format!("the hint `{name}` belongs {place}");
            return Err(SqlError::syntax(message).at(hint.position, length));
        }
        if !here.contains(&name) {
            return Err(SqlError::unknown(format!("unknown hint `{name}`"))
                .with_nearest(name, here.iter().chain(there).copied())
                .at(hint.position, length));
        }
    }
    Ok(())
}

/// Parses the text of a hint comment after its `+`, which begins at `position`.
pub(super) fn parse(text: &str, position: Position) -> SqlResult<Vec<Hint>> {
    let mut tokens = Tokens {
        lexer: Lexer::at(text, position),
        start: position,
        current: Token::EOF,
    };
    tokens.advance()?;
    let mut hints = Vec::new();
    loop {
        let start = tokens.start;
        let Token::Word(name) = tokens.take()? else {
            return Err(expected("a hint's name", start));
        };
        let mut arguments = Vec::new();
        if tokens.eat(&Token::LParen)? && !tokens.eat(&Token::RParen)? {
            loop {
                arguments.push(tokens.argument()?);
                if !tokens.eat(&Token::Comma)? {
                    break;
                }
            }
            if !tokens.eat(&Token::RParen)? {
                return Err(expected("`,` or `)` in the hint", tokens.start));
            }
        }
        hints.push(Hint {
            name: name.value.to_ascii_uppercase(),
            arguments,
            position: start,
        });
        tokens.eat(&Token::Comma)?;
        if tokens.current == Token::EOF {
            return Ok(hints);
        }
    }
}

fn expected(what: &str, position: Position) -> SqlError {
    SqlError::syntax(format!("expected {what}")).at(position, 1)
}

/// The tokens of a hint with one token of look-ahead.
struct Tokens<'a> {
    lexer: Lexer<'a>,
    current: Token,
    start: Position,
}

impl Tokens<'_> {
    fn advance(&mut self) -> SqlResult<()> {
        let next = self.lexer.next_lexeme().map_err(|failure| failure.error)?;
        match next {
            Some(lexeme) => {
                let start = lexeme.token.span.start;
                self.start = Position::new(start.line, start.column);
                self.current = lexeme.token.token;
            }
            None => {
                self.start = self.lexer.position();
                self.current = Token::EOF;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> SqlResult<Token> {
        let token = self.current.clone();
        self.advance()?;
        Ok(token)
    }

    fn eat(&mut self, expected: &Token) -> SqlResult<bool> {
        let found = self.current == *expected;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn argument(&mut self) -> SqlResult<HintArgument> {
        let (key, is_text) = self.operand()?;
        if self.eat(&Token::Eq)? {
            let (value, _) = self.operand()?;
            return Ok(HintArgument::Pair(key, value));
        }
        let mut name = key;
        while !is_text && self.eat(&Token::Period)? {
            name.push('.');
            name.push_str(&self.operand()?.0);
        }
        Ok(HintArgument::Name(name))
    }

    /// A word, string or number, and whether it is a string.
    fn operand(&mut self) -> SqlResult<(String, bool)> {
        let start = self.start;
        match self.take()? {
            Token::Word(word) => Ok((word.value, false)),
            Token::SingleQuotedString(text) => Ok((text, true)),
            Token::Number(number, _) => Ok((number, false)),
            _ => Err(expected("a name or a string in the hint", start)),
        }
    }
}

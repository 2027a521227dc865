//! The wrapped parser over one statement, with errors of ours.
//!
//! The cursor knows the text behind every token: an error quotes what is written, and a view or
//! a computed column keeps its definition as written.

use std::ops::Range;

use sqlparser::ast::{Expr, Ident, Query};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::diagnose;
use super::flink::FlinkDialect;
use super::keywords::is_word;
use super::lexer::Lexeme;
use super::parse_error::{Reported, reported};
use super::postpass;
use super::statement::ObjectPath;
use crate::error::{Position, SqlError, SqlResult};
use crate::types::SqlType;

/// How deep expressions and queries may nest.
const DEPTH_MAX: usize = 256;

static DIALECT: FlinkDialect = FlinkDialect;

/// A parser of one statement's tokens.
pub(super) struct Cursor<'a> {
    parser: Parser<'a>,
    source: Source<'a>,
}

/// The text behind the tokens.
pub(super) struct Source<'a> {
    text: &'a str,
    lexemes: Vec<Lexeme>,
    end: Position,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first of `lexemes`, which end at `end` of `text`.
    pub(super) fn new(text: &'a str, lexemes: Vec<Lexeme>, end: Position) -> Self {
        let tokens: Vec<TokenWithSpan> =
            lexemes.iter().map(|lexeme| lexeme.token.clone()).collect();
        Self {
            parser: Parser::new(&DIALECT)
                .with_recursion_limit(DEPTH_MAX)
                .with_tokens_with_locations(tokens),
            source: Source { text, lexemes, end },
        }
    }

    /// The next token.
    pub(super) fn peek(&self) -> &TokenWithSpan {
        self.parser.peek_token_ref()
    }

    /// The token after the next.
    pub(super) fn peek_second(&self) -> &TokenWithSpan {
        self.parser.peek_nth_token_ref(1)
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().token == Token::EOF
    }

    /// The place of the next token, or the end of the statement.
    pub(super) fn position(&self) -> Position {
        match self.peek().span.start {
            start if start.line == 0 => self.source.end,
            start => Position::new(start.line, start.column),
        }
    }

    pub(super) fn advance(&mut self) {
        self.parser.advance_token();
    }

    /// Whether the next token is the unquoted word `word`.
    pub(super) fn at(&self, word: &str) -> bool {
        is_word(&self.peek().token, word)
    }

    /// Whether the next tokens are the unquoted `words`.
    pub(super) fn at_all(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(ahead, word)| is_word(&self.parser.peek_nth_token_ref(ahead).token, word))
    }

    /// Consumes `word` if it comes next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.at(word);
        if found {
            self.advance();
        }
        found
    }

    /// Consumes all of `words` if they come next.
    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let found = self.at_all(words);
        if found {
            for _ in words {
                self.advance();
            }
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> SqlResult<()> {
        match self.eat(word) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{word}`"))),
        }
    }

    pub(super) fn expect_all(&mut self, words: &[&str]) -> SqlResult<()> {
        words.iter().try_for_each(|word| self.expect(word))
    }

    /// Consumes one of `words` and returns which.
    pub(super) fn one_of<'w>(&mut self, words: &[&'w str]) -> SqlResult<&'w str> {
        match words.iter().find(|word| self.eat(word)) {
            Some(word) => Ok(word),
            None => {
                let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(self.expected(&list.join(", ").replacen(
                    ", ",
                    " or ",
                    match list.len() {
                        2 => 1,
                        _ => 0,
                    },
                )))
            }
        }
    }

    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> SqlResult<()> {
        match self.eat_token(token) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{token}`"))),
        }
    }

    /// The error that `what` should stand here.
    pub(super) fn expected(&self, what: &str) -> SqlError {
        self.source.expected_at(what, self.index_of_next())
    }

    fn index_of_next(&self) -> usize {
        let start = self.peek().span.start;
        self.source
            .index_at(Position::new(start.line, start.column))
    }

    /// `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat_all(&["IF", "NOT", "EXISTS"])
    }

    /// `IF EXISTS`.
    pub(super) fn if_exists(&mut self) -> bool {
        self.eat_all(&["IF", "EXISTS"])
    }

    pub(super) fn identifier(&mut self) -> SqlResult<Ident> {
        match &self.peek().token {
            Token::Word(word) => {
                let ident = word.to_ident(self.peek().span);
                self.advance();
                Ok(ident)
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// `(a, b, ..)`.
    pub(super) fn identifiers(&mut self) -> SqlResult<Vec<Ident>> {
        self.expect_token(&Token::LParen)?;
        let names = self.comma_separated(|cursor| cursor.identifier())?;
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    /// `a.b.c`.
    pub(super) fn path(&mut self) -> SqlResult<ObjectPath> {
        let mut parts = vec![self.identifier()?];
        while self.eat_token(&Token::Period) {
            parts.push(self.identifier()?);
        }
        if let (Some(first), true) = (parts.first(), parts.len() > 3) {
            let message = "a name has at most three parts: `catalog.database.object`";
            return Err(SqlError::syntax(message).at_span(first.span));
        }
        Ok(ObjectPath::from(parts))
    }

    pub(super) fn string(&mut self) -> SqlResult<String> {
        match &self.peek().token {
            Token::SingleQuotedString(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.expected("a quoted string")),
        }
    }

    pub(super) fn number(&mut self) -> SqlResult<u64> {
        let parsed = match &self.peek().token {
            Token::Number(digits, _) => digits.parse().ok(),
            _ => None,
        };
        match parsed {
            Some(number) => {
                self.advance();
                Ok(number)
            }
            None => Err(self.expected("a whole number")),
        }
    }

    pub(super) fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// An expression and its text as written.
    pub(super) fn expression(&mut self) -> SqlResult<(Expr, String)> {
        let from = self.index_of_next();
        let mut expr = self.run(|parser| parser.parse_expr())?;
        postpass::expression(&mut expr).map_err(|error| self.source.place(error, from))?;
        Ok((expr, self.source.slice(from, self.index_of_next())))
    }

    /// A query and its text as written.
    pub(super) fn query(&mut self) -> SqlResult<(Box<Query>, String)> {
        let from = self.index_of_next();
        let starts = ["SELECT", "WITH", "VALUES", "TABLE"];
        if !starts.iter().any(|word| self.at(word)) && self.peek().token != Token::LParen {
            return Err(self.expected("a query"));
        }
        let mut query = self.run(|parser| parser.parse_query())?;
        postpass::query(&mut query).map_err(|error| self.source.place(error, from))?;
        Ok((query, self.source.slice(from, self.index_of_next())))
    }

    pub(super) fn data_type(&mut self) -> SqlResult<SqlType> {
        self.run(super::data_type::parse_sql_type)
    }

    /// Runs a method of the wrapped parser.
    fn run<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser<'a>) -> Result<T, ParserError>,
    ) -> SqlResult<T> {
        let from = self.index_of_next();
        parse(&mut self.parser).map_err(|error| {
            let outer = self.source.convert(&error);
            diagnose::inner_error(&self.source, from).unwrap_or(outer)
        })
    }

    /// The error unless the statement ends here.
    pub(super) fn end(&self) -> SqlResult<()> {
        if self.at_end() {
            return Ok(());
        }
        let from = self.index_of_next();
        let error = self.expected("end of statement");
        Err(diagnose::misspelt_word(&self.source, from, error))
    }
}

impl<'a> Source<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn lexemes(&self) -> &[Lexeme] {
        &self.lexemes
    }

    /// The index of the first token at `position`; past the last for an unknown place.
    fn index_at(&self, position: Position) -> usize {
        self.lexemes
            .iter()
            .position(|lexeme| {
                let start = lexeme.token.span.start;
                (start.line, start.column) == (position.line, position.column)
            })
            .unwrap_or(self.lexemes.len())
    }

    /// `error` at token `index`, unless its place is known.
    fn place(&self, error: SqlError, index: usize) -> SqlError {
        match self.lexemes.get(index) {
            Some(lexeme) => error.at_span(lexeme.token.span),
            None => error.at(self.end, 1),
        }
    }

    /// The text from token `from` up to token `to`.
    fn slice(&self, from: usize, to: usize) -> String {
        let start = self.bytes_of(from).map_or(0, |bytes| bytes.start);
        let end = match to.checked_sub(1) {
            Some(last) => self.bytes_of(last).map_or(start, |bytes| bytes.end),
            None => start,
        };
        self.text.get(start..end).unwrap_or("").to_string()
    }

    fn bytes_of(&self, index: usize) -> Option<Range<usize>> {
        self.lexemes.get(index).map(|lexeme| lexeme.bytes.clone())
    }

    /// The error that `what` should stand where token `index` stands.
    pub(super) fn expected_at(&self, what: &str, index: usize) -> SqlError {
        match self.lexemes.get(index) {
            Some(found) => {
                let text = self.text.get(found.bytes.clone()).unwrap_or("");
                let first_line = text.lines().next().unwrap_or("");
                SqlError::syntax(format!("expected {what}, found `{first_line}`"))
                    .at_span(found.token.span)
            }
            None => {
                SqlError::syntax(format!("expected {what}, found end of statement")).at(self.end, 1)
            }
        }
    }

    /// The wrapped parser's error as one of ours.
    pub(super) fn convert(&self, error: &ParserError) -> SqlError {
        match reported(error) {
            Reported::Own(error) if error.position.is_some() => error,
            Reported::Own(error) => error.at(self.end, 1),
            Reported::Expected(what, Some(position)) => {
                self.expected_at(&what, self.index_at(position))
            }
            Reported::Expected(what, None) => self.expected_at(&what, self.lexemes.len()),
            Reported::Other(message, position) => {
                let position = position.unwrap_or(self.end);
                let error = SqlError::syntax(message);
                match self.lexemes.get(self.index_at(position)) {
                    Some(found) => error.at_span(found.token.span),
                    None => error.at(position, 1),
                }
            }
        }
    }
}

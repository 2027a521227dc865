//! Text to tokens, by Flink's lexical rules, with places relative to the whole script.
//!
//! One lexer serves the splitting of scripts and the parsing of statements, so both agree on
//! what a string, a comment and a `;` are. It produces the wrapped parser's tokens, without
//! whitespace and comments, except hints: `/*+ .. */` arrives as a comment token.
//!
//! | Text                       | Token                                                        |
//! |----------------------------|--------------------------------------------------------------|
//! | `` `a``b` ``               | a quoted word, case kept, doubled back-tick undone           |
//! | `'a''b'`                   | a string, doubled quote undone                               |
//! | `E'a\n'`, `U&'\0041'`      | a string, escapes undone                                     |
//! | `X'0AFF'`                  | a hexadecimal string                                         |
//! | `-- ..`, `// ..`, `/* .. */` | nothing; block comments do not nest                        |
//! | `"a"`                      | an error: neither a string nor a name in Flink               |
//! | `>>`                       | two `>`: Flink has no shift, but nested type arguments       |

mod strings;

use std::ops::Range;

use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Whitespace};

use super::keywords;
use crate::error::{Position, SqlError};

/// A token, where it stands (line and column) and which bytes of the script it covers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lexeme {
    pub(super) token: TokenWithSpan,
    pub(super) bytes: Range<usize>,
}

/// A text that is no token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LexError {
    pub(super) error: SqlError,
    /// The end of the text came too early: more text could complete the token.
    pub(super) unterminated: bool,
}

/// Reads tokens from a script, one at a time.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    line: u64,
    column: u64,
    /// The last token could end an operand: a following `.5` is a field, not a number.
    after_operand: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 1,
            after_operand: false,
        }
    }

    /// A lexer of a part of a script that begins at `position`.
    pub(super) fn at(text: &'a str, position: Position) -> Self {
        Self {
            line: position.line,
            column: position.column,
            ..Self::new(text)
        }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The place of the next character.
    pub(super) fn position(&self) -> Position {
        Position::new(self.line, self.column)
    }

    /// The next token, or `None` at the end of the text.
    pub(super) fn next_lexeme(&mut self) -> Result<Option<Lexeme>, LexError> {
        self.skip_blanks()?;
        let start = self.clone();
        let Some(first) = self.peek() else {
            return Ok(None);
        };
        let token = match first {
            '\'' => Token::SingleQuotedString(self.quoted('\'', "string")?),
            '`' => {
                let value = self.quoted('`', "quoted identifier")?;
                keywords::name(&value, Some('`'))
            }
            '"' => return Err(self.double_quoted()),
            '/' if self.rest().starts_with("/*+") => self.hint()?,
            '.' if !self.after_operand && self.peek_at(1).is_some_and(|c| c.is_ascii_digit()) => {
                self.number()
            }
            c if c.is_ascii_digit() => self.number(),
            c if c.is_alphabetic() || c == '_' => self.word_or_prefixed_string()?,
            _ => self.symbol()?,
        };
        self.after_operand = matches!(token, Token::Word(_) | Token::RParen | Token::RBracket);
        Ok(Some(Lexeme {
            token: TokenWithSpan::new(
                token,
                Span::new(
                    Location::new(start.line, start.column),
                    Location::new(self.line, self.column),
                ),
            ),
            bytes: start.offset..self.offset,
        }))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn peek_at(&self, index: usize) -> Option<char> {
        self.rest().chars().nth(index)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.offset += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.bump();
        }
        found
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let start = self.offset;
        while self.peek().is_some_and(&accept) {
            self.bump();
        }
        self.text.get(start..self.offset).unwrap_or("")
    }

    fn error_from(&self, start: &Self, message: impl Into<String>) -> LexError {
        let length = if start.line == self.line {
            self.column - start.column
        } else {
            1
        };
        LexError {
            error: SqlError::syntax(message).at(start.position(), length),
            unterminated: false,
        }
    }

    fn unterminated(start: &Self, what: &str) -> LexError {
        LexError {
            error: SqlError::syntax(format!("the {what} that begins here does not end"))
                .at(start.position(), 1),
            unterminated: true,
        }
    }

    /// Skips whitespace and comments; stops at a hint.
    fn skip_blanks(&mut self) -> Result<(), LexError> {
        loop {
            self.take_while(|c| c.is_whitespace() || c == '\u{feff}');
            let rest = self.rest();
            if rest.starts_with("--") || rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if rest.starts_with("/*") && !rest.starts_with("/*+") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// The text between `/*` and `*/`.
    fn block_comment(&mut self) -> Result<String, LexError> {
        let start = self.clone();
        self.bump();
        self.bump();
        let from = self.offset;
        while !self.rest().starts_with("*/") {
            if self.bump().is_none() {
                return Err(Self::unterminated(&start, "comment"));
            }
        }
        let content = self.text.get(from..self.offset).unwrap_or("").to_string();
        self.bump();
        self.bump();
        Ok(content)
    }

    fn hint(&mut self) -> Result<Token, LexError> {
        let content = self.block_comment()?;
        Ok(Token::Whitespace(Whitespace::MultiLineComment(content)))
    }

    /// The text between two `quote`s; a doubled quote stands for itself.
    fn quoted(&mut self, quote: char, what: &str) -> Result<String, LexError> {
        let start = self.clone();
        self.bump();
        let mut value = String::new();
        loop {
            match self.bump() {
                None => return Err(Self::unterminated(&start, what)),
                Some(c) if c == quote => {
                    if !self.eat(quote) {
                        break;
                    }
                    value.push(quote);
                }
                Some(c) => value.push(c),
            }
        }
        if quote == '`' && value.is_empty() {
            return Err(self.error_from(&start, "an identifier is empty"));
        }
        Ok(value)
    }

    fn double_quoted(&mut self) -> LexError {
        let start = self.clone();
        if let Err(error) = self.quoted('"', "double-quoted text") {
            return error;
        }
        let mut failure = self.error_from(&start, "double quotes are not allowed");
        failure.error = failure
            .error
            .with_hint("write 'text' for a string and `name` for an identifier");
        failure
    }

    fn number(&mut self) -> Token {
        let start = self.offset;
        self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            self.bump();
            self.take_while(|c| c.is_ascii_digit());
        }
        let exponent = self.clone();
        if matches!(self.peek(), Some('e' | 'E')) {
            self.bump();
            if matches!(self.peek(), Some('+' | '-')) {
                self.bump();
            }
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                *self = exponent;
            }
        }
        let digits = self.text.get(start..self.offset).unwrap_or("");
        Token::Number(digits.to_string(), false)
    }

    fn word_or_prefixed_string(&mut self) -> Result<Token, LexError> {
        let rest = self.rest();
        let prefix = |with: &str| {
            rest.len() >= with.len()
                && rest.is_char_boundary(with.len())
                && rest.split_at(with.len()).0.eq_ignore_ascii_case(with)
        };
        if prefix("e'") {
            self.bump();
            return self.escaped_string();
        }
        if prefix("u&'") {
            return self.unicode_string();
        }
        if prefix("n'") {
            self.bump();
            return Ok(Token::SingleQuotedString(self.quoted('\'', "string")?));
        }
        if prefix("x'") {
            return self.binary_string();
        }
        let text = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
        Ok(keywords::word(text))
    }

    fn symbol(&mut self) -> Result<Token, LexError> {
        let start = self.clone();
        let first = self.bump();
        let second = self.peek();
        let (token, two) = match (first, second) {
            (Some('<'), Some('=')) => (Token::LtEq, true),
            (Some('<'), Some('>')) | (Some('!'), Some('=')) => (Token::Neq, true),
            (Some('>'), Some('=')) => (Token::GtEq, true),
            (Some('='), Some('>')) => (Token::RArrow, true),
            (Some('|'), Some('|')) => (Token::StringConcat, true),
            (Some('<'), _) => (Token::Lt, false),
            (Some('>'), _) => (Token::Gt, false),
            (Some('='), _) => (Token::Eq, false),
            (Some('|'), _) => (Token::Pipe, false),
            (Some(','), _) => (Token::Comma, false),
            (Some('('), _) => (Token::LParen, false),
            (Some(')'), _) => (Token::RParen, false),
            (Some('['), _) => (Token::LBracket, false),
            (Some(']'), _) => (Token::RBracket, false),
            (Some('{'), _) => (Token::LBrace, false),
            (Some('}'), _) => (Token::RBrace, false),
            (Some('.'), _) => (Token::Period, false),
            (Some(';'), _) => (Token::SemiColon, false),
            (Some(':'), _) => (Token::Colon, false),
            (Some('+'), _) => (Token::Plus, false),
            (Some('-'), _) => (Token::Minus, false),
            (Some('*'), _) => (Token::Mul, false),
            (Some('/'), _) => (Token::Div, false),
            (Some('%'), _) => (Token::Mod, false),
            (Some('^'), _) => (Token::Caret, false),
            (Some(c @ ('?' | '$')), _) => (Token::Placeholder(c.to_string()), false),
            (Some(c), _) => {
                return Err(self.error_from(&start, format!("unexpected character `{c}`")));
            }
            (None, _) => (Token::EOF, false),
        };
        if two {
            self.bump();
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> String {
        let mut lexer = Lexer::new(text);
        let mut out = Vec::new();
        loop {
            match lexer.next_lexeme() {
                Ok(Some(lexeme)) => out.push(lexeme.token.token.to_string()),
                Ok(None) => break,
                Err(failure) => {
                    let more = if failure.unterminated { " .." } else { "" };
                    out.push(format!("<{}{more}>", failure.error));
                    break;
                }
            }
        }
        out.join(" ")
    }

    #[test]
    fn text_becomes_tokens() {
        let cases = [
            ("a.`b c`.D", "a . `b c` . D"),
            ("1 .5 1.5e3 2e t.5", "1 .5 1.5e3 2 e t . 5"),
            (
                "'it''s' E'a\\n\\u0041\\'' U&'\\0041\\\\' U&'!0041' UESCAPE '!'",
                "'it's' 'a\nA'' 'A\\' 'A'",
            ),
            ("X'0aFF' N'x'", "X'0aFF' 'x'"),
            ("a -- b\n/* c */ // d\ne", "a e"),
            ("SELECT /*+ A('b') */ x", "SELECT /*+ A('b') */ x"),
            ("a>=b<>c!=d=>e||f>>", "a >= b <> c <> d => e || f > >"),
            ("数据 _x $", "数据 _x $"),
        ];
        for (text, expected) in cases {
            assert_eq!(lex(text), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_text_is_refused_at_its_place() {
        let cases = [
            (
                "a\n 'b",
                "a <2:2: the string that begins here does not end ..>",
            ),
            (
                "/* b",
                "<1:1: the comment that begins here does not end ..>",
            ),
            (
                "`b",
                "<1:1: the quoted identifier that begins here does not end ..>",
            ),
            ("``", "<1:1: an identifier is empty>"),
            ("a & b", "a <1:3: unexpected character `&`>"),
            (
                "\"a\"",
                "<1:1: double quotes are not allowed (write 'text' for a string and `name` for an identifier)>",
            ),
            (
                "X'abc'",
                "<1:1: a binary string is an even number of hexadecimal digits>",
            ),
            ("E'\\uZZ'", "<1:3: this escape is no character>"),
            (
                "U&'\\00'",
                "<1:1: this string has an escape that is no character>",
            ),
            (
                "U&'a' UESCAPE 'xy'",
                "<1:15: `UESCAPE` takes a string of one character>",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(lex(text), expected, "{text}");
        }
    }

    #[test]
    fn every_token_covers_its_own_bytes() {
        let text = "SELECT `ä`, 'x'\n  FROM t;";
        let mut lexer = Lexer::new(text);
        let mut places = Vec::new();
        while let Ok(Some(lexeme)) = lexer.next_lexeme() {
            let start = lexeme.token.span.start;
            places.push((&text[lexeme.bytes], start.line, start.column));
        }
        assert_eq!(
            places,
            [
                ("SELECT", 1, 1),
                ("`ä`", 1, 8),
                (",", 1, 11),
                ("'x'", 1, 13),
                ("FROM", 2, 3),
                ("t", 2, 8),
                (";", 2, 9)
            ]
        );
    }
}

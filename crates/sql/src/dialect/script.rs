//! A script to its statements, one at a time.
//!
//! A `;` ends a statement unless it stands in a string, a quoted identifier, a comment or a
//! statement set:
//!
//! ```text
//! EXECUTE STATEMENT SET BEGIN  INSERT ..;  INSERT ..;  END;      one statement
//! BEGIN STATEMENT SET;         INSERT ..;  INSERT ..;  END;      one statement (older form)
//! ```
//!
//! The last statement of a text may lack its `;`. Places stay relative to the whole text.

use std::ops::Range;

use sqlparser::tokenizer::Token;

use super::keywords::is_word;
use super::lexer::{Lexeme, Lexer};
use super::parse;
use super::statement::{Spanned, Statement};
use crate::error::{Position, SqlError};

/// The tokens of one statement, without its final `;`.
#[derive(Debug, Clone)]
pub(super) struct RawStatement {
    pub(super) lexemes: Vec<Lexeme>,
    pub(super) start: Position,
    /// The place just after the last token.
    pub(super) end: Position,
    pub(super) bytes: Range<usize>,
}

/// The statements of a script, parsed when asked for.
///
/// Statements before a syntax error can run before it is reported. After an error the iterator
/// goes on with the next statement; after a text that cannot be cut further it ends.
///
/// # Examples
/// ```
/// use thalweg_sql::dialect::Script;
/// let mut script = Script::new("USE a; SELEC 1; USE b");
/// assert!(script.next().unwrap().is_ok());
/// assert!(script.next().unwrap().is_err());
/// assert!(script.next().unwrap().is_ok());
/// assert!(script.next().is_none());
/// ```
#[derive(Debug, Clone)]
pub struct Script<'a> {
    text: &'a str,
    splitter: Splitter<'a>,
}

impl<'a> Script<'a> {
    /// The statements of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            splitter: Splitter::new(text),
        }
    }
}

impl Iterator for Script<'_> {
    type Item = Result<Spanned<Statement>, SqlError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.splitter.next()? {
            Ok(raw) => Some(parse::statement(self.text, raw)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// Whether a prompt should run `text` now: every statement in it has ended with `;`.
///
/// A text without any token is complete. A text that no further line can repair is complete as
/// well, so that its error is shown.
pub fn is_complete(text: &str) -> bool {
    let mut splitter = Splitter::new(text);
    while splitter.next().is_some() {}
    splitter.is_between_statements
}

/// Cuts a text into the tokens of its statements.
#[derive(Debug, Clone)]
pub(super) struct Splitter<'a> {
    lexer: Lexer<'a>,
    failed: bool,
    /// No statement has begun that has not ended.
    is_between_statements: bool,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            lexer: Lexer::new(text),
            failed: false,
            is_between_statements: true,
        }
    }

    fn fail(&mut self, error: SqlError, more_could_help: bool) -> Result<RawStatement, SqlError> {
        self.failed = true;
        self.is_between_statements = !more_could_help;
        Err(error)
    }
}

impl Iterator for Splitter<'_> {
    type Item = Result<RawStatement, SqlError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let mut lexemes: Vec<Lexeme> = Vec::new();
        let mut block = Block::Outside;
        loop {
            let lexeme = match self.lexer.next_lexeme() {
                Ok(Some(lexeme)) => lexeme,
                Ok(None) => break,
                Err(failure) => return Some(self.fail(failure.error, failure.unterminated)),
            };
            if lexeme.token.token == Token::SemiColon && !block.is_open() {
                if lexemes.is_empty() {
                    continue;
                }
                self.is_between_statements = true;
                return raw(lexemes, &self.lexer).map(Ok);
            }
            self.is_between_statements = false;
            block.advance(&lexemes, &lexeme.token.token);
            lexemes.push(lexeme);
        }
        if block.is_open() {
            let error = SqlError::syntax("this statement set does not end with `END;`");
            let error = match lexemes.first() {
                Some(first) => error.at_span(first.token.span),
                None => error,
            };
            return Some(self.fail(error, true));
        }
        raw(lexemes, &self.lexer).map(Ok)
    }
}

fn raw(lexemes: Vec<Lexeme>, lexer: &Lexer<'_>) -> Option<RawStatement> {
    let first = lexemes.first()?;
    let last = lexemes.last()?;
    debug_assert!(last.bytes.end <= lexer.offset());
    Some(RawStatement {
        start: place(first.token.span.start),
        end: place(last.token.span.end),
        bytes: first.bytes.start..last.bytes.end,
        lexemes,
    })
}

fn place(location: sqlparser::tokenizer::Location) -> Position {
    Position::new(location.line, location.column)
}

/// Where the next token stands with regard to a statement set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Outside,
    /// At the beginning of an inner statement: `END` here closes the set.
    AtStart,
    Inside,
    Closed,
}

impl Block {
    fn is_open(self) -> bool {
        matches!(self, Self::AtStart | Self::Inside)
    }

    /// The state after `token`, which follows `before`.
    fn advance(&mut self, before: &[Lexeme], token: &Token) {
        *self = match *self {
            Self::Outside if opens_block(before, token) => Self::AtStart,
            Self::AtStart if is_word(token, "END") => Self::Closed,
            Self::AtStart | Self::Inside if *token == Token::SemiColon => Self::AtStart,
            Self::AtStart => Self::Inside,
            state => state,
        };
    }
}

/// Whether `token` completes `STATEMENT SET BEGIN` or a leading `BEGIN STATEMENT SET`.
fn opens_block(before: &[Lexeme], token: &Token) -> bool {
    let is = |index: usize, word| {
        before
            .get(index)
            .is_some_and(|lexeme| is_word(&lexeme.token.token, word))
    };
    let count = before.len();
    let after_set =
        count >= 2 && is(count - 2, "STATEMENT") && is(count - 1, "SET") && is_word(token, "BEGIN");
    let leading = count == 2 && is(0, "BEGIN") && is(1, "STATEMENT") && is_word(token, "SET");
    after_set || leading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        Splitter::new(text)
            .map(|raw| match raw {
                Ok(raw) => format!("{} {}", raw.start, &text[raw.bytes]),
                Err(error) => format!("error {error}"),
            })
            .collect()
    }

    #[test]
    fn a_script_is_cut_at_its_semicolons_only() {
        assert_eq!(
            split(";a ';' `;` -- ;\n/* ; */ b;;\n c;\n"),
            ["1:2 a ';' `;` -- ;\n/* ; */ b", "3:2 c"]
        );
        assert_eq!(split(" -- nothing\n"), Vec::<String>::new());
    }

    #[test]
    fn a_statement_set_is_one_statement() {
        let set = "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM b; \
                   INSERT INTO c SELECT 1; END";
        assert_eq!(
            split(&format!("{set}; d")),
            [format!("1:1 {set}"), format!("1:{} d", set.len() + 3)]
        );
        let old = "begin statement set; insert into a select 1; end";
        assert_eq!(split(&format!("{old};")), [format!("1:1 {old}")]);
        assert_eq!(
            split("x;\nBEGIN STATEMENT SET; INSERT"),
            [
                "1:1 x",
                "error 2:1: this statement set does not end with `END;`"
            ]
        );
    }

    #[test]
    fn a_prompt_waits_for_the_end_of_a_statement() {
        for complete in [
            "",
            "  -- c",
            "a;",
            "a; b;",
            "SELECT ';';",
            "a & b",
            "EXECUTE STATEMENT SET BEGIN a; END;",
        ] {
            assert!(is_complete(complete), "{complete}");
        }
        for open in [
            "a",
            "a; b",
            "SELECT 'x;",
            "/* ;",
            "EXECUTE STATEMENT SET BEGIN a;",
            "EXECUTE STATEMENT SET BEGIN a; END",
        ] {
            assert!(!is_complete(open), "{open}");
        }
    }

    const PIECES: [&str; 7] = [
        "SELECT 1",
        "'a;''b'",
        "`x;y`",
        "名",
        "a -- c;\n z",
        "b /* ;\n */ q",
        "EXECUTE STATEMENT SET BEGIN a; b; END",
    ];

    /// Every script of three of the pieces, with every blank before each.
    #[test]
    fn splitting_keeps_text_and_places() {
        let blanks = ["", " ", "\n", "\n -- ;\n  "];
        let choices = PIECES.len() * blanks.len();
        for seed in 0..choices.pow(3) {
            let mut text = String::new();
            let mut expected = Vec::new();
            for choice in [seed, seed / choices, seed / choices / choices] {
                text.push_str(blanks[choice / PIECES.len() % blanks.len()]);
                let piece = PIECES[choice % PIECES.len()];
                let line = text.matches('\n').count() as u64 + 1;
                let column = text.rsplit('\n').next().unwrap().chars().count() as u64 + 1;
                expected.push((
                    Position::new(line, column),
                    text.len()..text.len() + piece.len(),
                ));
                text.push_str(piece);
                text.push(';');
            }
            let parts: Vec<_> = Splitter::new(&text)
                .map(|raw| raw.map(|raw| (raw.start, raw.bytes)).unwrap())
                .collect();
            assert_eq!(parts, expected, "{text}");
        }
    }
}

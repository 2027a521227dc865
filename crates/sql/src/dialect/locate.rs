//! Where an error is that does not know its place.
//!
//! Planning works on trees that have lost their places. An error from there names what is wrong in
//! back-ticks, so it is shown at the first token of its statement that says so.

use sqlparser::tokenizer::Token;

use super::lexer::{Lexeme, Lexer};
use super::statement::Spanned;
use crate::error::{Position, SqlError};

/// The error at the name that it speaks of, else at the start of its statement. A known place is
/// kept.
pub fn locate<T>(error: SqlError, script: &str, statement: &Spanned<T>) -> SqlError {
    if error.position.is_some() {
        return error;
    }
    let text = &script[statement.bytes.clone()];
    let (position, length) = names(&error.message)
        .into_iter()
        .find_map(|name| name.find(text, statement.start))
        .unwrap_or((statement.start, 1));
    error.at(position, length)
}

/// A name that a message speaks of.
struct Named<'a> {
    name: &'a str,
    /// Whether it stands in the script as a string: keys and values of options do.
    quoted: bool,
}

/// The names in back-ticks; those of tables and connectors, which are often only the context of
/// what is wrong, come last.
fn names(message: &str) -> Vec<Named<'_>> {
    let (mut names, mut context) = (Vec::new(), Vec::new());
    let mut parts = message.split('`');
    while let (Some(before), Some(name)) = (parts.next(), parts.next()) {
        let (table, connector) = (before.ends_with("table "), before.ends_with("connector "));
        let named = Named {
            name,
            quoted: connector || before.ends_with("option "),
        };
        if table || connector {
            context.push(named);
        } else {
            names.push(named);
        }
    }
    names.extend(context);
    names
}

impl Named<'_> {
    /// The place and length of the first token that is the name, or the last part of it.
    fn find(&self, text: &str, start: Position) -> Option<(Position, u64)> {
        let last = self.name.rsplit('.').next().unwrap_or(self.name);
        let mut lexer = Lexer::at(text, start);
        while let Ok(Some(Lexeme { token, bytes })) = lexer.next_lexeme() {
            let found = match &token.token {
                Token::Word(word) => !self.quoted && word.value.eq_ignore_ascii_case(last),
                Token::SingleQuotedString(value) => self.quoted && value == self.name,
                _ => false,
            };
            if found {
                let place = token.span.start;
                let length = text[bytes].chars().count() as u64;
                return Some((Position::new(place.line, place.column), length));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Script;

    fn place(message: &str, script: &str) -> (u64, u64, u64) {
        let statement = Script::new(script).last().unwrap().unwrap();
        let error = locate(SqlError::unknown(message), script, &statement);
        let position = error.position.unwrap();
        (position.line, position.column, error.length)
    }

    #[test]
    fn an_error_is_at_the_name_that_it_speaks_of() {
        let script = "SELECT 1;\nSELECT a,\n  'x'\nFROM `t` /* u */ WHERE u";
        assert_eq!(place("table `T` not found", script), (4, 6, 3));
        assert_eq!(place("in view `db.u`: no", script), (4, 24, 1));
        assert_eq!(place("there is no connector `x`", script), (3, 3, 3));
        assert_eq!(place("table `t` has no column `a`", script), (2, 8, 1));
        assert_eq!(place("table `t` has no column `z`", script), (4, 6, 3));
        assert_eq!(place("nothing is named", script), (2, 1, 1));
    }
}

//! Strings with a prefix: `X'..'`, `E'..'` and `U&'..'`.

use sqlparser::tokenizer::Token;

use super::{LexError, Lexer};

impl Lexer<'_> {
    pub(super) fn binary_string(&mut self) -> Result<Token, LexError> {
        let start = self.clone();
        self.bump();
        let digits = self.quoted('\'', "binary string")?;
        if digits.len() % 2 != 0 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            let message = "a binary string is an even number of hexadecimal digits";
            return Err(self.error_from(&start, message));
        }
        Ok(Token::HexStringLiteral(digits))
    }

    /// `E'..'`: escapes as in C.
    pub(super) fn escaped_string(&mut self) -> Result<Token, LexError> {
        let start = self.clone();
        self.bump();
        let mut value = String::new();
        loop {
            let before = self.clone();
            match self.bump() {
                None => return Err(Self::unterminated(&start, "string")),
                Some('\'') if !self.eat('\'') => break,
                Some('\\') => match self.escape() {
                    Some(c) => value.push(c),
                    None => return Err(self.error_from(&before, "this escape is no character")),
                },
                Some(c) => value.push(c),
            }
        }
        Ok(Token::SingleQuotedString(value))
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.bump()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'x' => return self.code_point(1, 2, 16),
            'u' => return self.code_point(4, 4, 16),
            'U' => return self.code_point(8, 8, 16),
            digit @ '0'..='7' => {
                let mut code = digit.to_digit(8)?;
                for _ in 0..2 {
                    let Some(next) = self.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    self.bump();
                    code = code * 8 + next;
                }
                return char::from_u32(code);
            }
            other => other,
        })
    }

    /// A character given by `min` to `max` digits of `radix`.
    fn code_point(&mut self, min: usize, max: usize, radix: u32) -> Option<char> {
        let mut code = 0u32;
        let mut count = 0;
        while count < max
            && let Some(digit) = self.peek().and_then(|c| c.to_digit(radix))
        {
            self.bump();
            code = code.checked_mul(radix)?.checked_add(digit)?;
            count += 1;
        }
        if count < min {
            return None;
        }
        char::from_u32(code)
    }

    /// `U&'..' [UESCAPE 'c']`: `\0041` is a character by its code, `\\` the escape itself.
    pub(super) fn unicode_string(&mut self) -> Result<Token, LexError> {
        let start = self.clone();
        self.bump();
        self.bump();
        let raw = self.quoted('\'', "string")?;
        let mut escape = '\\';
        let end = self.clone();
        self.skip_blanks()?;
        if self
            .take_while(char::is_alphabetic)
            .eq_ignore_ascii_case("UESCAPE")
        {
            self.skip_blanks()?;
            let place = self.clone();
            let given = match self.peek() {
                Some('\'') => self.quoted('\'', "string")?,
                _ => String::new(),
            };
            match (given.chars().next(), given.chars().count()) {
                (Some(c), 1) => escape = c,
                _ => {
                    let message = "`UESCAPE` takes a string of one character";
                    return Err(self.error_from(&place, message));
                }
            }
        } else {
            *self = end;
        }
        let mut inner = Lexer::new(&raw);
        let mut value = String::new();
        while let Some(c) = inner.bump() {
            let decoded = match c {
                c if c != escape => Some(c),
                _ if inner.eat(escape) => Some(escape),
                _ if inner.eat('+') => inner.code_point(6, 6, 16),
                _ => inner.code_point(4, 4, 16),
            };
            match decoded {
                Some(c) => value.push(c),
                None => {
                    let message = "this string has an escape that is no character";
                    return Err(self.error_from(&start, message));
                }
            }
        }
        Ok(Token::SingleQuotedString(value))
    }
}

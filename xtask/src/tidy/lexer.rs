//! As much of Rust's lexical rules as the checks need: what is code, where braces match.

use std::ops::Range;

/// The text with comments and the contents of string and character literals blanked.
///
/// Every byte keeps its offset and every line its number.
pub(crate) fn mask(text: &str) -> String {
    let mut lexer = Lexer {
        bytes: text.as_bytes(),
        at: 0,
        out: Vec::with_capacity(text.len()),
    };
    lexer.run();
    String::from_utf8_lossy(&lexer.out).into_owned()
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'/' if self.peek(1) == Some(b'/') => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
                b'"' => self.string(),
                b'\'' => self.character_or_lifetime(),
                b'r' | b'b' | b'c' if !self.after_word() => self.prefixed(),
                _ => self.keep(1),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn after_word(&self) -> bool {
        self.at > 0 && is_word(self.bytes[self.at - 1])
    }

    fn keep(&mut self, count: usize) {
        let end = (self.at + count).min(self.bytes.len());
        self.out.extend_from_slice(&self.bytes[self.at..end]);
        self.at = end;
    }

    fn blank(&mut self, count: usize) {
        let end = (self.at + count).min(self.bytes.len());
        let blanked = self.bytes[self.at..end].iter();
        self.out
            .extend(blanked.map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
        self.at = end;
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.blank(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.blank(2);
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.blank(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.blank(1),
            }
        }
    }

    fn string(&mut self) {
        self.keep(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => return self.keep(1),
                b'\\' => self.blank(2),
                _ => self.blank(1),
            }
        }
    }

    /// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `b'…'` and `c"…"`; other words are kept.
    fn prefixed(&mut self) {
        let mut length = 1;
        if matches!(self.peek(0), Some(b'b' | b'c')) && self.peek(1) == Some(b'r') {
            length = 2;
        }
        let raw = self.bytes[self.at + length - 1] == b'r';
        let hashes = self.bytes[self.at + length..]
            .iter()
            .take_while(|b| **b == b'#')
            .count();
        match self.peek(length + hashes) {
            Some(b'"') if raw => {
                self.keep(length + hashes + 1);
                self.raw_string(hashes);
            }
            Some(b'"') if hashes == 0 => {
                self.keep(length);
                self.string();
            }
            Some(b'\'') if hashes == 0 && self.peek(0) == Some(b'b') => {
                self.keep(length);
                self.character_or_lifetime();
            }
            _ => self.keep(1),
        }
    }

    fn raw_string(&mut self, hashes: usize) {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            let closes = rest[0] == b'"'
                && rest.len() > hashes
                && rest[1..=hashes].iter().all(|byte| *byte == b'#');
            if closes {
                return self.keep(1 + hashes);
            }
            self.blank(1);
        }
    }

    fn character_or_lifetime(&mut self) {
        let width = match self.peek(1) {
            Some(b'\\') => {
                // The byte after the backslash may itself be a quote.
                let rest = self.bytes.get(self.at + 3..).unwrap_or_default();
                rest.iter().position(|byte| *byte == b'\'').map(|at| at + 2)
            }
            Some(first) => {
                let width = utf8_width(first);
                (self.peek(1 + width) == Some(b'\'')).then_some(width)
            }
            None => None,
        };
        self.keep(1);
        if let Some(width) = width {
            self.blank(width);
            self.keep(1);
        }
    }
}

fn utf8_width(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

/// Whether a byte may stand in an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The offsets at which `needle` stands in masked code, not as the end of a longer word.
pub(crate) fn find_all<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(needle)
        .map(|(at, _)| at)
        .filter(move |at| {
            let bytes = code.as_bytes();
            let starts_word = needle.as_bytes().first().is_some_and(|byte| is_word(*byte));
            let ends_word = needle.as_bytes().last().is_some_and(|byte| is_word(*byte));
            let before = *at == 0 || !is_word(bytes[at - 1]);
            let after = bytes
                .get(at + needle.len())
                .is_none_or(|byte| !is_word(*byte));
            (!starts_word || before) && (!ends_word || after)
        })
}

/// The offset of the brace that closes the one at `open`; the end of the code if there is none.
pub(crate) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    code.len().saturating_sub(1)
}

/// Where the item that begins at `start` has its body's `{`, or `None` if it ends with `;`.
pub(crate) fn body(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth <= 0 => return Some(at),
            b';' if depth <= 0 => return None,
            _ => {}
        }
    }
    None
}

/// The ranges of items under `#[cfg(test)]`, attribute to closing brace.
pub(crate) fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        if items.last().is_some_and(|item| item.contains(&at)) {
            continue;
        }
        if let Some(open) = body(code, at + attribute.len()) {
            items.push(at..(closing_brace(code, open) + 1).min(code.len()));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_keeps_lines_and_offsets() {
        let text = "a // b }\n/* { /* } */ é */ c";
        let masked = mask(text);
        assert_eq!(masked.len(), text.len());
        assert_eq!(
            masked.lines().map(str::trim).collect::<Vec<_>>(),
            ["a", "c"]
        );
    }

    #[test]
    fn blanks_every_kind_of_literal() {
        for text in [
            r#"f("{ \" }")"#,
            r##"f(r#"{ " }"#)"##,
            r#"f(b"{\\")"#,
            "f('{')",
            r"f('\'')",
            r"f(b'{')",
            r"f('\u{7b}')",
            "f('é')",
            "f(br\"{\")",
        ] {
            let masked = mask(text);
            assert_eq!(masked.len(), text.len(), "{text}");
            assert!(
                !masked.contains('{') && !masked.contains('}'),
                "{text} became {masked}"
            );
            assert!(
                masked.starts_with("f(") && masked.ends_with(')'),
                "{text} became {masked}"
            );
        }
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        let text = "fn r#type<'a>(x: &'a str, r: u8) -> &'static str { x }";
        assert_eq!(mask(text), text);
    }

    #[test]
    fn finds_whole_words_only() {
        let code = "Instant::now(); MyInstant::now(); Instant::nowhere()";
        assert_eq!(find_all(code, "Instant::now").collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_body_may_follow_arrays_and_brackets() {
        let code = "fn f(x: [u8; 2]) -> [u8; 2] { x }";
        assert_eq!(body(code, 0), code.find('{'));
        assert_eq!(body("fn f(&self); fn g() {}", 0), None);
    }
}

//! Patterns of `LIKE`.

use regex::Regex;

/// A pattern compiled; `None` for one that is only a text with `%` at its ends, which needs no
/// automaton.
///
/// `%` stands for any text, `_` for one character; a backslash takes their meaning away.
pub fn compile_like(pattern: &str) -> Option<Regex> {
    let inner = pattern.strip_prefix('%').unwrap_or(pattern);
    let inner = inner.strip_suffix('%').unwrap_or(inner);
    if !inner.contains(['%', '_', '\\']) {
        return None;
    }
    let mut regex = String::from("^(?s:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '%' => {
                regex.push_str(".*");
                continue;
            }
            '_' => {
                regex.push('.');
                continue;
            }
            // At the end it stands for itself.
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
    }
    regex.push_str(")$");
    Regex::new(&regex).ok()
}

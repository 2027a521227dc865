//! JSON's grammar for bytes nobody wants, and the text of strings.
//!
//! A value that no column asks for is still checked: a line that is no JSON is a bad line wherever
//! it is bad. A line holds no line feed, so blanks are spaces, tabs and carriage returns.

use crate::error::Fault;
use crate::scan;

/// How deep objects and arrays may lie in each other; a guard for the stack.
pub(super) const DEPTH_MAX: usize = 256;

/// The first byte from `at` that is not blank.
#[inline(always)]
pub(super) fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The end of the value that begins at `at`.
pub(super) fn value(bytes: &[u8], at: usize, depth: usize) -> Result<usize, Fault> {
    match bytes.get(at) {
        Some(b'"') => string(bytes, at),
        Some(b'{' | b'[') if depth == 0 => Err(Fault::record(at, "values lie too deep")),
        Some(b'{') => object(bytes, at, depth - 1),
        Some(b'[') => array(bytes, at, depth - 1),
        Some(b'-' | b'0'..=b'9') => number(bytes, at),
        _ => word(bytes, at),
    }
}

/// The end of `true`, `false` or `null` at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    for word in [&b"null"[..], b"true", b"false"] {
        let end = at + word.len();
        let ends = !bytes
            .get(end)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if bytes.get(at..end) == Some(word) && ends {
            return Ok(end);
        }
    }
    Err(unexpected(bytes, at, "a value"))
}

fn object(bytes: &[u8], at: usize, depth: usize) -> Result<usize, Fault> {
    let mut at = blanks(bytes, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        if bytes.get(at) != Some(&b'"') {
            return Err(unexpected(bytes, at, "a key"));
        }
        at = colon(bytes, string(bytes, at)?)?;
        at = blanks(bytes, value(bytes, at, depth)?);
        match bytes.get(at) {
            Some(b',') => at = blanks(bytes, at + 1),
            Some(b'}') => return Ok(at + 1),
            _ => return Err(unexpected(bytes, at, "`,` or `}`")),
        }
    }
}

fn array(bytes: &[u8], at: usize, depth: usize) -> Result<usize, Fault> {
    let mut at = blanks(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    loop {
        at = blanks(bytes, value(bytes, at, depth)?);
        match bytes.get(at) {
            Some(b',') => at = blanks(bytes, at + 1),
            Some(b']') => return Ok(at + 1),
            _ => return Err(unexpected(bytes, at, "`,` or `]`")),
        }
    }
}

/// The value after the colon that must stand at `at` or after blanks.
#[inline]
pub(super) fn colon(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let at = blanks(bytes, at);
    if bytes.get(at) != Some(&b':') {
        return Err(unexpected(bytes, at, "`:`"));
    }
    Ok(blanks(bytes, at + 1))
}

/// The end of the string whose opening quote is at `at`.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let mut inner = at + 1;
    loop {
        let end = scan::json_string(bytes, inner).end;
        match bytes.get(end) {
            Some(b'"') => return Ok(end + 1),
            Some(b'\\') => inner = escape(bytes, end)?.1,
            Some(_) => return Err(Fault::record(end, "a control character in a string")),
            None => return Err(Fault::record(at, "a string that does not end")),
        }
    }
}

/// The end of the number at `at`, by JSON's grammar.
pub(super) fn number(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let digits = |mut end: usize| {
        while bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        end
    };
    let first = if bytes.get(at) == Some(&b'-') {
        at + 1
    } else {
        at
    };
    let mut end = digits(first);
    if end == first || (end > first + 1 && bytes.get(first) == Some(&b'0')) {
        return Err(unexpected(bytes, at, "a number"));
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(fraction);
        if end == fraction {
            return Err(unexpected(bytes, at, "a number"));
        }
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + sign;
        end = digits(exponent);
        if end == exponent {
            return Err(unexpected(bytes, at, "a number"));
        }
    }
    Ok(end)
}

/// Appends the text of the string whose opening quote is at `at`; the byte after its end.
pub(super) fn unescape(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, Fault> {
    let mut from = at + 1;
    loop {
        let end = scan::json_string(bytes, from).end;
        out.extend_from_slice(bytes.get(from..end).unwrap_or_default());
        match bytes.get(end) {
            Some(b'"') => return Ok(end + 1),
            Some(b'\\') => {
                let (letter, next) = escape(bytes, end)?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                from = next;
            }
            Some(_) => return Err(Fault::record(end, "a control character in a string")),
            None => return Err(Fault::record(at, "a string that does not end")),
        }
    }
}

/// The character of the escape at `at`, and the byte after it.
fn escape(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let letter = match bytes.get(at + 1) {
        Some(letter @ (b'"' | b'\\' | b'/')) => char::from(*letter),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(bytes, at),
        _ => return Err(Fault::record(at, "an unknown escape in a string")),
    };
    Ok((letter, at + 2))
}

/// `\uXXXX` at `at`, or two that are a surrogate pair.
fn unicode(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(bytes.get(at..at + 4)?).ok()?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let wrong = || Fault::record(at, "a wrong \\u escape in a string");
    let high = unit(at + 2).ok_or_else(wrong)?;
    if let Some(letter) = char::from_u32(high) {
        return Ok((letter, at + 6));
    }
    let low = match bytes.get(at + 6..at + 8) {
        Some(b"\\u") => unit(at + 8).filter(|low| (0xdc00..0xe000).contains(low)),
        _ => None,
    };
    let low = low.filter(|_| high < 0xdc00).ok_or_else(wrong)?;
    let letter = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    Ok((letter.ok_or_else(wrong)?, at + 12))
}

/// Appends the JSON text `value` without the blanks between its tokens.
pub(super) fn compact(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        let end = match byte {
            b'"' => string(value, at).unwrap_or(value.len()),
            _ => at + 1,
        };
        if !matches!(byte, b' ' | b'\t' | b'\r') {
            out.extend_from_slice(value.get(at..end).unwrap_or_default());
        }
        at = end;
    }
}

/// The fault of finding something else than `expected`.
#[cold]
pub(super) fn unexpected(bytes: &[u8], at: usize, expected: &str) -> Fault {
    let found = match bytes.get(at..).map(|rest| rest.utf8_chunks().next()) {
        Some(Some(chunk)) if !chunk.valid().is_empty() => {
            let letter = chunk.valid().chars().next().unwrap_or(' ');
            format!("found `{}`", letter.escape_debug())
        }
        Some(Some(_)) => "found a byte that is not UTF-8".to_owned(),
        _ => "the line ends".to_owned(),
    };
    Fault::record(at, format!("not JSON: {expected} expected, but {found}"))
}

//! One field of a CSV record, by the whole grammar: quotes, doubled quotes, escapes, line breaks.

use std::ops::Range;

use super::CsvOptions;
use crate::columns::{Columns, Data};
use crate::convert::{self, Bad, Rules};
use crate::error::Fault;
use crate::scan;
use crate::types::Kind;

/// The characters that mean something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub trim: bool,
}

impl Syntax {
    pub fn of(options: &CsvOptions) -> Syntax {
        Syntax {
            delimiter: options.delimiter,
            quote: options.quote,
            escape: options.escape,
            trim: options.trim_spaces,
        }
    }
}

/// What ends a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A delimiter; the next field begins here.
    Field(usize),
    /// The record's end; the next record begins here.
    Record(usize),
}

/// A field.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Its bytes in the input; `None` if they are in the scratch, because a quote or escape had to
    /// be taken out.
    pub text: Option<Range<usize>>,
    pub stop: Stop,
    /// Line feeds inside its quotes.
    pub line_feeds: u64,
}

/// What ends the field whose text ends at `at`: `None` if that is no end, or may not be one.
#[inline(always)]
pub(super) fn stop(bytes: &[u8], at: usize, delimiter: u8, end: bool) -> Option<Stop> {
    match bytes.get(at) {
        Some(byte) if *byte == delimiter => Some(Stop::Field(at + 1)),
        Some(b'\n') => Some(Stop::Record(at + 1)),
        Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => Some(Stop::Record(at + 2)),
        Some(b'\r') if end && at + 1 == bytes.len() => Some(Stop::Record(at + 1)),
        None if end => Some(Stop::Record(at)),
        _ => None,
    }
}

/// Reads the field at `at`; `None` if it may go on behind `bytes`.
pub(super) fn read(
    bytes: &[u8],
    at: usize,
    end: bool,
    syntax: Syntax,
    scratch: &mut Vec<u8>,
) -> Result<Option<Field>, Fault> {
    let mut start = at;
    if syntax.trim {
        while matches!(bytes.get(start), Some(b' ' | b'\t')) && bytes[start] != syntax.delimiter {
            start += 1;
        }
    }
    match (bytes.get(start), syntax.quote) {
        (Some(byte), Some(quote)) if *byte == quote => {
            quoted(bytes, start, end, syntax, quote, scratch)
        }
        _ if syntax.escape.is_some() => Ok(escaped(bytes, start, end, syntax, scratch)),
        _ => Ok(plain(bytes, start, end, syntax)),
    }
}

fn plain(bytes: &[u8], at: usize, end: bool, syntax: Syntax) -> Option<Field> {
    let run = scan::csv_field(bytes, at, syntax.delimiter);
    let (mut to, stop) = close(bytes, at, run.end, syntax.delimiter, end)?;
    if syntax.trim {
        while to > at && matches!(bytes.get(to - 1), Some(b' ' | b'\t')) {
            to -= 1;
        }
    }
    Some(Field {
        text: Some(at..to),
        stop,
        line_feeds: 0,
    })
}

/// The end of the text, without the carriage return of a line end, and what ends it.
#[inline(always)]
pub(super) fn close(
    bytes: &[u8],
    at: usize,
    run_end: usize,
    delimiter: u8,
    end: bool,
) -> Option<(usize, Stop)> {
    let returns = run_end > at && bytes.get(run_end - 1) == Some(&b'\r');
    match bytes.get(run_end) {
        Some(b'\n') => Some((run_end - usize::from(returns), Stop::Record(run_end + 1))),
        Some(byte) if *byte == delimiter => Some((run_end, Stop::Field(run_end + 1))),
        None if end => Some((run_end - usize::from(returns), Stop::Record(run_end))),
        _ => None,
    }
}

fn escaped(
    bytes: &[u8],
    mut at: usize,
    end: bool,
    syntax: Syntax,
    scratch: &mut Vec<u8>,
) -> Option<Field> {
    scratch.clear();
    // Blanks behind the last escaped character are trimmed, an escaped blank is not.
    let mut keep = 0;
    let stop = loop {
        match bytes.get(at) {
            Some(byte) if Some(*byte) == syntax.escape => {
                match bytes.get(at + 1) {
                    Some(letter) => scratch.push(unescape(*letter)),
                    None if end => scratch.push(*byte),
                    None => return None,
                }
                keep = scratch.len();
                at = (at + 2).min(bytes.len());
            }
            Some(b'\n') => {
                if scratch.len() > keep && scratch.last() == Some(&b'\r') {
                    scratch.pop();
                }
                break Stop::Record(at + 1);
            }
            Some(byte) if *byte == syntax.delimiter => break Stop::Field(at + 1),
            Some(byte) => {
                scratch.push(*byte);
                at += 1;
            }
            None if end => break Stop::Record(at),
            None => return None,
        }
    };
    while syntax.trim && scratch.len() > keep && matches!(scratch.last(), Some(b' ' | b'\t')) {
        scratch.pop();
    }
    Some(Field {
        text: None,
        stop,
        line_feeds: 0,
    })
}

/// What the escape character makes of a letter.
fn unescape(letter: u8) -> u8 {
    match letter {
        b'0' => 0,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

fn quoted(
    bytes: &[u8],
    start: usize,
    end: bool,
    syntax: Syntax,
    quote: u8,
    scratch: &mut Vec<u8>,
) -> Result<Option<Field>, Fault> {
    let unended = || match end {
        true => Err(Fault::record(start, "a quoted field that does not end")),
        false => Ok(None),
    };
    let (mut from, mut whole) = (start + 1, true);
    scratch.clear();
    let close = loop {
        let run = scan::csv_quoted(bytes, from, quote, syntax.escape.unwrap_or(quote));
        let (Some(byte), next) = (bytes.get(run.end), bytes.get(run.end + 1)) else {
            return unended();
        };
        let letter = match next {
            // The escape character may be the quote itself; then it only doubles.
            Some(letter) if Some(*byte) == syntax.escape && *byte != quote => unescape(*letter),
            Some(letter) if *byte == quote && *letter == quote => quote,
            None if !end || Some(*byte) == syntax.escape && *byte != quote => return unended(),
            _ => break run.end,
        };
        whole = false;
        scratch.extend_from_slice(bytes.get(from..run.end).unwrap_or_default());
        scratch.push(letter);
        from = run.end + 2;
    };
    let text = match whole {
        true => Some(start + 1..close),
        false => {
            scratch.extend_from_slice(bytes.get(from..close).unwrap_or_default());
            None
        }
    };
    let mut after = close + 1;
    while matches!(bytes.get(after), Some(b' ' | b'\t')) && bytes[after] != syntax.delimiter {
        after += 1;
    }
    let Some(stop) = stop(bytes, after, syntax.delimiter, end) else {
        let may_go_on = !end && matches!(bytes.get(after..), Some(b"" | b"\r") | None);
        return match may_go_on {
            true => Ok(None),
            false => Err(Fault::record(
                after,
                "text after the closing quote of a field",
            )),
        };
    };
    let inside = bytes.get(start..close).unwrap_or_default();
    let line_feeds = inside.iter().filter(|byte| **byte == b'\n').count() as u64;
    Ok(Some(Field {
        text,
        stop,
        line_feeds,
    }))
}

/// How the text of a field becomes a value.
#[derive(Debug)]
pub(super) struct Meaning {
    pub null_literal: Option<Vec<u8>>,
    pub empty_string_as_null: bool,
    pub element_delimiter: Vec<u8>,
}

impl Meaning {
    /// True if `text` is NULL in a column of `kind`.
    #[inline]
    pub fn is_null(&self, text: &[u8], kind: Kind) -> bool {
        if text.is_empty() && (kind != Kind::Text || self.empty_string_as_null) {
            return true;
        }
        self.null_literal
            .as_ref()
            .is_some_and(|literal| **literal == *text)
    }

    /// `text` as the value of `row` of column `id`, which stays behind if it is NULL.
    ///
    /// The column of the error is the innermost: a field of a ROW or an element of an ARRAY.
    pub fn put(
        &self,
        columns: &mut Columns,
        id: usize,
        row: usize,
        text: &[u8],
        rules: &mut Rules,
    ) -> Result<(), (usize, Bad)> {
        let kind = columns.at(id).kind;
        if self.is_null(text, kind) {
            return Ok(());
        }
        match kind {
            Kind::Array => {
                let Data::List { offsets, item } = &columns.at(id).data else {
                    return Ok(());
                };
                let (item, mut end) = (*item, offsets.last().map_or(0, |end| *end as usize));
                for element in self.elements(text) {
                    self.put(columns, item, end, element, rules)?;
                    end += 1;
                    columns.at(item).fill(end);
                }
                let fits = columns.at(id).put_list(row, end);
                if fits { Ok(()) } else { Err((id, Bad::Full)) }
            }
            Kind::Row => {
                let Data::Struct { fields, .. } = &columns.at(id).data else {
                    return Ok(());
                };
                let fields = fields.clone();
                let elements: Vec<&[u8]> = self.elements(text).collect();
                if elements.len() != fields.len() {
                    return Err((id, Bad::Value));
                }
                for (field, element) in fields.iter().zip(elements) {
                    self.put(columns, *field, row, element, rules)?;
                }
                if columns.missing(&fields, row).is_some() {
                    return Err((id, Bad::Value));
                }
                columns.at(id).put_row(row);
                Ok(())
            }
            _ => convert::put(columns.at(id), row, text, rules).map_err(|bad| (id, bad)),
        }
    }

    fn elements<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
        let delimiter = self.element_delimiter.clone();
        let mut rest = Some(text);
        std::iter::from_fn(move || {
            let text = rest?;
            let at = text
                .windows(delimiter.len())
                .position(|window| *window == *delimiter);
            rest = at.and_then(|at| text.get(at + delimiter.len()..));
            at.map_or(Some(text), |at| text.get(..at))
        })
    }
}

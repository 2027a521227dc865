//! What is expected of each field of a record, and of the first line of a file.

use super::CsvOptions;
use crate::types::Kind;

/// How a field is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Nobody wants it.
    Skip,
    I64,
    Integer,
    Text,
    Stamp,
    /// By the whole grammar at once.
    General,
}

/// A field of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub op: Op,
    /// Its column; of no meaning for `Skip`.
    pub id: usize,
}

/// What the first line of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstLine {
    /// A record, or already passed.
    Data,
    Header,
    Ignored,
    /// A header that this split does not hold and nobody has shown yet.
    Elsewhere,
}

impl Op {
    /// The quickest way to a value of `kind` that `options` allow.
    pub fn of(kind: Kind, options: &CsvOptions) -> Op {
        let plain = options.escape.is_none() && !options.trim_spaces;
        // Digits that may mean something else than a number are left to the whole grammar.
        let literal = options.null_literal.as_deref().unwrap_or_default();
        let numeric_null = literal.iter().any(u8::is_ascii_digit);
        let quoted_by_digit = options.quote.is_some_and(|quote| quote.is_ascii_digit());
        match kind {
            Kind::Text if plain && !options.empty_string_as_null => Op::Text,
            _ if !plain || numeric_null || quoted_by_digit => Op::General,
            Kind::Integer(64) => Op::I64,
            Kind::Integer(_) => Op::Integer,
            Kind::Timestamp { .. } => Op::Stamp,
            _ => Op::General,
        }
    }
}

impl FirstLine {
    /// What the first line is of a split that begins its file or does not.
    pub fn of(options: &CsvOptions, at_start: bool) -> FirstLine {
        match (options.header, options.ignore_first_line, at_start) {
            (true, _, true) => FirstLine::Header,
            (true, _, false) => FirstLine::Elsewhere,
            (false, true, true) => FirstLine::Ignored,
            _ => FirstLine::Data,
        }
    }
}

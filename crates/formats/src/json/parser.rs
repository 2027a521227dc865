//! The general JSON parser: any order, any nesting, straight into columns.
//!
//! It is a pull parser without a tree: each value is converted where it stands, by the column it
//! is for. While it reads a line it can record what the line looked like, from which a
//! [`Layout`](super::layout::Layout) is learned.
//!
//! Of a key that occurs twice the last value counts.

use super::layout::{Op, Recorder};
use super::shape::{Shape, Shapes};
use super::skip;
use crate::columns::{Columns, Data};
use crate::convert::{self, Bad, Rules};
use crate::error::Fault;
use crate::number;
use crate::scan;
use crate::types::Kind;

/// What to do about missing fields and wrong values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strictness {
    pub fail_on_missing_field: bool,
    pub ignore_parse_errors: bool,
}

/// A parser at some byte of its input.
pub(super) struct Parser<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    pub columns: &'a mut Columns,
    pub shapes: &'a Shapes,
    pub strictness: Strictness,
    pub rules: &'a mut Rules,
    pub scratch: &'a mut Vec<u8>,
    pub recorder: &'a mut Recorder,
    pub depth: usize,
}

impl Parser<'_> {
    /// Reads a line that is one record into `row`.
    pub fn record(&mut self, row: usize) -> Result<(), Fault> {
        let shapes = self.shapes;
        self.blanks();
        if self.peek() != Some(b'{') {
            return Err(skip::unexpected(self.bytes, self.at, "an object"));
        }
        self.object(&shapes.record, row)?;
        self.blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(skip::unexpected(self.bytes, self.at, "the end of the line")),
        }
    }

    #[inline(always)]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn blanks(&mut self) {
        self.at = skip::blanks(self.bytes, self.at);
    }

    fn object(&mut self, shape: &Shape, row: usize) -> Result<(), Fault> {
        let start = self.at;
        let mut seen = match self.strictness.fail_on_missing_field {
            true => vec![false; shape.fields.len()],
            false => Vec::new(),
        };
        self.at += 1;
        self.blanks();
        let mut guess = 0;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let place = self.key(shape, guess)?;
                self.at = skip::colon(self.bytes, self.at)?;
                match place.and_then(|place| shape.fields.get(place)) {
                    Some((_, id)) => self.value(*id, row)?,
                    None => self.unknown()?,
                }
                if let Some(place) = place {
                    guess = place + 1;
                    if let Some(seen) = seen.get_mut(place) {
                        *seen = true;
                    }
                }
                self.blanks();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break self.at += 1,
                    _ => return Err(skip::unexpected(self.bytes, self.at, "`,` or `}`")),
                }
                self.blanks();
            }
        }
        if let Some((_, id)) = seen
            .iter()
            .position(|seen| !seen)
            .and_then(|at| shape.fields.get(at))
        {
            return Err(Fault::absent(start, *id, "the field is missing"));
        }
        match self.columns.missing(&shape.required, row) {
            Some(id) => Err(Fault::null(start, id)),
            None => Ok(()),
        }
    }

    /// Reads a key; its place in `shape` if a column has it.
    fn key(&mut self, shape: &Shape, guess: usize) -> Result<Option<usize>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(skip::unexpected(self.bytes, self.at, "a key"));
        }
        let end = scan::json_string(self.bytes, self.at + 1).end;
        if self.bytes.get(end) == Some(&b'"') {
            let key = self.bytes.get(self.at + 1..end).unwrap_or_default();
            self.at = end + 1;
            return Ok(shape.find(key, guess));
        }
        self.scratch.clear();
        self.at = skip::unescape(self.bytes, self.at, self.scratch)?;
        Ok(shape.find(self.scratch, guess))
    }

    /// Passes a value that no column asks for.
    fn unknown(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at = skip::value(self.bytes, start, skip::DEPTH_MAX)?;
        if self.recorder.records() {
            self.record_unknown(start, self.at);
        }
        Ok(())
    }

    /// Records the scalars of an object that no column asks for one by one: comparing its keys with
    /// learned ones is faster than finding its end.
    fn record_unknown(&mut self, start: usize, end: usize) {
        if self.bytes.get(start) != Some(&b'{') {
            let op = Op::to_skip(self.bytes.get(start));
            return self.recorder.step(start, end, op, usize::MAX);
        }
        let mut at = skip::blanks(self.bytes, start + 1);
        // The object has just been read without a fault, so each step here finds what it expects.
        while self.bytes.get(at) == Some(&b'"') {
            let Ok(value) = skip::string(self.bytes, at).and_then(|at| skip::colon(self.bytes, at))
            else {
                return;
            };
            let Ok(after) = skip::value(self.bytes, value, skip::DEPTH_MAX) else {
                return;
            };
            self.record_unknown(value, after);
            at = skip::blanks(self.bytes, after);
            at = skip::blanks(
                self.bytes,
                at + usize::from(self.bytes.get(at) == Some(&b',')),
            );
        }
    }

    /// Reads a value into `row` of column `id`, which stays behind `row` if the value is NULL.
    pub fn value(&mut self, id: usize, row: usize) -> Result<(), Fault> {
        if self.columns.at(id).len() > row {
            self.recorder.poison();
            self.columns.truncate(id, row);
        }
        let start = self.at;
        match self.value_of_kind(id, row) {
            Err(fault) if fault.value_only() && self.strictness.ignore_parse_errors => {
                self.recorder.poison();
                self.columns.forget_in(id, row);
                self.at = skip::value(self.bytes, start, skip::DEPTH_MAX)?;
                Ok(())
            }
            result => result,
        }
    }

    fn value_of_kind(&mut self, id: usize, row: usize) -> Result<(), Fault> {
        let start = self.at;
        let kind = self.columns.at(id).kind;
        match kind {
            Kind::Row => return self.row(id, row),
            Kind::Array | Kind::Map => {
                let recording = self.recorder.pause();
                let result = if self.null()? {
                    Ok(())
                } else if kind == Kind::Array {
                    self.array(id, row)
                } else {
                    self.map(id, row)
                };
                self.recorder.resume(recording);
                result?;
            }
            _ => self.scalar(id, row, kind)?,
        }
        let op = Op::of(kind, self.rules.standard);
        self.recorder.step(start, self.at, op, id);
        Ok(())
    }

    /// Passes `null`, if that is the value.
    #[inline]
    fn null(&mut self) -> Result<bool, Fault> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.at = skip::word(self.bytes, self.at)?;
        Ok(true)
    }

    fn row(&mut self, id: usize, row: usize) -> Result<(), Fault> {
        let shapes = self.shapes;
        if self.null()? {
            return Ok(());
        }
        if self.peek() != Some(b'{') {
            return Err(self.wrong(id, self.at));
        }
        let Some(shape) = shapes.by_column.get(id) else {
            return Ok(());
        };
        self.deeper()?;
        self.object(shape, row)?;
        self.depth += 1;
        self.columns.at(id).put_row(row);
        self.recorder.mark(id);
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(Fault::record(self.at, "values lie too deep")),
        }
    }

    fn array(&mut self, id: usize, row: usize) -> Result<(), Fault> {
        let Data::List { offsets, item } = &self.columns.at(id).data else {
            return Ok(());
        };
        let (item, mut end) = (*item, offsets.last().map_or(0, |end| *end as usize));
        if self.peek() != Some(b'[') {
            return Err(self.wrong(id, self.at));
        }
        self.deeper()?;
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.element(item, end)?;
                end += 1;
                self.blanks();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break self.at += 1,
                    _ => return Err(skip::unexpected(self.bytes, self.at, "`,` or `]`")),
                }
                self.blanks();
            }
        }
        self.depth += 1;
        self.columns.at(item).fill(end);
        self.end_list(id, row, end)
    }

    /// Reads element `at` of an ARRAY or MAP, whose elements column `id` holds.
    fn element(&mut self, id: usize, at: usize) -> Result<(), Fault> {
        let start = self.at;
        self.value(id, at)?;
        match self.columns.missing(&[id], at) {
            Some(id) => Err(Fault::null(start, id)),
            None => Ok(()),
        }
    }

    fn end_list(&mut self, id: usize, row: usize, end: usize) -> Result<(), Fault> {
        match self.columns.at(id).put_list(row, end) {
            true => Ok(()),
            false => Err(Fault::value(self.at, id, "too many elements in a batch")),
        }
    }

    fn map(&mut self, id: usize, row: usize) -> Result<(), Fault> {
        let Data::Map {
            offsets,
            key,
            value,
        } = &self.columns.at(id).data
        else {
            return Ok(());
        };
        let (key, value) = (*key, *value);
        let mut end = offsets.last().map_or(0, |end| *end as usize);
        if self.peek() != Some(b'{') {
            return Err(self.wrong(id, self.at));
        }
        self.deeper()?;
        let entries = self.entries()?;
        let after = self.at;
        for (name, at) in entries {
            self.at = at;
            if convert::put_text(self.columns.at(key), end, &name, false).is_err() {
                return Err(Fault::value(at, key, "a key that is not UTF-8"));
            }
            self.element(value, end)?;
            end += 1;
        }
        self.at = after;
        self.depth += 1;
        self.columns.at(value).fill(end);
        self.end_list(id, row, end)
    }

    /// The keys of an object and where their values are, each key once, with its last value.
    fn entries(&mut self) -> Result<Vec<(Vec<u8>, usize)>, Fault> {
        let mut entries: Vec<(Vec<u8>, usize)> = Vec::new();
        self.at = skip::blanks(self.bytes, self.at + 1);
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(entries);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(skip::unexpected(self.bytes, self.at, "a key"));
            }
            let mut name = Vec::new();
            self.at = skip::unescape(self.bytes, self.at, &mut name)?;
            let value = skip::colon(self.bytes, self.at)?;
            match entries.iter_mut().find(|(other, _)| *other == name) {
                Some((_, at)) => *at = value,
                None => entries.push((name, value)),
            }
            self.at = skip::value(self.bytes, value, self.depth)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break self.at += 1,
                _ => return Err(skip::unexpected(self.bytes, self.at, "`,` or `}`")),
            }
            self.blanks();
        }
        Ok(entries)
    }

    fn scalar(&mut self, id: usize, row: usize, kind: Kind) -> Result<(), Fault> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string(id, row),
            Some(b'-' | b'0'..=b'9') => {
                self.at = skip::number(self.bytes, start)?;
                self.number(id, row, kind, start)
            }
            Some(b'{' | b'[') if kind == Kind::Text => {
                self.at = skip::value(self.bytes, start, skip::DEPTH_MAX)?;
                let token = self.bytes.get(start..self.at).unwrap_or_default();
                self.scratch.clear();
                skip::compact(token, self.scratch);
                let result = convert::put_text(self.columns.at(id), row, self.scratch, false);
                result.map_err(|bad| self.bad(id, start, bad, token))
            }
            Some(b'{' | b'[') => Err(self.wrong(id, start)),
            _ => {
                if self.null()? {
                    return Ok(());
                }
                self.at = skip::word(self.bytes, start)?;
                self.convert(id, row, start)
            }
        }
    }

    fn convert(&mut self, id: usize, row: usize, start: usize) -> Result<(), Fault> {
        let token = self.bytes.get(start..self.at).unwrap_or_default();
        let result = convert::put(self.columns.at(id), row, token, self.rules);
        result.map_err(|bad| self.bad(id, start, bad, token))
    }

    fn number(&mut self, id: usize, row: usize, kind: Kind, start: usize) -> Result<(), Fault> {
        let token = self.bytes.get(start..self.at).unwrap_or_default();
        if let Kind::Integer(_) = kind
            && number::parse_i64(token).is_none()
        {
            // As in Flink, a number with a fraction or an exponent loses its fraction.
            let whole = number::parse_f64(token).map(f64::trunc);
            let whole = whole
                .filter(|value| value.abs() < 9.2e18)
                .map(|value| value as i64);
            return match whole.map(|whole| self.columns.at(id).put_integer(row, whole)) {
                Some(true) => Ok(()),
                _ => Err(self.bad(id, start, Bad::Value, token)),
            };
        }
        self.convert(id, row, start)
    }

    fn string(&mut self, id: usize, row: usize) -> Result<(), Fault> {
        let start = self.at;
        let run = scan::json_string(self.bytes, start + 1);
        let text = if self.bytes.get(run.end) == Some(&b'"') {
            self.at = run.end + 1;
            self.bytes.get(start + 1..run.end).unwrap_or_default()
        } else {
            self.scratch.clear();
            self.at = skip::unescape(self.bytes, start, self.scratch)?;
            &self.scratch[..]
        };
        match convert::put(self.columns.at(id), row, text, self.rules) {
            Ok(()) => Ok(()),
            Err(bad) => {
                let text = text.to_vec();
                Err(self.bad(id, start, bad, &text))
            }
        }
    }

    #[cold]
    fn bad(&self, id: usize, at: usize, bad: Bad, text: &[u8]) -> Fault {
        match bad {
            Bad::Value => Fault::value(at, id, self.columns.not_a(id, text)),
            // The text of a string begins after its quote.
            Bad::Utf8(valid) => Fault::value(at + 1 + valid, id, "a string that is not UTF-8"),
            Bad::Full => Fault::record(at, "too much text in a batch"),
        }
    }

    /// The value at `at` is of another kind than column `id`.
    #[cold]
    fn wrong(&self, id: usize, at: usize) -> Fault {
        match skip::value(self.bytes, at, skip::DEPTH_MAX) {
            Ok(end) => {
                let text = self.bytes.get(at..end).unwrap_or_default();
                Fault::value(at, id, self.columns.not_a(id, text))
            }
            Err(fault) => fault,
        }
    }
}

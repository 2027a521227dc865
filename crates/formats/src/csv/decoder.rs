//! The CSV decoder: reads each field as its column wants it, and by the whole grammar if that
//! fails.
//!
//! A field of digits followed by a delimiter needs no search for its end, and a STRING without a
//! quote is found, checked and copied in one pass. So each field is tried in the form it nearly
//! always has; only what has another form goes through [`field::read`].

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use super::field::{self, Meaning, Stop, Syntax};
use super::slot::{FirstLine, Op, Slot};
use super::{CsvOptions, header};
use crate::columns::Columns;
use crate::convert::{self, Bad, Rules};
use crate::error::{Fault, FormatError, FormatErrorKind};
use crate::place::Place;
use crate::scan;
use crate::time::{self, Standard};
use crate::types::Kind;
use crate::{Decoder, Origin, number};

pub(super) struct CsvDecoder {
    options: CsvOptions,
    syntax: Syntax,
    meaning: Meaning,
    schema: SchemaRef,
    /// For each column of the schema, its place in the batch.
    wanted: Vec<Option<usize>>,
    slots: Vec<Slot>,
    first_line: FirstLine,
    columns: Columns,
    /// Columns of the batch that are declared NOT NULL.
    required: Vec<usize>,
    rules: Rules,
    scratch: Vec<u8>,
    place: Place,
    /// Line feeds inside the quotes of the record being read.
    line_feeds: u64,
    rows: usize,
    batch_rows: usize,
    skipped: u64,
}

impl CsvDecoder {
    pub fn new(
        options: CsvOptions,
        schema: SchemaRef,
        projected: SchemaRef,
        projection: Option<&[usize]>,
        batch_rows: usize,
    ) -> Result<CsvDecoder, FormatError> {
        let wanted = (0..schema.fields().len()).map(|column| match projection {
            Some(columns) => columns.iter().position(|other| *other == column),
            None => Some(column),
        });
        let columns = Columns::new(projected, batch_rows)?;
        let mut required = columns.roots.clone();
        required.retain(|id| {
            columns
                .list
                .get(*id)
                .is_some_and(|column| !column.nullable())
        });
        let mut decoder = CsvDecoder {
            syntax: Syntax::of(&options),
            meaning: Meaning {
                null_literal: options.null_literal.clone(),
                empty_string_as_null: options.empty_string_as_null,
                element_delimiter: options.element_delimiter.clone(),
            },
            wanted: wanted.collect(),
            schema,
            slots: Vec::new(),
            first_line: FirstLine::Data,
            columns,
            required,
            rules: Rules::new(Standard::Lenient),
            scratch: Vec::new(),
            place: Place::new(),
            line_feeds: 0,
            rows: 0,
            batch_rows,
            skipped: 0,
            options,
        };
        let in_order: Vec<_> = (0..decoder.schema.fields().len()).map(Some).collect();
        decoder.set_slots(&in_order);
        decoder.first_line = FirstLine::of(&decoder.options, true);
        Ok(decoder)
    }

    /// Makes field i of the file the value of column `columns[i]` of the schema.
    fn set_slots(&mut self, columns: &[Option<usize>]) {
        let slots = columns.iter().map(|column| {
            let place = column.and_then(|column| *self.wanted.get(column)?);
            match place.and_then(|place| self.columns.roots.get(place).copied()) {
                Some(id) => Slot {
                    op: self.op_of(id),
                    id,
                },
                None => Slot {
                    op: Op::Skip,
                    id: usize::MAX,
                },
            }
        });
        self.slots = slots.collect();
    }

    fn op_of(&self, id: usize) -> Op {
        match self.columns.list.get(id) {
            Some(column) => Op::of(column.kind, &self.options),
            None => Op::General,
        }
    }

    /// Reads the header at `at`; where the first record begins, or `None` if it may go on.
    fn read_header(
        &mut self,
        bytes: &[u8],
        at: usize,
        end: bool,
    ) -> Result<Option<usize>, FormatError> {
        let place_fault = |fault, this: &Self| {
            this.place
                .error(fault, bytes.get(at..).unwrap_or_default(), &this.columns)
        };
        let rest = bytes.get(at..).unwrap_or_default();
        let names = header::names(rest, 0, end, self.syntax);
        let Some((names, next)) = names.map_err(|fault| place_fault(fault, self))? else {
            return Ok(None);
        };
        let schema: &Schema = &self.schema;
        let columns = header::resolve(&names, schema).map_err(|fault| place_fault(fault, self))?;
        self.set_slots(&columns);
        Ok(Some(at + next))
    }

    /// Passes the first line of a file, if it is no record.
    fn pass_first_line(
        &mut self,
        bytes: &[u8],
        at: usize,
        end: bool,
    ) -> Result<Option<usize>, FormatError> {
        let next = match self.first_line {
            FirstLine::Data => return Ok(Some(at)),
            FirstLine::Elsewhere => {
                let message = "a split with `csv.header` begins inside its file, and the header was not given";
                return Err(FormatError::new(FormatErrorKind::Internal, message));
            }
            _ if at == bytes.len() => None,
            FirstLine::Header => self.read_header(bytes, at, end)?,
            FirstLine::Ignored => crate::place::line(bytes, at, end).map(|(_, next)| next),
        };
        if let Some(next) = next {
            let passed = bytes.get(at..next).unwrap_or_default();
            self.place.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.first_line = FirstLine::Data;
        }
        Ok(next)
    }

    /// Reads the record at `at` into the next row; where the next begins, or `None` if it may go
    /// on behind `bytes`. Unless it is whole, the columns may hold parts of it.
    fn record(&mut self, bytes: &[u8], start: usize, end: bool) -> Result<Option<usize>, Fault> {
        let row = self.rows;
        let mut at = start;
        self.line_feeds = 0;
        for place in 0..self.slots.len() {
            let Slot { op, id } = self.slots[place];
            let stop = match self.field_of(op, id, row, bytes, at, end) {
                Some(stop) => stop,
                None => match self.any_field(id, row, bytes, at, end)? {
                    Some(stop) => stop,
                    None => return Ok(None),
                },
            };
            match stop {
                Stop::Field(next) => at = next,
                Stop::Record(next) if place + 1 == self.slots.len() => {
                    return self.whole(start, next);
                }
                Stop::Record(next) => {
                    let lenient = self.options.ignore_parse_errors && !self.options.fail_on_missing;
                    if lenient {
                        return self.whole(start, next);
                    }
                    let (wanted, found) = (self.slots.len(), place + 1);
                    let message = format!("the record has {found} of {wanted} fields");
                    return Err(Fault::record(next.saturating_sub(1).max(start), message));
                }
            }
        }
        self.trailing(bytes, start, at, end)
    }

    /// Passes what stands behind the last column of a record.
    fn trailing(
        &mut self,
        bytes: &[u8],
        start: usize,
        mut at: usize,
        end: bool,
    ) -> Result<Option<usize>, Fault> {
        if self.options.allow_trailing_comma
            && let Some(Stop::Record(next)) = field::stop(bytes, at, self.syntax.delimiter, end)
        {
            return self.whole(start, next);
        }
        let extra = at;
        loop {
            match self.any_field(usize::MAX, self.rows, bytes, at, end)? {
                None => return Ok(None),
                Some(Stop::Field(next)) => at = next,
                Some(Stop::Record(next)) if self.options.ignore_trailing => {
                    return self.whole(start, next);
                }
                Some(Stop::Record(_)) => {
                    let fields = self.slots.len();
                    let message = format!("the record has more than {fields} fields");
                    return Err(Fault::record(extra, message));
                }
            }
        }
    }

    /// Ends the row, if no column that must have a value lacks one.
    #[inline]
    fn whole(&mut self, start: usize, next: usize) -> Result<Option<usize>, Fault> {
        match self.columns.missing(&self.required, self.rows) {
            Some(id) => Err(Fault::null(start, id)),
            None => Ok(Some(next)),
        }
    }

    /// Reads a field in the form it nearly always has; `None` if it has another.
    #[inline(always)]
    fn field_of(
        &mut self,
        op: Op,
        id: usize,
        row: usize,
        bytes: &[u8],
        at: usize,
        end: bool,
    ) -> Option<Stop> {
        let delimiter = self.syntax.delimiter;
        match op {
            Op::I64 | Op::Integer => {
                let (value, after) = number::integer(bytes, at)?;
                let stop = field::stop(bytes, after, delimiter, end)?;
                if op == Op::I64 {
                    self.columns.at(id).put_i64(row, value);
                    return Some(stop);
                }
                self.columns.at(id).put_integer(row, value).then_some(stop)
            }
            Op::Text => {
                let quoted =
                    bytes.get(at).copied() == self.syntax.quote && self.syntax.quote.is_some();
                if quoted {
                    return None;
                }
                let run = scan::csv_field(bytes, at, delimiter);
                let (to, stop) = field::close(bytes, at, run.end, delimiter, end)?;
                if self.meaning.null_literal.is_some()
                    && self.meaning.is_null(bytes.get(at..to)?, Kind::Text)
                {
                    return Some(stop);
                }
                let run = scan::Run { end: to, ..run };
                convert::put_run(self.columns.at(id), row, bytes, at, run).ok()?;
                Some(stop)
            }
            Op::Stamp => {
                let column = self.columns.at(id);
                let Kind::Timestamp { unit, zoned } = column.kind else {
                    return None;
                };
                let text = bytes.get(at..)?;
                let separator = *text.get(10).filter(|byte| matches!(byte, b' ' | b'T'))?;
                let (stamp, mut len) = time::stamp_prefix(text, separator, &mut self.rules.days)?;
                if zoned {
                    len += usize::from(*text.get(len)? == b'Z');
                    if bytes.get(at + len - 1) != Some(&b'Z') {
                        return None;
                    }
                }
                let stop = field::stop(bytes, at + len, delimiter, end)?;
                column.put_i64(row, stamp.to_unit(unit)?);
                Some(stop)
            }
            Op::Skip => {
                let quoted =
                    bytes.get(at).copied() == self.syntax.quote && self.syntax.quote.is_some();
                if quoted || self.syntax.escape.is_some() {
                    return None;
                }
                let run = scan::csv_field(bytes, at, delimiter);
                field::close(bytes, at, run.end, delimiter, end).map(|(_, stop)| stop)
            }
            Op::General => None,
        }
    }

    /// Reads a field by the whole grammar, into column `id` if there is one.
    #[inline(never)]
    fn any_field(
        &mut self,
        id: usize,
        row: usize,
        bytes: &[u8],
        at: usize,
        end: bool,
    ) -> Result<Option<Stop>, Fault> {
        let Some(field) = field::read(bytes, at, end, self.syntax, &mut self.scratch)? else {
            return Ok(None);
        };
        self.line_feeds += field.line_feeds;
        if id == usize::MAX {
            return Ok(Some(field.stop));
        }
        let text = match field.text.clone() {
            Some(range) => bytes.get(range).unwrap_or_default(),
            None => &self.scratch,
        };
        let put = self
            .meaning
            .put(&mut self.columns, id, row, text, &mut self.rules);
        if let Err((inner, bad)) = put {
            let fault = match bad {
                Bad::Value => Fault::value(at, inner, self.columns.not_a(inner, text)),
                Bad::Utf8(valid) => Fault::value(at + valid, inner, "a string that is not UTF-8"),
                Bad::Full => Fault::record(at, "too much text in a batch"),
            };
            if !self.options.ignore_parse_errors || !fault.value_only() {
                return Err(fault);
            }
            self.columns.forget_in(id, row);
        }
        Ok(Some(field.stop))
    }

    /// Where to go on after a record with a fault: behind its last line, so far as one can tell.
    fn resume(&self, bytes: &[u8], start: usize, end: bool) -> Option<usize> {
        let mut at = start;
        let mut scratch = Vec::new();
        loop {
            match field::read(bytes, at, end, self.syntax, &mut scratch) {
                Ok(Some(field)) => match field.stop {
                    Stop::Field(next) => at = next,
                    Stop::Record(next) => return Some(next),
                },
                Ok(None) => return None,
                // Quotes that do not end say nothing of where the record does: its first line is
                // given up, and the next may be whole.
                Err(_) => return crate::place::line(bytes, at, end).map(|(_, next)| next),
            }
        }
    }

    /// The next line, if the one at `at` is blank or a comment and so no record.
    #[inline]
    fn no_record(&self, bytes: &[u8], at: usize, end: bool) -> Option<usize> {
        match bytes.get(at) {
            Some(b'\n') if self.slots.len() != 1 => Some(at + 1),
            Some(b'\r') if self.slots.len() != 1 => match bytes.get(at + 1) {
                Some(b'\n') => Some(at + 2),
                None if end => Some(at + 1),
                _ => None,
            },
            Some(b'#') if self.options.comments => {
                crate::place::line(bytes, at, end).map(|(_, next)| next)
            }
            _ => None,
        }
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, bytes: &[u8], end: bool) -> Result<usize, FormatError> {
        let Some(at) = self.place.mark_bytes(bytes, end) else {
            return Ok(0);
        };
        let Some(mut at) = self.pass_first_line(bytes, at, end)? else {
            return Ok(at);
        };
        while self.rows < self.batch_rows && at < bytes.len() {
            if let Some(next) = self.no_record(bytes, at, end) {
                self.place.line += 1;
                at = next;
                continue;
            }
            if self.options.comments && bytes.get(at) == Some(&b'#') {
                break;
            }
            match self.record(bytes, at, end) {
                Ok(Some(next)) => {
                    self.place.line += 1 + self.line_feeds;
                    self.rows += 1;
                    at = next;
                }
                Ok(None) => {
                    self.columns.forget(self.rows);
                    break;
                }
                Err(fault) => {
                    self.columns.forget(self.rows);
                    if !self.options.ignore_parse_errors {
                        let record = bytes.get(at..).unwrap_or_default();
                        let fault = fault.moved_back(at);
                        return Err(self.place.error(fault, record, &self.columns));
                    }
                    let Some(next) = self.resume(bytes, at, end) else {
                        break;
                    };
                    let passed = bytes.get(at..next).unwrap_or_default();
                    self.place.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
                    self.skipped += 1;
                    at = next;
                }
            }
        }
        Ok(at)
    }

    fn begin(&mut self, origin: Origin) {
        self.first_line = FirstLine::of(&self.options, origin.offset == 0);
        self.place.begin(origin);
    }

    fn needs_head(&self) -> bool {
        self.first_line == FirstLine::Elsewhere
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        if !self.options.header {
            return Ok(());
        }
        let line = std::mem::replace(&mut self.place.line, 1);
        let marked = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let read = self.read_header(marked, 0, false);
        self.place.line = line;
        if read?.is_none() {
            return Err(FormatError::user(
                "the file's first line does not end in the bytes given",
            ));
        }
        self.first_line = FirstLine::Data;
        Ok(())
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn line(&self) -> u64 {
        self.place.line
    }

    fn flush(&mut self) -> Result<RecordBatch, FormatError> {
        let rows = std::mem::take(&mut self.rows);
        self.columns.take(rows)
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

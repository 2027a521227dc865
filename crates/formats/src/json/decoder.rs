//! The JSON decoder: finds lines, tries the learned layouts, falls back to the general parser.
//!
//! A line that has a learned layout is not looked for first: its end is where its layout ends. Only
//! a line that has none is searched for its line feed.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};

use super::JsonOptions;
use super::layout::{Layout, Recorder};
use super::parser::{Parser, Strictness};
use super::shape::Shapes;
use super::skip;
use crate::columns::{Columns, Data};
use crate::convert::Rules;
use crate::error::{Fault, FormatError};
use crate::place::{Place, line};
#[cfg(target_arch = "x86_64")]
use crate::simd::Avx2;
use crate::simd::{Level, Simd};
use crate::{Decoder, Origin};

/// Layouts kept. Each costs a comparison of its first literal for a line that has none.
const LAYOUTS_MAX: usize = 8;

/// Lines without a layout between two attempts to learn one, once learning has proved useless.
const PATIENCE_MAX: u32 = 1_024;

pub(super) struct JsonDecoder {
    level: Level,
    strictness: Strictness,
    columns: Columns,
    shapes: Shapes,
    rules: Rules,
    layouts: Layouts,
    recorder: Recorder,
    scratch: Vec<u8>,
    place: Place,
    rows: usize,
    batch_rows: usize,
    skipped: u64,
}

/// The layouts learned so far.
struct Layouts {
    list: Vec<Layout>,
    /// The one that fitted last.
    last: usize,
    /// The next to give up its place.
    oldest: usize,
    /// Lines to let pass before the next is learned.
    wait: u32,
    patience: u32,
    /// False only in tests that want the general parser.
    enabled: bool,
}

impl Layouts {
    fn wants(&mut self) -> bool {
        self.wait = self.wait.saturating_sub(1);
        self.enabled && self.wait == 0
    }

    fn add(&mut self, layout: Layout) {
        if self.list.len() < LAYOUTS_MAX {
            self.last = self.list.len();
            self.list.push(layout);
            return;
        }
        // Where every line has another layout, learning is work for nothing: do it ever less.
        let useless = self.list.get(self.oldest).is_some_and(|old| old.hits < 4);
        self.patience = if useless {
            (self.patience * 2).min(PATIENCE_MAX)
        } else {
            1
        };
        self.wait = self.patience;
        if let Some(place) = self.list.get_mut(self.oldest) {
            *place = layout;
        }
        self.last = self.oldest;
        self.oldest = (self.oldest + 1) % LAYOUTS_MAX;
    }
}

impl JsonDecoder {
    pub fn new(
        options: JsonOptions,
        schema: SchemaRef,
        batch_rows: usize,
    ) -> Result<JsonDecoder, FormatError> {
        let columns = Columns::new(schema, batch_rows)?;
        for column in &columns.list {
            let Data::Map { key, .. } = column.data else {
                continue;
            };
            let text = columns.list.get(key).map(|key| key.field.data_type());
            if !matches!(text, Some(DataType::Utf8 | DataType::Utf8View)) {
                let message = "the keys of a MAP in JSON are STRING and nothing else";
                return Err(FormatError::unsupported(message).with_field(&*column.path));
            }
        }
        Ok(JsonDecoder {
            level: Level::detect(),
            strictness: options.strictness,
            shapes: Shapes::of(&columns),
            columns,
            rules: Rules::new(options.standard),
            layouts: Layouts {
                list: Vec::new(),
                last: 0,
                oldest: 0,
                wait: 0,
                patience: 1,
                enabled: true,
            },
            recorder: Recorder::default(),
            scratch: Vec::new(),
            place: Place::new(),
            rows: 0,
            batch_rows,
            skipped: 0,
        })
    }

    /// Decodes lines that have a learned layout, from `at` on; where the first other line begins.
    fn by_layout(&mut self, bytes: &[u8], at: usize, end: bool) -> usize {
        match self.level {
            Level::Baseline(proof) => self.by_layout_with(proof, bytes, at, end),
            // SAFETY: the proof exists only on a processor that has the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(proof) => unsafe { self.by_layout_avx2(proof, bytes, at, end) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn by_layout_avx2(&mut self, proof: Avx2, bytes: &[u8], at: usize, end: bool) -> usize {
        self.by_layout_with(proof, bytes, at, end)
    }

    #[inline(always)]
    fn by_layout_with(&mut self, simd: impl Simd, bytes: &[u8], mut at: usize, end: bool) -> usize {
        let mut parser = Parser {
            bytes,
            at,
            columns: &mut self.columns,
            shapes: &self.shapes,
            strictness: self.strictness,
            rules: &mut self.rules,
            scratch: &mut self.scratch,
            recorder: &mut self.recorder,
            depth: skip::DEPTH_MAX,
        };
        let mut row = self.rows;
        while row < self.batch_rows && at < bytes.len() {
            let Some(next) = self.layouts.read(simd, &mut parser, at, row, end) else {
                break;
            };
            at = next;
            row += 1;
        }
        self.place.line += (row - self.rows) as u64;
        self.rows = row;
        at
    }

    /// Decodes a line by the general parser, and learns from it.
    fn by_parser(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.recorder.begin(self.layouts.wants());
        let mut parser = Parser {
            bytes: line,
            at: 0,
            columns: &mut self.columns,
            shapes: &self.shapes,
            strictness: self.strictness,
            rules: &mut self.rules,
            scratch: &mut self.scratch,
            recorder: &mut self.recorder,
            depth: skip::DEPTH_MAX,
        };
        if let Err(fault) = parser.record(self.rows) {
            self.columns.forget(self.rows);
            return Err(fault);
        }
        self.rows += 1;
        let columns = &self.columns;
        let nullable = |id: usize| columns.list.get(id).is_some_and(|column| column.nullable());
        if let Some(layout) = self.recorder.learn(line, nullable) {
            self.layouts.add(layout);
        }
        Ok(())
    }

    /// Decodes with the instructions of `level`, for tests that compare.
    #[cfg(test)]
    pub fn with_level(mut self, level: Level) -> JsonDecoder {
        self.level = level;
        self
    }

    /// Decodes without learned layouts, for tests that compare.
    #[cfg(test)]
    pub fn without_layouts(mut self) -> JsonDecoder {
        self.layouts.enabled = false;
        self
    }
}

impl Layouts {
    /// Reads the line at `at` by a layout it has; where the next line begins.
    #[inline(always)]
    fn read(
        &mut self,
        simd: impl Simd,
        parser: &mut Parser<'_>,
        at: usize,
        row: usize,
        end: bool,
    ) -> Option<usize> {
        // The one that fitted last, and then the others, from the first on.
        let (mut place, mut other) = (self.last, 0);
        loop {
            let layout = self.list.get_mut(place)?;
            if let Some(stop) = parser.replay(simd, layout, at, row) {
                if let Some(next) = next_line(parser.bytes, stop, end) {
                    layout.hits += 1;
                    self.last = place;
                    return Some(next);
                }
                parser.columns.forget(row);
            }
            other += usize::from(other == self.last);
            place = other;
            other += 1;
        }
    }
}

/// Where the next line begins, if this one ends at `at`.
#[inline(always)]
fn next_line(bytes: &[u8], at: usize, end: bool) -> Option<usize> {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\n'), _) => Some(at + 1),
        (Some(b'\r'), Some(b'\n')) => Some(at + 2),
        (None, _) if end => Some(at),
        _ => None,
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, bytes: &[u8], end: bool) -> Result<usize, FormatError> {
        let Some(mut at) = self.place.mark_bytes(bytes, end) else {
            return Ok(0);
        };
        while self.rows < self.batch_rows && at < bytes.len() {
            at = self.by_layout(bytes, at, end);
            if self.rows == self.batch_rows {
                break;
            }
            let Some((stop, next)) = line(bytes, at, end) else {
                break;
            };
            let text = bytes.get(at..stop).unwrap_or_default();
            if skip::blanks(text, 0) < text.len()
                && let Err(fault) = self.by_parser(text)
            {
                if !self.strictness.ignore_parse_errors {
                    return Err(self.place.error(fault, text, &self.columns));
                }
                self.skipped += 1;
            }
            self.place.line += 1;
            at = next;
        }
        Ok(at)
    }

    fn begin(&mut self, origin: Origin) {
        self.place.begin(origin);
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

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;

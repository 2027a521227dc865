//! Learned layouts: what the bytes between the values of a line were, to be expected again.
//!
//! Programs write their records with one piece of code, so the keys, blanks and braces of a line
//! are mostly those of the line before, and only the values differ. A layout is that line with its
//! values cut out:
//!
//! ```text
//!   {"event_type":2,"person":null,"bid":{"auction":17,"url":"https://…","extra":"…"}}
//!   └─────┬──────┘  └─────────────┬──────────────┘    └──┬──┘           └───┬───┘   └┬┘
//!     literal      I64  literal                     I64  literal  Text    literal  Text  literal, End
//! ```
//!
//! A line is decoded by comparing each literal, byte for byte, and reading each value as what its
//! column wants. The first difference gives the line to the general parser, which decodes it and
//! teaches a new layout. Since literals hold all structure, a line that passes is one the general
//! parser reads the same way: the tests hold the two against each other.
//!
//! A ROW that is NULL is part of a literal, so each kind of event has its own layout. A scalar may
//! be NULL in any layout.

use super::parser::Parser;
use super::skip;
use crate::convert;
use crate::number;
use crate::scan;
use crate::time::{self, Standard};
use crate::types::Kind;

/// Layouts longer than this are not worth keeping.
const LITERAL_BYTES_MAX: usize = 16 << 10;

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Of a BIGINT.
    I64,
    /// Of any other integer.
    Integer,
    Double,
    Text,
    /// A timestamp with this between date and time.
    Stamp(u8),
    /// By the general parser, where it stands.
    Any,
    /// Not at all, but its end is found.
    Skip,
    /// As `Skip`, of what was a string and will mostly be one again.
    SkipText,
    /// As `Skip`, of what was an integer and will mostly be one again.
    SkipInteger,
    /// There is no value: the line ends.
    End,
}

impl Op {
    pub fn of(kind: Kind, standard: Standard) -> Op {
        match kind {
            Kind::Integer(64) => Op::I64,
            Kind::Integer(_) => Op::Integer,
            Kind::Float64 => Op::Double,
            Kind::Text => Op::Text,
            Kind::Timestamp { .. } if standard == Standard::Sql => Op::Stamp(b' '),
            Kind::Timestamp { .. } if standard == Standard::Iso => Op::Stamp(b'T'),
            _ => Op::Any,
        }
    }

    /// The quickest way over a value that begins with `first`.
    pub fn to_skip(first: Option<&u8>) -> Op {
        match first {
            Some(b'"') => Op::SkipText,
            Some(b'-' | b'0'..=b'9') => Op::SkipInteger,
            _ => Op::Skip,
        }
    }

    /// True if the value is for a column.
    fn is_wanted(self) -> bool {
        !matches!(self, Op::Skip | Op::SkipText | Op::SkipInteger | Op::End)
    }
}

/// A literal and the value after it.
#[derive(Clone, Copy, Debug)]
struct Step {
    op: Op,
    /// True if the column may be NULL.
    nullable: bool,
    /// The column the value is for; of no meaning for `Skip` and `End`.
    id: usize,
    /// The literal's place in the layout's text.
    from: u32,
    to: u32,
    /// The end of the literal's pieces.
    pieces: u32,
}

/// Sixteen bytes of a literal; of the last piece only as many as the mask has.
#[derive(Clone, Copy, Debug)]
struct Piece {
    pattern: u128,
    mask: u128,
}

/// One learned layout.
#[derive(Debug)]
pub(super) struct Layout {
    steps: Vec<Step>,
    pieces: Vec<Piece>,
    text: Vec<u8>,
    /// ROW columns that are not NULL in this layout.
    rows: Vec<usize>,
    /// Lines it has decoded.
    pub hits: u64,
}

/// Takes down where the values of a line are.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    on: bool,
    poisoned: bool,
    steps: Vec<(usize, usize, Op, usize)>,
    rows: Vec<usize>,
}

impl Recorder {
    /// Begins a line.
    pub fn begin(&mut self, on: bool) {
        self.on = on;
        self.poisoned = false;
        self.steps.clear();
        self.rows.clear();
    }

    /// The value from `start` to `end` is for column `id`.
    #[inline]
    pub fn step(&mut self, start: usize, end: usize, op: Op, id: usize) {
        if !self.on {
            return;
        }
        // The second value of a key would overwrite the first: the general parser does that.
        self.poisoned |= op.is_wanted() && self.steps.iter().any(|step| step.3 == id);
        self.steps.push((start, end, op, id));
    }

    /// True if the line may become a layout.
    pub fn records(&self) -> bool {
        self.on && !self.poisoned
    }

    /// ROW column `id` is not NULL.
    pub fn mark(&mut self, id: usize) {
        if self.on {
            self.poisoned |= self.rows.contains(&id);
            self.rows.push(id);
        }
    }

    /// This line is not like those to expect.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }

    /// Stops recording, inside a value that is one step; what to give to [`resume`](Self::resume).
    pub fn pause(&mut self) -> bool {
        std::mem::replace(&mut self.on, false)
    }

    pub fn resume(&mut self, recording: bool) {
        self.on = recording;
    }

    /// The layout of `line`, which has just been decoded, if it is one to expect again.
    pub fn learn(&self, line: &[u8], nullable: impl Fn(usize) -> bool) -> Option<Layout> {
        if !self.on || self.poisoned {
            return None;
        }
        let mut layout = Layout {
            steps: vec![],
            pieces: vec![],
            text: vec![],
            rows: self.rows.clone(),
            hits: 0,
        };
        let mut from = 0;
        for &(start, end, op, id) in &self.steps {
            layout.add(
                line.get(from..start)?,
                op,
                id,
                op.is_wanted() && nullable(id),
            )?;
            from = end;
        }
        layout.add(line.get(from..)?, Op::End, usize::MAX, false)?;
        Some(layout)
    }
}

impl Layout {
    fn add(&mut self, literal: &[u8], op: Op, id: usize, nullable: bool) -> Option<()> {
        let from = self.text.len();
        self.text.extend_from_slice(literal);
        if self.text.len() > LITERAL_BYTES_MAX {
            return None;
        }
        for chunk in literal.chunks(16) {
            let word = |byte: fn(u8) -> u8| {
                chunk
                    .iter()
                    .rev()
                    .fold(0u128, |word, b| word << 8 | u128::from(byte(*b)))
            };
            self.pieces.push(Piece {
                pattern: word(|byte| byte),
                mask: word(|_| 0xff),
            });
        }
        let (from, to) = (
            u32::try_from(from).ok()?,
            u32::try_from(self.text.len()).ok()?,
        );
        let pieces = u32::try_from(self.pieces.len()).ok()?;
        self.steps.push(Step {
            op,
            nullable,
            id,
            from,
            to,
            pieces,
        });
        Some(())
    }

    /// The end of the literal of `step` at `at`, if it is there.
    #[inline(always)]
    fn literal(&self, step: &Step, first: usize, bytes: &[u8], at: usize) -> Option<usize> {
        let len = (step.to - step.from) as usize;
        let mut place = at;
        for piece in self.pieces.get(first..step.pieces as usize)? {
            let Some(chunk) = bytes.get(place..).and_then(|rest| rest.first_chunk::<16>()) else {
                return self.literal_at_the_end(step, bytes, at);
            };
            if (u128::from_le_bytes(*chunk) ^ piece.pattern) & piece.mask != 0 {
                return None;
            }
            place += 16;
        }
        Some(at + len)
    }

    #[cold]
    fn literal_at_the_end(&self, step: &Step, bytes: &[u8], at: usize) -> Option<usize> {
        let literal = self.text.get(step.from as usize..step.to as usize)?;
        bytes
            .get(at..)?
            .starts_with(literal)
            .then_some(at + literal.len())
    }
}

impl Parser<'_> {
    /// Reads the line that begins here into `row`, if it has this layout: then true, and the
    /// parser is at the end of the line. Otherwise nothing of it is left in the columns.
    #[inline]
    pub fn with_layout(&mut self, layout: &Layout, row: usize) -> bool {
        let mut first = 0;
        for (done, step) in layout.steps.iter().enumerate() {
            let Some(at) = layout.literal(step, first, self.bytes, self.at) else {
                self.undo(layout, done, row);
                return false;
            };
            first = step.pieces as usize;
            self.at = at;
            match self.step(step, row) {
                Some(end) => self.at = end,
                None => {
                    self.undo(layout, done + 1, row);
                    return false;
                }
            }
        }
        for &id in &layout.rows {
            self.columns.at(id).put_row(row);
        }
        true
    }

    /// Forgets the values of the first `steps` steps.
    fn undo(&mut self, layout: &Layout, steps: usize, row: usize) {
        for step in layout.steps.iter().take(steps) {
            if step.op.is_wanted() {
                self.columns.forget_in(step.id, row);
            }
        }
    }

    /// Reads the value at hand; its end, or `None` if it is not what the step expects.
    #[inline(always)]
    fn step(&mut self, step: &Step, row: usize) -> Option<usize> {
        match step.op {
            Op::I64 => {
                let Some((value, end)) = json_integer(self.bytes, self.at) else {
                    return self.step_null(step);
                };
                self.columns.at(step.id).put_i64(row, value);
                Some(end)
            }
            Op::Text => self.step_text(step, row),
            Op::Stamp(separator) => self.step_stamp(step, row, separator),
            Op::Integer => {
                let Some((value, end)) = json_integer(self.bytes, self.at) else {
                    return self.step_null(step);
                };
                self.columns
                    .at(step.id)
                    .put_integer(row, value)
                    .then_some(end)
            }
            Op::Double => self.step_double(step, row),
            Op::Any => self.step_any(step, row),
            Op::SkipText => self.skip_text(),
            Op::SkipInteger => match json_integer(self.bytes, self.at) {
                Some((_, end)) if !matches!(self.bytes.get(end), Some(b'.' | b'e' | b'E')) => {
                    Some(end)
                }
                _ => self.skip_any(),
            },
            Op::Skip => self.skip_any(),
            Op::End => Some(self.at),
        }
    }

    #[inline(always)]
    fn skip_text(&self) -> Option<usize> {
        if self.peek() != Some(b'"') {
            return self.skip_any();
        }
        let end = scan::json_string(self.bytes, self.at + 1).end;
        if *self.bytes.get(end)? == b'"' {
            Some(end + 1)
        } else {
            self.skip_any()
        }
    }

    #[inline(never)]
    fn skip_any(&self) -> Option<usize> {
        skip::value(self.bytes, self.at, skip::DEPTH_MAX).ok()
    }

    #[cold]
    fn step_null(&self, step: &Step) -> Option<usize> {
        let null = self.bytes.get(self.at..)?.starts_with(b"null");
        (null && step.nullable).then_some(self.at + 4)
    }

    #[inline(always)]
    fn step_text(&mut self, step: &Step, row: usize) -> Option<usize> {
        if self.peek() != Some(b'"') {
            return self.step_null(step);
        }
        let run = scan::json_string(self.bytes, self.at + 1);
        if *self.bytes.get(run.end)? != b'"' {
            return self.step_any(step, row);
        }
        let from = self.at + 1;
        convert::put_run(self.columns.at(step.id), row, self.bytes, from, run).ok()?;
        Some(run.end + 1)
    }

    #[inline(always)]
    fn step_stamp(&mut self, step: &Step, row: usize, separator: u8) -> Option<usize> {
        if self.peek() != Some(b'"') {
            return self.step_null(step);
        }
        let text = self.bytes.get(self.at + 1..)?;
        let column = self.columns.at(step.id);
        let Kind::Timestamp { unit, zoned } = column.kind else {
            return None;
        };
        let (stamp, mut end) = time::stamp_prefix(text, separator, &mut self.rules.days)?;
        if zoned {
            if *text.get(end)? != b'Z' {
                return None;
            }
            end += 1;
        }
        if *text.get(end)? != b'"' {
            return None;
        }
        column.put_i64(row, stamp.to_unit(unit)?);
        Some(self.at + end + 2)
    }

    fn step_double(&mut self, step: &Step, row: usize) -> Option<usize> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.step_null(step);
        }
        let end = skip::number(self.bytes, self.at).ok()?;
        let value = number::parse_f64(self.bytes.get(self.at..end)?)?;
        self.columns.at(step.id).put_f64(row, value);
        Some(end)
    }

    #[inline(never)]
    fn step_any(&mut self, step: &Step, row: usize) -> Option<usize> {
        let before = self.at;
        self.recorder.begin(false);
        let result = self.value(step.id, row);
        let end = std::mem::replace(&mut self.at, before);
        result.ok()?;
        (step.nullable || self.columns.missing(&[step.id], row).is_none()).then_some(end)
    }
}

/// An integer as JSON writes it: digits without a leading zero.
#[inline(always)]
fn json_integer(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let (value, end) = number::integer(bytes, at)?;
    // A zero of more than one byte is `-0`, which is a number, or `00`, which is none; a leading
    // zero is too rare to be worth telling apart here.
    let first = *bytes.get(at + usize::from(bytes.get(at) == Some(&b'-')))?;
    if first == b'0' && end - at > 1 {
        return None;
    }
    Some((value, end))
}

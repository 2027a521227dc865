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
//! be NULL in any layout. How a line is read by a layout is in [`replay`](super::replay).

use crate::simd::Simd;
use crate::time::Standard;
use crate::types::Kind;

/// Layouts longer than this are not worth keeping.
const LITERAL_BYTES_MAX: usize = 16 << 10;

/// The bytes of a literal that are compared at once.
const LITERAL_HEAD_BYTES: usize = 32;

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Of a BIGINT.
    I64,
    /// Of an INT.
    I32,
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
            Kind::Integer(32) => Op::I32,
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
    pub fn is_wanted(self) -> bool {
        !matches!(self, Op::Skip | Op::SkipText | Op::SkipInteger | Op::End)
    }
}

/// A literal and the value after it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The head of the literal; all of it is in the layout's text.
    pattern: [u8; LITERAL_HEAD_BYTES],
    /// The bytes of `pattern` that count, the first in the lowest bit.
    mask: u32,
    /// As `pattern` and `mask`, of what is behind the head.
    tail: [u8; LITERAL_HEAD_BYTES],
    tail_mask: u32,
    /// The literal's length.
    len: usize,
    /// Where the literal ends in the layout's text.
    end: usize,
    pub op: Op,
    /// True if the column may be NULL.
    pub nullable: bool,
    /// The column the value is for; of no meaning for `Skip` and `End`.
    pub id: usize,
}

/// One learned layout.
#[derive(Debug)]
pub(super) struct Layout {
    pub steps: Vec<Step>,
    /// All literals.
    text: Vec<u8>,
    /// ROW columns that are not NULL in this layout.
    pub rows: Vec<usize>,
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
        self.text.extend_from_slice(literal);
        if self.text.len() > LITERAL_BYTES_MAX {
            return None;
        }
        let mut step = Step {
            pattern: [0; LITERAL_HEAD_BYTES],
            mask: 0,
            tail: [0; LITERAL_HEAD_BYTES],
            tail_mask: 0,
            len: literal.len(),
            end: self.text.len(),
            op,
            nullable,
            id,
        };
        for (place, byte) in step.pattern.iter_mut().zip(literal) {
            *place = *byte;
            step.mask = step.mask << 1 | 1;
        }
        let behind = literal.get(LITERAL_HEAD_BYTES..).unwrap_or_default();
        for (place, byte) in step.tail.iter_mut().zip(behind) {
            *place = *byte;
            step.tail_mask = step.tail_mask << 1 | 1;
        }
        self.steps.push(step);
        Some(())
    }

    /// The end of the literal of `step` at `at`, if it is there.
    #[inline(always)]
    pub fn literal(&self, simd: impl Simd, step: &Step, bytes: &[u8], at: usize) -> Option<usize> {
        let Some((head, tail)) = two_chunks(bytes, at) else {
            return self.long_literal(step, bytes, at);
        };
        if simd.differs(head, &step.pattern, step.mask) {
            return None;
        }
        if step.len > LITERAL_HEAD_BYTES {
            if simd.differs(tail, &step.tail, step.tail_mask) {
                return None;
            }
            if step.len > 2 * LITERAL_HEAD_BYTES {
                return self.long_literal(step, bytes, at);
            }
        }
        Some(at + step.len)
    }

    /// As [`literal`](Self::literal), of a long one, or near the end of the input.
    #[inline(never)]
    fn long_literal(&self, step: &Step, bytes: &[u8], at: usize) -> Option<usize> {
        let literal = self.text.get(step.end - step.len..step.end)?;
        let found = bytes.get(at..)?.starts_with(literal);
        found.then_some(at + literal.len())
    }
}

/// The two times 32 bytes from `at`.
#[inline(always)]
fn two_chunks(
    bytes: &[u8],
    at: usize,
) -> Option<(&[u8; LITERAL_HEAD_BYTES], &[u8; LITERAL_HEAD_BYTES])> {
    let both = bytes
        .get(at..)?
        .first_chunk::<{ 2 * LITERAL_HEAD_BYTES }>()?;
    Some((both.first_chunk()?, both.last_chunk()?))
}

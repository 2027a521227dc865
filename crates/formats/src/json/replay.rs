//! Reads lines by the layouts learned from lines before.
//!
//! The position is handed from step to step rather than kept in the parser, so that it stays in a
//! register: every step waits for the one before to say where it ended.

use super::layout::{Layout, Op, Step};
use super::parser::Parser;
use super::skip;
use crate::convert;
use crate::number;
use crate::simd::Simd;
use crate::time;
use crate::types::Kind;

impl Parser<'_> {
    /// Reads the line that begins at `at` into `row`, if it has this layout; where the layout
    /// ends. Otherwise nothing of the line is left in the columns.
    #[inline(always)]
    pub fn replay(
        &mut self,
        simd: impl Simd,
        layout: &Layout,
        at: usize,
        row: usize,
    ) -> Option<usize> {
        let mut at = at;
        for (done, step) in layout.steps.iter().enumerate() {
            let Some(value) = layout.literal(simd, step, self.bytes, at) else {
                self.undo(layout, done, row);
                return None;
            };
            match self.step(simd, step, value, row) {
                Some(end) => at = end,
                None => {
                    self.undo(layout, done + 1, row);
                    return None;
                }
            }
        }
        for &id in &layout.rows {
            self.columns.at(id).put_row(row);
        }
        Some(at)
    }

    /// Forgets the values of the first `steps` steps.
    #[inline(never)]
    fn undo(&mut self, layout: &Layout, steps: usize, row: usize) {
        for step in layout.steps.iter().take(steps) {
            if step.op.is_wanted() {
                self.columns.forget_in(step.id, row);
            }
        }
    }

    /// Reads the value at `at`; its end, or `None` if it is not what the step expects.
    #[inline(always)]
    fn step(&mut self, simd: impl Simd, step: &Step, at: usize, row: usize) -> Option<usize> {
        match step.op {
            Op::I64 => {
                let Some((value, end)) = integer(simd, self.bytes, at) else {
                    return self.step_null(step, at);
                };
                self.columns.at(step.id).put_i64(row, value);
                Some(end)
            }
            Op::Text => self.step_text(simd, step, at, row),
            Op::Stamp(separator) => self.step_stamp(step, at, row, separator),
            Op::I32 => {
                let Some((value, end)) = integer(simd, self.bytes, at) else {
                    return self.step_null(step, at);
                };
                let value = i32::try_from(value).ok()?;
                self.columns.at(step.id).put_i32(row, value);
                Some(end)
            }
            Op::Integer => {
                let Some((value, end)) = integer(simd, self.bytes, at) else {
                    return self.step_null(step, at);
                };
                let column = self.columns.at(step.id);
                column.put_integer(row, value).then_some(end)
            }
            Op::Double => self.step_double(step, at, row),
            Op::Any => self.step_any(step, at, row),
            Op::SkipText => self.skip_text(simd, at),
            Op::SkipInteger => self.skip_integer(simd, at),
            Op::Skip => self.skip_word(at),
            Op::End => Some(at),
        }
    }

    #[inline(always)]
    fn skip_text(&self, simd: impl Simd, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'"') {
            return skip_any(self.bytes, at);
        }
        let end = simd.json_string(self.bytes, at + 1).end;
        if *self.bytes.get(end)? == b'"' {
            Some(end + 1)
        } else {
            skip_any(self.bytes, at)
        }
    }

    /// Passes `null` before a comma or brace quickly, and anything else with care.
    #[inline(always)]
    fn skip_word(&self, at: usize) -> Option<usize> {
        match self.bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(b"null," | b"null}") => Some(at + 4),
            _ => skip_any(self.bytes, at),
        }
    }

    /// Passes an integer of one to fifteen digits quickly, and anything else with care.
    #[inline(always)]
    fn skip_integer(&self, simd: impl Simd, at: usize) -> Option<usize> {
        if let Some(chunk) = self
            .bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<16>())
        {
            let count = simd.count_digits(chunk);
            if (count == 1 || count > 1 && chunk[0] != b'0')
                && let Some(stop) = chunk.get(count)
                && !matches!(stop, b'.' | b'e' | b'E')
            {
                return Some(at + count);
            }
        }
        skip_any(self.bytes, at)
    }

    #[cold]
    fn step_null(&self, step: &Step, at: usize) -> Option<usize> {
        let null = self.bytes.get(at..)?.starts_with(b"null");
        (null && step.nullable).then_some(at + 4)
    }

    #[inline(always)]
    fn step_text(&mut self, simd: impl Simd, step: &Step, at: usize, row: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'"') {
            return self.step_null(step, at);
        }
        let run = simd.json_string(self.bytes, at + 1);
        if *self.bytes.get(run.end)? != b'"' {
            return self.step_any(step, at, row);
        }
        let column = self.columns.at(step.id);
        convert::put_run(column, row, self.bytes, at + 1, run).ok()?;
        Some(run.end + 1)
    }

    #[inline(always)]
    fn step_stamp(&mut self, step: &Step, at: usize, row: usize, separator: u8) -> Option<usize> {
        let column = self.columns.at(step.id);
        let Kind::Timestamp { unit, zoned } = column.kind else {
            return None;
        };
        if self.bytes.get(at) != Some(&b'"') {
            return self.step_null(step, at);
        }
        let text = self.bytes.get(at + 1..)?;
        if !zoned
            && let Some(chunk) = text.first_chunk()
            && let Some(millis) = self.rules.days.quoted_millis(chunk, separator)
            && let Some(value) = time::millis_to_unit(millis, unit)
        {
            column.put_i64(row, value);
            return Some(at + 25);
        }
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
        Some(at + end + 2)
    }

    #[inline(never)]
    fn step_double(&mut self, step: &Step, at: usize, row: usize) -> Option<usize> {
        if !matches!(self.bytes.get(at), Some(b'-' | b'0'..=b'9')) {
            return self.step_null(step, at);
        }
        let end = skip::number(self.bytes, at).ok()?;
        let value = number::parse_f64(self.bytes.get(at..end)?)?;
        self.columns.at(step.id).put_f64(row, value);
        Some(end)
    }

    #[inline(never)]
    fn step_any(&mut self, step: &Step, at: usize, row: usize) -> Option<usize> {
        self.at = at;
        self.recorder.begin(false);
        self.value(step.id, row).ok()?;
        let there = step.nullable || self.columns.missing(&[step.id], row).is_none();
        there.then_some(self.at)
    }
}

#[inline(never)]
fn skip_any(bytes: &[u8], at: usize) -> Option<usize> {
    skip::value(bytes, at, skip::DEPTH_MAX).ok()
}

/// An integer as JSON writes it: digits without a leading zero.
#[inline(always)]
fn integer(simd: impl Simd, bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let (value, count) = simd.leading_digits(chunk);
        if (count == 1 || count > 1 && chunk[0] != b'0') && count < 16 {
            return Some((value as i64, at + count));
        }
    }
    any_integer(bytes, at)
}

/// As [`integer`], of a negative one, a long one, or near the end of the input.
#[inline(never)]
fn any_integer(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let (value, end) = number::integer(bytes, at)?;
    // A zero of more than one byte is `-0`, which is a number, or `00`, which is none; a leading
    // zero is too rare to be worth telling apart here.
    let first = *bytes.get(at + usize::from(bytes.get(at) == Some(&b'-')))?;
    if first == b'0' && end - at > 1 {
        return None;
    }
    Some((value, end))
}

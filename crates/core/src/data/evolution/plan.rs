//! What is done to the bytes of a value.

use super::span::Span;
use crate::data::{Data, take_bytes};
use crate::error::{Error, Result};

/// Reads a value as the writer stored it and writes it as the reader would have.
#[derive(Debug)]
pub(super) enum Plan {
    /// The bytes are the same.
    Copy(Span),
    /// An integer gets wider.
    Widen {
        from: usize,
        to: usize,
        signed: bool,
    },
    /// An `f32` becomes an `f64`.
    WidenFloat,
    /// A value becomes an option that has it.
    Some(Box<Plan>),
    Option(Box<Plan>),
    /// Lists, and maps as lists of pairs.
    List(Box<Plan>),
    Fields(Vec<Step>),
    /// By the writer's variant number: the reader's, and the fields.
    Enum(Vec<(u32, Plan)>),
}

/// One part of the way through a struct's fields.
#[derive(Debug)]
pub(super) enum Step {
    /// Rewrites the next stored field.
    Take(Plan),
    /// Passes over the next stored field: it was removed.
    Pass(Span),
    /// Passes over the next stored field and remembers where it stands: its turn comes later.
    Keep(Span),
    /// Rewrites the field that was remembered as the so many-th.
    Kept(usize, Plan),
    /// Writes the bytes of a field that is not stored.
    Put(Vec<u8>),
}

impl Plan {
    /// A plan for one value behind the other.
    pub(super) fn in_turn(plans: impl IntoIterator<Item = Plan>) -> Self {
        Self::fields(plans.into_iter().map(Step::Take).collect())
    }

    /// A plan of steps: a copy, if every step is one.
    pub(super) fn fields(steps: Vec<Step>) -> Self {
        let copies = |step: &Step| matches!(step, Step::Take(Plan::Copy(_)));
        if steps.iter().all(copies) {
            return Plan::Copy(Span::in_turn(steps.into_iter().filter_map(
                |step| match step {
                    Step::Take(Plan::Copy(span)) => Some(span),
                    _ => None,
                },
            )));
        }
        Plan::Fields(steps)
    }

    pub(super) fn apply(&self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Plan::Copy(span) => span.copy(input, out),
            Plan::Widen { from, to, signed } => {
                let bytes = take_bytes(input, *from)?;
                let negative = *signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                out.extend_from_slice(bytes);
                out.resize(out.len() + to - from, if negative { 0xFF } else { 0 });
                Ok(())
            }
            Plan::WidenFloat => {
                f64::from(f32::decode(input)?).encode(out);
                Ok(())
            }
            Plan::Some(value) => {
                true.encode(out);
                value.apply(input, out)
            }
            Plan::Option(value) => {
                let is_some = bool::decode(input)?;
                is_some.encode(out);
                if is_some {
                    value.apply(input, out)?;
                }
                Ok(())
            }
            Plan::List(element) => {
                let len = u32::decode(input)?;
                len.encode(out);
                (0..len).try_for_each(|_| element.apply(input, out))
            }
            Plan::Fields(steps) => apply_steps(steps, input, out),
            Plan::Enum(variants) => {
                let number = u32::decode(input)?;
                let (number, fields) = variants.get(number as usize).ok_or_else(|| {
                    Error::corrupt(format!("a stored enum has no variant number `{number}`"))
                })?;
                number.encode(out);
                fields.apply(input, out)
            }
        }
    }
}

fn apply_steps(steps: &[Step], input: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for step in steps {
        match step {
            Step::Take(plan) => plan.apply(input, out)?,
            Step::Pass(span) => span.pass(input)?,
            Step::Keep(span) => {
                kept.push(input);
                span.pass(input)?;
            }
            Step::Kept(at, plan) => {
                let mut from = kept
                    .get(*at)
                    .copied()
                    .ok_or_else(|| Error::internal("a plan takes a field that it has not kept"))?;
                plan.apply(&mut from, out)?;
            }
            Step::Put(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok(())
}

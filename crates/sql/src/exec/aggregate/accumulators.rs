//! The accumulators of all calls of an operator.
//!
//! `DISTINCT` calls over the same arguments share one look-up a row, and calls with the same
//! filter its evaluation.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use thalweg_core::error::{Error, Result};

use super::distinct::{CALLS_MAX, Distinct};
use super::factory::{AggregateCall, EvaluatedCall};
use super::{Accumulator, Input};
use crate::exec::expr::{evaluate_all, evaluate_condition};

/// What may happen to groups after rows were added to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Rows are retracted.
    pub retracts: bool,
    /// Groups are emptied, merged and written one by one.
    pub clears: bool,
}

/// The state of all calls.
pub struct Accumulators {
    parts: Vec<Part>,
    calls: usize,
}

enum Part {
    /// One call by its position.
    Plain(usize, Box<dyn Accumulator>),
    /// Calls with the same distinct arguments.
    Distinct(Vec<usize>, Box<Distinct>),
}

impl Accumulators {
    /// Without groups.
    ///
    /// # Errors
    /// `User` for argument types that an aggregate does not take.
    pub fn new(calls: &[AggregateCall], changes: Changes) -> Result<Self> {
        let mut parts = Vec::new();
        let mut shared: Vec<Vec<usize>> = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            if !call.needs_distinct() {
                parts.push(Part::Plain(at, call.accumulator(changes.retracts)?));
                continue;
            }
            let fits = |members: &&mut Vec<usize>| {
                members.len() < CALLS_MAX && calls[members[0]].args == call.args
            };
            match shared.iter_mut().find(fits) {
                Some(members) => members.push(at),
                None => shared.push(vec![at]),
            }
        }
        for members in shared {
            let inner: Result<Vec<_>> = members
                .iter()
                .map(|at| calls[*at].accumulator(changes.retracts))
                .collect();
            let distinct = Distinct::new(inner?, &calls[members[0]].arg_types, changes);
            parts.push(Part::Distinct(members, Box::new(distinct)));
        }
        Ok(Accumulators {
            parts,
            calls: calls.len(),
        })
    }

    /// Makes room for groups `0..groups`; new ones are empty.
    pub fn resize(&mut self, groups: usize) {
        for part in &mut self.parts {
            match part {
                Part::Plain(_, accumulator) => accumulator.resize(groups),
                Part::Distinct(_, distinct) => distinct.resize(groups),
            }
        }
    }

    /// Updates all with one batch: the group of every row, and the kinds as numbers, `None` if all
    /// rows are additions.
    ///
    /// # Errors
    /// What an accumulator fails with.
    pub fn update(
        &mut self,
        calls: &[EvaluatedCall],
        groups: &[u32],
        kinds: Option<&[u8]>,
    ) -> Result<()> {
        for part in &mut self.parts {
            match part {
                Part::Plain(at, accumulator) => accumulator.update(&Input {
                    groups,
                    args: &calls[*at].args,
                    filter: calls[*at].filter.as_ref(),
                    kinds,
                })?,
                Part::Distinct(members, distinct) => {
                    let filters = members.iter().map(|at| calls[*at].filter.as_ref());
                    let filters: Vec<_> = filters.collect();
                    distinct.update(groups, &calls[members[0]].args, &filters, kinds)?;
                }
            }
        }
        Ok(())
    }

    /// The state of some groups as columns of [`Accumulators::state_types`].
    ///
    /// # Errors
    /// `Internal` if a column cannot be built.
    pub fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for part in &self.parts {
            columns.extend(match part {
                Part::Plain(_, accumulator) => accumulator.state(groups)?,
                Part::Distinct(_, distinct) => distinct.state(groups)?,
            });
        }
        Ok(columns)
    }

    /// Adds states, one a group in `groups` (a group may come several times).
    ///
    /// # Errors
    /// `Corrupt` if the columns are no states.
    pub fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let mut rest = state;
        for part in &mut self.parts {
            let width = part.state_types().len();
            if rest.len() < width {
                return Err(Error::corrupt("a stored accumulator is too short"));
            }
            let (own, others) = rest.split_at(width);
            match part {
                Part::Plain(_, accumulator) => accumulator.merge(groups, own)?,
                Part::Distinct(_, distinct) => distinct.merge(groups, own)?,
            }
            rest = others;
        }
        Ok(())
    }

    /// The types of the state's columns.
    pub fn state_types(&self) -> Vec<DataType> {
        self.parts.iter().flat_map(Part::state_types).collect()
    }

    /// The aggregates of some groups: a column a call, in order.
    ///
    /// # Errors
    /// `Internal` if a column cannot be built.
    pub fn results(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = vec![None; self.calls];
        for part in &self.parts {
            match part {
                Part::Plain(at, accumulator) => columns[*at] = Some(accumulator.result(groups)?),
                Part::Distinct(members, distinct) => {
                    for (call, at) in members.iter().enumerate() {
                        columns[*at] = Some(distinct.result(call, groups)?);
                    }
                }
            }
        }
        let missing = || Error::internal("an aggregate call has no accumulator");
        columns
            .into_iter()
            .map(|column| column.ok_or_else(missing))
            .collect()
    }

    /// The same state, whatever becomes of this: a snapshot reads it on another thread.
    #[must_use]
    pub fn share(&mut self) -> Self {
        let share = |part: &mut Part| match part {
            Part::Plain(at, accumulator) => Part::Plain(*at, accumulator.share()),
            Part::Distinct(members, distinct) => {
                Part::Distinct(members.clone(), Box::new(distinct.share()))
            }
        };
        Accumulators {
            parts: self.parts.iter_mut().map(share).collect(),
            calls: self.calls,
        }
    }

    /// Whether the state of some groups costs a look at all groups.
    pub fn looks_at_all(&self) -> bool {
        let looks = |part: &Part| matches!(part, Part::Distinct(_, d) if d.looks_at_all());
        self.parts.iter().any(looks)
    }

    /// Empties a group, so that its number can be used again.
    pub fn clear(&mut self, group: u32) {
        for part in &mut self.parts {
            match part {
                Part::Plain(_, accumulator) => accumulator.clear(group),
                Part::Distinct(_, distinct) => distinct.clear(group),
            }
        }
    }
}

impl Part {
    fn state_types(&self) -> Vec<DataType> {
        match self {
            Part::Plain(_, accumulator) => accumulator.state_types(),
            Part::Distinct(_, distinct) => distinct.state_types(),
        }
    }
}

/// Evaluates the arguments and filters of all calls, the same filter once.
///
/// # Errors
/// What an expression fails with.
pub fn evaluate_calls(calls: &[AggregateCall], batch: &RecordBatch) -> Result<Vec<EvaluatedCall>> {
    let mut evaluated: Vec<EvaluatedCall> = Vec::with_capacity(calls.len());
    for call in calls {
        let filter = match &call.filter {
            None => None,
            Some(filter) => {
                let same = |other: &AggregateCall| other.filter.as_ref() == Some(filter);
                let earlier = calls[..evaluated.len()].iter().position(same);
                match earlier.and_then(|earlier| evaluated[earlier].filter.clone()) {
                    Some(filter) => Some(filter),
                    None => Some(evaluate_condition(filter, batch)?),
                }
            }
        };
        evaluated.push(EvaluatedCall {
            args: evaluate_all(&call.args, batch)?,
            filter,
        });
    }
    Ok(evaluated)
}

#[cfg(test)]
mod tests;

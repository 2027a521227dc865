//! `DISTINCT` aggregates: each distinct value of a group reaches a call's accumulator once.
//!
//! Calls over the same arguments share what is kept, whatever their filters:
//! `COUNT(DISTINCT x)` and `COUNT(DISTINCT x) FILTER (…)` look a value up once. What is kept of a
//! value depends on what may happen to it: a bit a call, or a count a call, so that its last
//! retraction retracts it once.

mod bit_sets;
mod block_table;
mod counted_sets;
mod prefetch;
mod value_numbers;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use arrow_select::take::take;
use thalweg_columnar::arrow_error;
use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};

use self::bit_sets::BitSets;
use self::counted_sets::{CountedSets, Presence};
use self::value_numbers::ValueNumbers;
use super::{Accumulator, Changes, Input};

pub use self::bit_sets::CALLS_MAX;

// Row kinds of a value that appeared and of one that vanished.
const ADDED: u8 = 0;
const RETRACTED: u8 = 3;

/// The values of each group.
enum Sets {
    Bits(BitSets),
    Counted(CountedSets),
}

/// Accumulators of distinct values of the same arguments.
pub struct Distinct {
    inner: Vec<Box<dyn Accumulator>>,
    numbers: ValueNumbers,
    sets: Sets,
    /// Whether values are retracted. If not, what is stored says which calls have a value, and not how
    /// often, whatever is kept.
    retracts: bool,
    /// The calls that every row of a batch concerns, as bits.
    calls: Vec<u32>,
}

/// What the merge of states changes, as rows for the inner accumulators.
#[derive(Default)]
struct Crossings {
    groups: Vec<u32>,
    values: Vec<i64>,
    calls: Vec<u32>,
    kinds: Vec<u8>,
}

impl Crossings {
    fn push(&mut self, group: u32, value: i64, calls: u32, kind: u8) {
        if calls != 0 {
            self.groups.push(group);
            self.values.push(value);
            self.calls.push(calls);
            self.kinds.push(kind);
        }
    }

    fn truncate(&mut self, len: usize) {
        self.groups.truncate(len);
        self.values.truncate(len);
        self.calls.truncate(len);
        self.kinds.truncate(len);
    }
}

impl Distinct {
    /// Wraps the accumulators of at most [`CALLS_MAX`] calls with arguments of these types.
    pub fn new(inner: Vec<Box<dyn Accumulator>>, arguments: &[DataType], changes: Changes) -> Self {
        let sets = if changes.retracts || changes.clears {
            Sets::Counted(CountedSets::new(inner.len()))
        } else {
            Sets::Bits(BitSets::new(inner.len()))
        };
        Distinct {
            inner,
            numbers: ValueNumbers::new(arguments),
            sets,
            retracts: changes.retracts,
            calls: Vec::new(),
        }
    }

    /// Makes room for groups `0..groups`; new ones are empty.
    pub fn resize(&mut self, groups: usize) {
        for inner in &mut self.inner {
            inner.resize(groups);
        }
        match &mut self.sets {
            Sets::Bits(sets) => sets.resize(groups),
            Sets::Counted(sets) => sets.resize(groups),
        }
    }

    /// Adds and retracts rows; each call has its filter.
    ///
    /// # Errors
    /// As [`Accumulator::update`].
    pub fn update(
        &mut self,
        groups: &[u32],
        args: &[ArrayRef],
        filters: &[Option<&BooleanArray>],
        kinds: Option<&[u8]>,
    ) -> Result<()> {
        let mut calls = std::mem::take(&mut self.calls);
        wanted(groups.len(), args, filters, &mut calls);
        self.count(groups, args, &mut calls, kinds)?;
        // A row adds to a call or takes from it: what crosses has the row's kind.
        pass_on(&mut self.inner, groups, args, &calls, kinds)?;
        self.calls = calls;
        self.numbers.forget_released();
        Ok(())
    }

    /// Counts rows; leaves `calls` with those calls that a value came to or left.
    fn count(
        &mut self,
        groups: &[u32],
        args: &[ArrayRef],
        calls: &mut [u32],
        kinds: Option<&[u8]>,
    ) -> Result<()> {
        let numbers = &mut self.numbers;
        let values = numbers.of_rows(args, calls)?;
        let sets = match &mut self.sets {
            Sets::Bits(_) if kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind & 1 == 1)) => {
                return Err(Error::internal("a retraction in an input without any"));
            }
            Sets::Bits(sets) => {
                sets.add_rows(groups, &values, calls, |value| numbers.keep(value));
                return Ok(());
            }
            Sets::Counted(sets) => sets,
        };
        for (row, calls) in calls
            .iter_mut()
            .enumerate()
            .filter(|(_, calls)| **calls != 0)
        {
            let change = match kinds {
                Some(kinds) if kinds[row] & 1 == 1 => -1,
                _ => 1,
            };
            let add = |counts: &mut [i64]| count_row(counts, *calls, change);
            let (crossed, presence) = sets.change(groups[row], values[row], add);
            follow(numbers, values[row], presence);
            *calls = crossed;
        }
        Ok(())
    }

    /// The state of some groups as columns of [`Distinct::state_types`].
    ///
    /// # Errors
    /// As [`Accumulator::state`].
    pub fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let blobs = match &self.sets {
            Sets::Bits(sets) => write_bits(sets, &self.numbers, groups),
            Sets::Counted(sets) => write_counts(sets, &self.numbers, groups, self.retracts),
        };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(BinaryArray::from_iter_values(blobs))];
        // The values do not say in which order they came.
        for inner in &self.inner {
            columns.extend(inner.state(groups)?);
        }
        Ok(columns)
    }

    /// The types of the state's columns.
    pub fn state_types(&self) -> Vec<DataType> {
        let inner = self.inner.iter().flat_map(|inner| inner.state_types());
        std::iter::once(DataType::Binary).chain(inner).collect()
    }

    /// Adds states, one a group in `groups` (a group may come several times).
    ///
    /// # Errors
    /// `Corrupt` if the columns are no states.
    pub fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let [blobs, inner_state @ ..] = state else {
            return Err(Error::corrupt("a stored set of distinct values is missing"));
        };
        let blobs = blobs
            .as_binary_opt::<i32>()
            .ok_or_else(|| Error::corrupt("a stored set of distinct values is not binary"))?;
        let mut crossings = Crossings::default();
        let mut adopted = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            let len = crossings.groups.len();
            let was_empty = self.is_empty(*group);
            self.read(*group, blobs.value(row), &mut crossings)?;
            if was_empty {
                // An empty group takes over the inner states as they are.
                crossings.truncate(len);
                adopted.push(row as u32);
            }
        }
        self.adopt(groups, adopted, inner_state)?;
        let args = self.numbers.columns(&crossings.values)?;
        let Crossings {
            groups,
            calls,
            kinds,
            ..
        } = crossings;
        let retracts = kinds.iter().any(|kind| *kind != ADDED);
        let kinds = retracts.then_some(kinds.as_slice());
        pass_on(&mut self.inner, &groups, &args, &calls, kinds)?;
        self.numbers.forget_released();
        Ok(())
    }

    fn is_empty(&self, group: u32) -> bool {
        match &self.sets {
            Sets::Bits(sets) => sets.is_empty(group),
            Sets::Counted(sets) => sets.is_empty(group),
        }
    }

    /// Adds the values of a stored group.
    fn read(&mut self, group: u32, mut blob: &[u8], crossings: &mut Crossings) -> Result<()> {
        let numbers = &mut self.numbers;
        let all = u32::MAX >> (u32::BITS - self.inner.len() as u32);
        let mut changes = vec![0; self.inner.len()];
        while !blob.is_empty() {
            let value = numbers.read(&mut blob)?;
            match &mut self.sets {
                Sets::Bits(sets) => {
                    let calls = decode_calls(&mut blob, all)?;
                    let (new, appeared) = sets.add(group, value, calls);
                    if appeared {
                        numbers.keep(value);
                    }
                    crossings.push(group, value, new, ADDED);
                }
                Sets::Counted(sets) => {
                    if self.retracts {
                        for change in &mut changes {
                            *change = i64::decode(&mut blob)?;
                        }
                    } else {
                        let calls = decode_calls(&mut blob, all)?;
                        for (call, change) in changes.iter_mut().enumerate() {
                            *change = i64::from(calls >> call & 1);
                        }
                    }
                    let add = |counts: &mut [i64]| add_counts(counts, &changes);
                    let ((added, taken), presence) = sets.change(group, value, add);
                    follow(numbers, value, presence);
                    crossings.push(group, value, added, ADDED);
                    crossings.push(group, value, taken, RETRACTED);
                }
            }
        }
        Ok(())
    }

    /// Merges the inner states of some rows.
    fn adopt(&mut self, groups: &[u32], rows: Vec<u32>, state: &[ArrayRef]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let groups: Vec<u32> = rows.iter().map(|row| groups[*row as usize]).collect();
        let rows = UInt32Array::from(rows);
        let mut rest = state;
        for inner in &mut self.inner {
            let width = inner.state_types().len();
            if rest.len() < width {
                return Err(Error::corrupt("a stored accumulator is too short"));
            }
            let (own, others) = rest.split_at(width);
            let own: Result<Vec<ArrayRef>> = own
                .iter()
                .map(|column| take(column, &rows, None).map_err(arrow_error))
                .collect();
            inner.merge(&groups, &own?)?;
            rest = others;
        }
        Ok(())
    }

    /// The aggregate of a call for some groups.
    ///
    /// # Errors
    /// As [`Accumulator::result`].
    pub fn result(&self, call: usize, groups: &[u32]) -> Result<ArrayRef> {
        self.inner[call].result(groups)
    }

    /// The same state, to be read by a snapshot, whatever becomes of this.
    #[must_use]
    pub fn share(&mut self) -> Self {
        Distinct {
            inner: self.inner.iter_mut().map(|inner| inner.share()).collect(),
            numbers: self.numbers.share(),
            sets: match &mut self.sets {
                Sets::Bits(sets) => Sets::Bits(sets.share()),
                Sets::Counted(sets) => Sets::Counted(sets.share()),
            },
            retracts: self.retracts,
            calls: Vec::new(),
        }
    }

    /// Whether the state of some groups costs a look at all groups.
    pub fn looks_at_all(&self) -> bool {
        matches!(self.sets, Sets::Bits(_))
    }

    /// Empties a group, so that its number can be used again.
    pub fn clear(&mut self, group: u32) {
        for inner in &mut self.inner {
            inner.clear(group);
        }
        let numbers = &mut self.numbers;
        match &mut self.sets {
            Sets::Bits(sets) => sets.clear(group, |value| numbers.release(value)),
            Sets::Counted(sets) => sets.clear(group, |value| numbers.release(value)),
        }
        numbers.forget_released();
    }
}

/// The calls that every row takes part in, as bits: it passes the call's filter and no argument is
/// NULL.
fn wanted(rows: usize, args: &[ArrayRef], filters: &[Option<&BooleanArray>], calls: &mut Vec<u32>) {
    let unfiltered = filters.iter().enumerate().filter(|(_, f)| f.is_none());
    calls.clear();
    calls.resize(rows, unfiltered.fold(0, |bits, (call, _)| bits | 1 << call));
    for (call, filter) in filters.iter().enumerate() {
        if let Some(filter) = filter {
            for (bits, passes) in calls.iter_mut().zip(filter.values()) {
                *bits |= u32::from(passes) << call;
            }
        }
    }
    let nulls = args.iter().map(|arg| arg.logical_nulls());
    let nulls = nulls.fold(None, |all, own| {
        NullBuffer::union(all.as_ref(), own.as_ref())
    });
    if let Some(nulls) = nulls {
        for (bits, complete) in calls.iter_mut().zip(nulls.iter()) {
            *bits &= u32::from(complete).wrapping_neg();
        }
    }
}

/// Updates each inner accumulator with the rows that have its bit.
fn pass_on(
    inner: &mut [Box<dyn Accumulator>],
    groups: &[u32],
    args: &[ArrayRef],
    calls: &[u32],
    kinds: Option<&[u8]>,
) -> Result<()> {
    let concerned = calls.iter().fold(0, |all, bits| all | bits);
    for (call, inner) in inner.iter_mut().enumerate() {
        if concerned >> call & 1 == 0 {
            continue;
        }
        let rows = BooleanBuffer::collect_bool(calls.len(), |row| calls[row] >> call & 1 == 1);
        inner.update(&Input {
            groups,
            args,
            filter: Some(&BooleanArray::new(rows, None)),
            kinds,
        })?;
    }
    Ok(())
}

/// Counts a row for some calls; returns those of them that the value came to or left.
fn count_row(counts: &mut [i64], calls: u32, change: i64) -> u32 {
    let mut crossed = 0;
    for (call, count) in counts.iter_mut().enumerate() {
        let change = if calls >> call & 1 == 1 { change } else { 0 };
        let before = *count > 0;
        *count += change;
        crossed |= u32::from(before != (*count > 0)) << call;
    }
    crossed
}

/// Adds counts; returns the calls that the value came to and those that it left.
fn add_counts(counts: &mut [i64], changes: &[i64]) -> (u32, u32) {
    let (mut added, mut taken) = (0, 0);
    for (call, (count, change)) in counts.iter_mut().zip(changes).enumerate() {
        let before = *count > 0;
        *count += change;
        added |= u32::from(!before && *count > 0) << call;
        taken |= u32::from(before && *count <= 0) << call;
    }
    (added, taken)
}

fn follow(numbers: &mut ValueNumbers, value: i64, presence: Presence) {
    match presence {
        Presence::Same => {}
        Presence::Appeared => numbers.keep(value),
        Presence::Vanished => numbers.release(value),
    }
}

/// The sets of some groups: the values behind one another, each with its calls.
fn write_bits(sets: &BitSets, numbers: &ValueNumbers, groups: &[u32]) -> Vec<Vec<u8>> {
    const ABSENT: u32 = u32::MAX;
    let len = groups.iter().max().map_or(0, |last| *last as usize + 1);
    let mut places = vec![ABSENT; len];
    for (place, group) in groups.iter().enumerate() {
        places[*group as usize] = place as u32;
    }
    let mut blobs = vec![Vec::new(); groups.len()];
    for (group, value, calls) in sets.iter() {
        let place = places.get(group as usize).copied().unwrap_or(ABSENT);
        if place != ABSENT {
            let blob = &mut blobs[place as usize];
            numbers.write(value, blob);
            calls.encode(blob);
        }
    }
    // A group that is asked for several times was written where it was asked for last.
    for (place, group) in groups.iter().enumerate() {
        let last = places[*group as usize] as usize;
        if last != place {
            blobs[place] = blobs[last].clone();
        }
    }
    blobs
}

fn decode_calls(blob: &mut &[u8], all: u32) -> Result<u32> {
    let calls = u32::decode(blob)?;
    if calls == 0 || calls & !all != 0 {
        return Err(Error::corrupt("a stored value has no such calls"));
    }
    Ok(calls)
}

/// The same of counted values; each with its counts if values are retracted.
fn write_counts(
    sets: &CountedSets,
    numbers: &ValueNumbers,
    groups: &[u32],
    retracts: bool,
) -> Vec<Vec<u8>> {
    let blob = |group: &u32| {
        let mut blob = Vec::new();
        for (value, counts) in sets.iter(*group) {
            numbers.write(value, &mut blob);
            if retracts {
                counts.iter().for_each(|count| count.encode(&mut blob));
                continue;
            }
            let had = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let calls = had.fold(0u32, |calls, (call, _)| calls | 1 << call);
            calls.encode(&mut blob);
        }
        blob
    };
    groups.iter().map(blob).collect()
}

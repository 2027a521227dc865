//! `DISTINCT` aggregates: each distinct value of a group reaches the inner accumulator once.
//!
//! Every value is kept with its count, so that its last retraction retracts it once. Integers are
//! kept as they are, other values as canonical bytes.

mod integer_sets;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BinaryArray, UInt32Array};
use arrow_schema::DataType;
use arrow_select::take::take;
use thalweg_columnar::{RowCodec, arrow_error};
use thalweg_core::collections::HashMap;
use thalweg_core::data::Data;
use thalweg_core::error::Result;

use self::integer_sets::IntegerSets;
use super::{Accumulator, Input};

enum Seen {
    Integers(IntegerSets),
    Bytes(Vec<HashMap<Box<[u8]>, i64>>),
}

/// An accumulator of distinct values.
pub struct Distinct {
    inner: Box<dyn Accumulator>,
    seen: Seen,
    codec: RowCodec,
}

/// What a change of a value's count means for the inner accumulator.
fn crossing(before: i64, after: i64) -> Option<u8> {
    match (before > 0, after > 0) {
        (false, true) => Some(0),
        (true, false) => Some(3),
        _ => None,
    }
}

fn count<K: std::hash::Hash + Eq>(map: &mut HashMap<K, i64>, key: K, change: i64) -> Option<u8> {
    let place = map.entry(key);
    match place {
        hashbrown::hash_map::Entry::Occupied(mut place) => {
            let before = *place.get();
            let after = before + change;
            if after == 0 {
                place.remove();
            } else {
                *place.get_mut() = after;
            }
            crossing(before, after)
        }
        hashbrown::hash_map::Entry::Vacant(place) => {
            place.insert(change);
            crossing(0, change)
        }
    }
}

impl Distinct {
    /// Wraps an accumulator of arguments of these types.
    /// `updates` says that values may be retracted.
    pub fn new(inner: Box<dyn Accumulator>, arguments: &[DataType], updates: bool) -> Self {
        let seen = match arguments {
            [DataType::Int64] => Seen::Integers(IntegerSets::new(updates)),
            _ => Seen::Bytes(Vec::new()),
        };
        Distinct {
            inner,
            seen,
            codec: RowCodec::new(arguments.to_vec()),
        }
    }

    fn crossings(&mut self, input: &Input<'_>) -> Result<(Vec<u32>, Vec<u8>)> {
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        let mut cross = |row: usize, kind: Option<u8>| {
            if let Some(kind) = kind {
                rows.push(row as u32);
                kinds.push(kind);
            }
        };
        match &mut self.seen {
            Seen::Integers(sets) => {
                let values = input.args[0].as_primitive::<Int64Type>().values();
                input.for_each(|row, group, sign| {
                    let (before, after) = sets.add(group as u32, values[row], sign);
                    cross(row, crossing(before, after));
                });
            }
            Seen::Bytes(groups) => {
                let mut bytes = Vec::new();
                for (row, group) in input.groups.iter().enumerate() {
                    let complete = input.args.iter().all(|arg| arg.is_valid(row));
                    if !complete || !input.takes_part(row) {
                        continue;
                    }
                    bytes.clear();
                    self.codec.encode(input.args, row, &mut bytes)?;
                    let map = &mut groups[*group as usize];
                    cross(row, count(map, bytes.as_slice().into(), input.sign(row)));
                }
            }
        }
        Ok((rows, kinds))
    }

    fn pass_on(&mut self, groups: Vec<u32>, args: &[ArrayRef], kinds: &[u8]) -> Result<()> {
        let all_new = kinds.iter().all(|kind| *kind == 0);
        let kinds = (!all_new).then_some(kinds);
        self.inner.update(&Input {
            groups: &groups,
            args,
            filter: None,
            kinds,
        })
    }

    fn entries(&self, group: u32) -> Vec<(Vec<u8>, i64)> {
        match &self.seen {
            Seen::Integers(sets) => sets
                .iter(group)
                .map(|(value, count)| {
                    let mut bytes = vec![1];
                    value.encode(&mut bytes);
                    (bytes, count)
                })
                .collect(),
            Seen::Bytes(groups) => groups[group as usize]
                .iter()
                .map(|(value, count)| (value.to_vec(), *count))
                .collect(),
        }
    }
}

impl Accumulator for Distinct {
    fn resize(&mut self, groups: usize) {
        self.inner.resize(groups);
        match &mut self.seen {
            Seen::Integers(sets) => sets.resize(groups),
            Seen::Bytes(seen) => seen.resize_with(groups, HashMap::default),
        }
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let (rows, kinds) = self.crossings(input)?;
        if rows.is_empty() {
            return Ok(());
        }
        let groups = rows.iter().map(|row| input.groups[*row as usize]).collect();
        let rows = UInt32Array::from(rows);
        let args: Result<Vec<ArrayRef>> = input
            .args
            .iter()
            .map(|arg| take(arg, &rows, None).map_err(arrow_error))
            .collect();
        self.pass_on(groups, &args?, &kinds)
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        // The inner state follows from the values.
        let blobs = groups.iter().map(|group| {
            let entries = self.entries(*group);
            let mut blob = Vec::new();
            entries.encode(&mut blob);
            blob
        });
        Ok(vec![Arc::new(BinaryArray::from_iter_values(blobs))])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let blobs = state[0].as_binary::<i32>();
        let (mut crossed, mut rows, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for (row, group) in groups.iter().enumerate() {
            let mut blob = blobs.value(row);
            for (bytes, change) in Vec::<(Vec<u8>, i64)>::decode(&mut blob)? {
                let kind = match &mut self.seen {
                    Seen::Integers(sets) => {
                        let value = i64::decode(&mut &bytes[1..])?;
                        let (before, after) = sets.add(*group, value, change);
                        crossing(before, after)
                    }
                    Seen::Bytes(seen) => {
                        let key = bytes.as_slice().into();
                        count(&mut seen[*group as usize], key, change)
                    }
                };
                if let Some(kind) = kind {
                    crossed.push(*group);
                    rows.push(bytes);
                    kinds.push(kind);
                }
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let args = self.codec.decode(rows.iter().map(Vec::as_slice))?;
        self.pass_on(crossed, &args, &kinds)
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Binary]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        self.inner.result(groups)
    }

    fn clear(&mut self, group: u32) {
        self.inner.clear(group);
        match &mut self.seen {
            Seen::Integers(sets) => sets.clear(group),
            Seen::Bytes(seen) => seen[group as usize].clear(),
        }
    }
}

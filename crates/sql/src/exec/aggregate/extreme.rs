//! `MIN` and `MAX`.
//!
//! Over insertions one value a group is enough. Where values can be retracted, every value is
//! kept with its count, because the next extreme may be any of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, Int64Array};
use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use thalweg_columnar::{Pages, RowCodec};
use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};

use super::value::{Value, value_at, values_to_array};
use super::{Accumulator, Input};
use crate::exec::expr::expression_error;

/// The extreme of 64-bit integers over insertions: the common case, without boxing.
pub struct IntegerExtreme {
    values: Pages<Option<i64>>,
    max: bool,
    result: DataType,
}

impl IntegerExtreme {
    /// A maximum or minimum of a 64-bit column (`BIGINT` or a timestamp).
    pub fn new(result: DataType, max: bool) -> Self {
        IntegerExtreme {
            values: Pages::new(),
            max,
            result,
        }
    }

    /// Whether a type has this form.
    pub fn takes(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Int64 | DataType::Timestamp(_, _))
    }

    #[inline]
    fn offer(&mut self, group: u32, value: i64) {
        put_better(self.values.get_mut(group), value, self.max);
    }
}

#[inline]
fn put_better(place: &mut Option<i64>, value: i64, max: bool) {
    let better = match place {
        Some(best) if max => value > *best,
        Some(best) => value < *best,
        None => true,
    };
    if better {
        *place = Some(value);
    }
}

fn as_integers(array: &ArrayRef) -> Result<Int64Array> {
    let data = array
        .to_data()
        .into_builder()
        .data_type(DataType::Int64)
        .build();
    data.map(Int64Array::from)
        .map_err(thalweg_columnar::arrow_error)
}

impl Accumulator for IntegerExtreme {
    fn resize(&mut self, groups: usize) {
        self.values.grow(groups, None);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let array = as_integers(&input.args[0])?;
        let values = array.values();
        if input.is_plain() {
            let max = self.max;
            self.values
                .for_each_mut(input.groups, |row, best| put_better(best, values[row], max));
        } else {
            input.for_each(|row, group, _| self.offer(group, values[row]));
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let values = as_integers(&state[0])?;
        for (row, group) in groups.iter().enumerate() {
            if values.is_valid(row) {
                self.offer(*group, values.value(row));
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.result.clone()]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|group| *self.values.get(*group));
        let data = Int64Array::from_iter(values).into_data().into_builder();
        let data = data.data_type(self.result.clone()).build();
        data.map(arrow_array::make_array)
            .map_err(thalweg_columnar::arrow_error)
    }

    fn clear(&mut self, group: u32) {
        *self.values.get_mut(group) = None;
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(IntegerExtreme {
            values: self.values.share(),
            max: self.max,
            result: self.result.clone(),
        })
    }
}

/// The extreme of values of any type over insertions.
pub struct AnyExtreme {
    values: Pages<Option<Value>>,
    max: bool,
    null: ScalarValue,
}

impl AnyExtreme {
    /// A maximum or minimum of values of `data_type`.
    ///
    /// # Errors
    /// `User` for a type that has no scalar form.
    pub fn new(data_type: &DataType, max: bool) -> Result<Self> {
        let null = ScalarValue::try_new_null(data_type).map_err(expression_error)?;
        Ok(AnyExtreme {
            values: Pages::new(),
            max,
            null,
        })
    }

    fn offer(&mut self, group: u32, value: Value) {
        let place = self.values.get_mut(group);
        let better = match place {
            Some(best) if self.max => value > *best,
            Some(best) => value < *best,
            None => true,
        };
        if better {
            *place = Some(value);
        }
    }
}

impl Accumulator for AnyExtreme {
    fn resize(&mut self, groups: usize) {
        self.values.grow(groups, None);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for (row, group) in input.groups.iter().enumerate() {
            if input.takes_part(row) {
                self.offer(*group, value_at(&input.args[0], row)?);
            }
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        for (row, group) in groups.iter().enumerate() {
            if state[0].is_valid(row) {
                self.offer(*group, value_at(&state[0], row)?);
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.null.data_type()]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|group| self.values.get(*group).as_ref());
        values_to_array(values, &self.null)
    }

    fn clear(&mut self, group: u32) {
        *self.values.get_mut(group) = None;
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(AnyExtreme {
            values: self.values.share(),
            max: self.max,
            null: self.null.clone(),
        })
    }
}

/// The extreme of values that can be retracted.
pub struct RetractableExtreme {
    groups: Pages<BTreeMap<Value, i64>>,
    max: bool,
    null: ScalarValue,
    codec: RowCodec,
}

impl RetractableExtreme {
    /// A maximum or minimum of values of `data_type`.
    ///
    /// # Errors
    /// `User` for a type that has no scalar form.
    pub fn new(data_type: &DataType, max: bool) -> Result<Self> {
        let null = ScalarValue::try_new_null(data_type).map_err(expression_error)?;
        let codec = RowCodec::new(vec![data_type.clone()]);
        Ok(RetractableExtreme {
            groups: Pages::new(),
            max,
            null,
            codec,
        })
    }

    // A retraction may come before its addition; its count is then negative for a while.
    fn count(&mut self, group: u32, value: Value, change: i64) {
        let values = self.groups.get_mut(group);
        let count = values.entry(value.clone()).or_insert(0);
        *count += change;
        if *count == 0 {
            values.remove(&value);
        }
    }
}

impl Accumulator for RetractableExtreme {
    fn resize(&mut self, groups: usize) {
        self.groups.grow_with(groups, BTreeMap::new);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for (row, group) in input.groups.iter().enumerate() {
            if input.takes_part(row) {
                let value = value_at(&input.args[0], row)?;
                self.count(*group, value, input.sign(row));
            }
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut blobs = Vec::with_capacity(groups.len());
        for group in groups {
            let values = self.groups.get(*group);
            let array = values_to_array(values.keys().map(Some), &self.null)?;
            let mut blob = Vec::new();
            (values.len() as u32).encode(&mut blob);
            for (row, count) in values.values().enumerate() {
                count.encode(&mut blob);
                let mut bytes = Vec::new();
                self.codec
                    .encode(std::slice::from_ref(&array), row, &mut bytes)?;
                bytes.encode(&mut blob);
            }
            blobs.push(blob);
        }
        Ok(vec![Arc::new(BinaryArray::from_iter_values(blobs))])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let blobs = state[0].as_binary::<i32>();
        for (row, group) in groups.iter().enumerate() {
            let mut blob = blobs.value(row);
            for _ in 0..u32::decode(&mut blob)? {
                let count = i64::decode(&mut blob)?;
                let bytes = Vec::<u8>::decode(&mut blob)?;
                let columns = self.codec.decode([bytes.as_slice()])?;
                let column = columns
                    .first()
                    .ok_or_else(|| Error::corrupt("a stored value is missing"))?;
                self.count(*group, value_at(column, 0)?, count);
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Binary]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|group| {
            let values = self.groups.get(*group).iter();
            let mut there = values.filter(|(_, count)| **count > 0);
            let best = if self.max {
                there.next_back()
            } else {
                there.next()
            };
            best.map(|(value, _)| value)
        });
        values_to_array(values, &self.null)
    }

    fn clear(&mut self, group: u32) {
        self.groups.get_mut(group).clear();
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(RetractableExtreme {
            groups: self.groups.share(),
            max: self.max,
            null: self.null.clone(),
            codec: self.codec.clone(),
        })
    }
}

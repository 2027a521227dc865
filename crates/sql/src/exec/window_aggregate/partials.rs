//! Partial aggregates as they travel: key columns, the end of the slice, states.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use thalweg_columnar::ColumnBatch;
use thalweg_core::error::{Error, Result};

use super::WindowAggregateSpec;

/// The columns of partial aggregates.
pub(super) fn schema(spec: &WindowAggregateSpec) -> Result<SchemaRef> {
    let mut types = spec.key_types.clone();
    types.push(DataType::Int64);
    types.extend(spec.accumulators()?.state_types());
    let field = |(at, data_type)| Field::new(format!("c{at}"), data_type, true);
    let fields: Vec<Field> = types.into_iter().enumerate().map(field).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// A batch of partial aggregates.
pub(super) struct Partials<'a> {
    /// The key columns.
    pub keys: &'a [ArrayRef],
    /// The end of each one's slice, in milliseconds.
    pub ends: &'a Int64Array,
    /// The states' columns, call by call.
    pub states: &'a [ArrayRef],
}

impl<'a> Partials<'a> {
    pub fn of(spec: &WindowAggregateSpec, input: &'a ColumnBatch) -> Result<Self> {
        let columns = input.records().columns();
        let (keys, rest) = columns
            .split_at_checked(spec.key_types.len())
            .ok_or_else(|| Error::internal("a partial aggregate lacks its key"))?;
        let (ends, states) = rest
            .split_first()
            .ok_or_else(|| Error::internal("a partial aggregate lacks its slice"))?;
        let ends = ends
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| Error::internal("a slice's end is no integer"))?;
        Ok(Partials { keys, ends, states })
    }
}

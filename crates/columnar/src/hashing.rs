//! Stable hashes of key columns: the hash of a row's canonical bytes.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use thalweg_core::container::Container;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::KeyHasher;
use thalweg_core::key_group::stable_hash_bytes;

use crate::batch::ColumnBatch;
use crate::encoded_rows::EncodedRows;

/// Appends the stable hash of every row of some columns.
///
/// # Errors
/// `Unsupported` for a column type without a canonical form.
pub fn hash_columns(columns: &[ArrayRef], hashes: &mut Vec<u64>) -> Result<()> {
    let [column] = columns else {
        return hash_rows(columns, hashes);
    };
    match column.data_type() {
        DataType::Int64 if column.null_count() == 0 => {
            let mut bytes = [1u8; 9];
            for value in column.as_primitive::<Int64Type>().values() {
                bytes[1..].copy_from_slice(&value.to_le_bytes());
                hashes.push(stable_hash_bytes(&bytes));
            }
            Ok(())
        }
        _ => hash_rows(columns, hashes),
    }
}

fn hash_rows(columns: &[ArrayRef], hashes: &mut Vec<u64>) -> Result<()> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut encoded = EncodedRows::default();
    encoded.encode(columns, rows)?;
    hashes.extend(encoded.iter().map(stable_hash_bytes));
    Ok(())
}

/// Hashes the key columns of column batches.
pub struct ColumnHasher {
    columns: Vec<usize>,
}

impl ColumnHasher {
    /// A hasher of the columns at these positions.
    pub fn new(columns: Vec<usize>) -> Self {
        ColumnHasher { columns }
    }
}

impl KeyHasher for ColumnHasher {
    fn hashes(&self, batch: &dyn Container, hashes: &mut Vec<u64>) -> Result<()> {
        let batch = batch
            .as_any()
            .downcast_ref::<ColumnBatch>()
            .ok_or_else(|| {
                Error::internal(format!(
                    "a keyed edge met a batch of `{}`",
                    batch.type_name()
                ))
            })?;
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|column| batch.records().column(*column).clone())
            .collect();
        hash_columns(&columns, hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use std::sync::Arc;

    #[test]
    fn the_fast_path_of_one_integer_column_hashes_the_same_bytes_as_any_row() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![0, -1, 42, i64::MAX]));
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        hash_columns(std::slice::from_ref(&column), &mut fast).unwrap();
        hash_rows(&[column], &mut slow).unwrap();
        assert_eq!(fast, slow);
    }
}

//! Folds a changelog into the rows that are left at its end.

use thalweg::columnar::{ColumnBatch, RowCodec};
use thalweg::core::collections::HashMap;
use thalweg::core::error::Result;

/// Rows with their counts, in order of arrival of the rows that are left.
#[derive(Default)]
pub struct Fold {
    rows: HashMap<Vec<u8>, (i64, u64)>,
    arrivals: u64,
}

impl Fold {
    /// Applies the changes of a batch.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn apply(&mut self, batch: &ColumnBatch) -> Result<()> {
        let codec = codec(batch);
        for row in 0..batch.num_rows() {
            let mut key = Vec::new();
            codec.encode(batch.records().columns(), row, &mut key)?;
            let change = if batch.kind(row).is_addition() { 1 } else { -1 };
            self.arrivals += 1;
            let place = self.rows.entry(key.clone()).or_insert((0, self.arrivals));
            place.0 += change;
            if place.0 == 0 {
                self.rows.remove(&key);
            }
        }
        Ok(())
    }

    /// The rows that are left, as canonical bytes, in order of arrival.
    pub fn into_rows(self) -> Vec<Vec<u8>> {
        let mut left: Vec<(u64, i64, Vec<u8>)> = self
            .rows
            .into_iter()
            .filter(|(_, (count, _))| *count > 0)
            .map(|(row, (count, arrival))| (arrival, count, row))
            .collect();
        left.sort_unstable();
        left.into_iter()
            .flat_map(|(_, count, row)| {
                std::iter::repeat_n(row, usize::try_from(count).unwrap_or(0))
            })
            .collect()
    }
}

fn codec(batch: &ColumnBatch) -> RowCodec {
    let schema = batch.schema();
    RowCodec::new(
        schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect(),
    )
}

//! The wire form of a batch of columns: the kinds, then an Arrow IPC stream of one batch.
//!
//! ```text
//!   u32   number of kinds: 0 if all rows are insertions, else one byte a row
//!   …     an Arrow IPC stream: schema, dictionaries, record batch, end
//! ```
//!
//! The stream says its schema itself, and dictionaries stay dictionaries.

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use thalweg_core::container::{ContainerCodec, Payload};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::{Error, Result};

use super::ColumnBatch;
use crate::arrow_error;
use crate::row_kind::RowKind;

pub(super) fn encode(batch: &ColumnBatch, out: &mut Vec<u8>) -> Result<()> {
    let kinds = batch.kinds().unwrap_or_default();
    let count = u32::try_from(kinds.len())
        .map_err(|_| Error::internal("a batch has more rows than its wire form can say"))?;
    count.encode(out);
    out.extend_from_slice(kinds);
    let records = batch.records();
    let mut writer = StreamWriter::try_new(out, &records.schema()).map_err(arrow_error)?;
    writer.write(records).map_err(arrow_error)?;
    writer.finish().map_err(arrow_error)
}

impl ColumnBatch {
    /// Reads batches back from their wire form.
    pub const CODEC: ContainerCodec = ContainerCodec::new(|| Schema::Bytes, decode);
}

fn decode(bytes: &[u8]) -> Result<Payload> {
    let mut input = bytes;
    let count = take_len(&mut input, 1)?;
    let kinds = take_bytes(&mut input, count)?.to_vec();
    let corrupt = |error: ArrowError| Error::corrupt("a stored batch").with_source(error);
    let mut reader = StreamReader::try_new(input, None).map_err(corrupt)?;
    let records = match reader.next() {
        Some(records) => records.map_err(corrupt)?,
        None => return Err(Error::corrupt("a stored batch has no columns")),
    };
    if kinds.is_empty() {
        return Ok(Box::new(ColumnBatch::insertions(records)));
    }
    let known = kinds.iter().all(|kind| *kind <= RowKind::Delete as u8);
    if kinds.len() != records.num_rows() || !known {
        return Err(Error::corrupt(format!(
            "a stored batch of {} rows has {count} kinds or unknown ones",
            records.num_rows()
        )));
    }
    Ok(Box::new(ColumnBatch::changelog(records, kinds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray};
    use thalweg_core::container::{Container, downcast};

    fn records() -> RecordBatch {
        let words: DictionaryArray<Int32Type> = [Some("a"), None, Some("b"), Some("a")]
            .into_iter()
            .collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
            ("word", Arc::new(words)),
            ("text", Arc::new(StringArray::from(vec!["x", "", "y", "z"]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, c)| (name, c, true))).unwrap()
    }

    fn back(batch: &ColumnBatch) -> ColumnBatch {
        let mut bytes = Vec::new();
        Container::encode(batch, &mut bytes).unwrap();
        *downcast::<ColumnBatch>(ColumnBatch::CODEC.decode(&bytes).unwrap()).unwrap()
    }

    #[test]
    fn columns_dictionaries_and_kinds_come_back() {
        let kinds = vec![0u8, 1, 2, 3];
        let found = back(&ColumnBatch::changelog(records(), kinds.clone()));
        assert_eq!(found.records(), &records());
        assert_eq!(found.kinds(), Some(kinds.as_slice()));
        assert_eq!(back(&ColumnBatch::insertions(records())).kinds(), None);
    }

    #[test]
    fn a_slice_is_written_alone() {
        let slice = ColumnBatch::changelog(records(), vec![0, 1, 2, 3]).slice(1, 2);
        let found = back(&slice);
        assert_eq!(found.records(), &records().slice(1, 2));
        assert_eq!(found.kinds(), Some([1u8, 2].as_slice()));
    }

    #[test]
    fn rows_without_columns_keep_their_number() {
        let none = records().project(&[]).unwrap();
        assert_eq!(back(&ColumnBatch::insertions(none)).num_rows(), 4);
    }

    #[test]
    fn kinds_that_do_not_fit_are_corrupt() {
        let mut bytes = Vec::new();
        Container::encode(
            &ColumnBatch::changelog(records(), vec![0, 1, 2, 3]),
            &mut bytes,
        )
        .unwrap();
        bytes[5] = 9;
        assert!(ColumnBatch::CODEC.decode(&bytes).is_err());
        assert!(ColumnBatch::CODEC.decode(&bytes[..3]).is_err());
        assert!(ColumnBatch::CODEC.decode(&bytes[..20]).is_err());
    }
}

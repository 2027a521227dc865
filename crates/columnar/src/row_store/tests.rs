//! The store against a list of rows that are kept as canonical bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, StringArray, StringViewArray, StructArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};
use thalweg_core::host::Random;

use super::*;
use crate::RowCodec;
use crate::column::Selection;

const COLUMNS: usize = 12;

fn text(number: u64) -> String {
    // Short ones, which need no block, and long ones.
    let len = if number.is_multiple_of(3) {
        number % 12
    } else {
        13 + number % 50
    };
    format!("{number}-").repeat(len as usize)[..len as usize].to_owned()
}

/// Columns of every way to keep one; `nulls` of ten values are NULL.
fn columns(random: &mut Random, rows: usize, nulls: u64) -> Vec<ArrayRef> {
    let numbers: Vec<Vec<Option<u64>>> = (0..COLUMNS)
        .map(|_| {
            let value = |random: &mut Random| {
                let value = random.below(1 << 40);
                (random.below(10) >= nulls).then_some(value)
            };
            (0..rows).map(|_| value(random)).collect()
        })
        .collect();
    macro_rules! array {
        ($array:ty, $at:expr, $value:expr) => {
            Arc::new(
                numbers[$at]
                    .iter()
                    .map(|n| n.map($value))
                    .collect::<$array>(),
            ) as ArrayRef
        };
    }
    let fields: Fields = vec![Field::new("f", DataType::Utf8View, true)].into();
    let inner = array!(StringViewArray, 11, text);
    let valid: Vec<bool> = numbers[4].iter().map(Option::is_some).collect();
    vec![
        array!(Int64Array, 0, |n| n as i64 - (1 << 39)),
        array!(StringViewArray, 1, text),
        array!(BooleanArray, 2, |n| n % 2 == 1),
        array!(Int8Array, 3, |n| n as i8),
        array!(Int16Array, 4, |n| n as i16),
        array!(Int32Array, 5, |n| n as i32),
        array!(Decimal128Array, 6, |n| i128::from(n) << 60),
        array!(Float64Array, 7, |n| n as f64 / 3.0),
        array!(TimestampMillisecondArray, 8, |n| n as i64),
        array!(StringArray, 9, text),
        array!(BinaryViewArray, 10, |n| text(n).into_bytes()),
        Arc::new(StructArray::new(fields, vec![inner], Some(valid.into()))),
    ]
}

fn schema(columns: &[ArrayRef]) -> SchemaRef {
    let field = |column: &ArrayRef| Field::new("c", column.data_type().clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn codec(schema: &Schema) -> RowCodec {
    let types = schema.fields().iter();
    RowCodec::new(types.map(|field| field.data_type().clone()).collect())
}

struct Model {
    store: RowStore,
    codec: RowCodec,
    rows: BTreeMap<RowId, Vec<u8>>,
}

impl Model {
    fn new(schema: SchemaRef) -> Self {
        Model {
            codec: codec(&schema),
            store: RowStore::new(schema),
            rows: BTreeMap::new(),
        }
    }

    fn insert(&mut self, columns: &[BatchColumn], rows: &[u32]) {
        let mut ids = Vec::new();
        self.store.insert(columns, rows, &mut ids).unwrap();
        let dense: Vec<ArrayRef> = columns.iter().map(|c| c.dense().clone()).collect();
        assert_eq!(ids.len(), rows.len());
        for (id, row) in ids.into_iter().zip(rows) {
            let mut bytes = Vec::new();
            self.codec
                .encode(&dense, *row as usize, &mut bytes)
                .unwrap();
            let other = self.rows.insert(id, bytes);
            assert!(other.is_none(), "{id:?} is given although it lives");
        }
    }

    fn remove(&mut self, ids: &[RowId]) {
        self.store.remove(ids);
        ids.iter()
            .for_each(|id| assert!(self.rows.remove(id).is_some()));
    }

    fn check(&self, ids: &[RowId]) {
        assert_eq!(self.store.len(), self.rows.len());
        let rows = self.store.rows(ids).unwrap();
        for column in rows.columns() {
            // What the store builds without a check passes it.
            column.to_data().validate_full().unwrap();
        }
        for (row, id) in ids.iter().enumerate() {
            let (mut gathered, mut encoded) = (Vec::new(), Vec::new());
            self.codec
                .encode(rows.columns(), row, &mut gathered)
                .unwrap();
            self.store.encode(*id, &mut encoded);
            assert_eq!((&gathered, &encoded), (&self.rows[id], &self.rows[id]));
        }
    }
}

#[test]
fn rows_of_all_types_come_back_as_they_came_while_others_come_and_go() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let shape = columns(&mut random, 1, 0);
        let mut model = Model::new(schema(&shape));
        let mut copies = Vec::new();
        for step in 0..40 {
            if step % 7 == 3 {
                copies.push((model.store.share(), model.rows.clone()));
            }
            let len = 1 + random.below(if step % 5 == 0 { 1500 } else { 30 });
            // The first batches have no NULL.
            let nulls = if step < 3 { 0 } else { 2 };
            let all = columns(&mut random, len as usize, nulls);
            let mut batch: Vec<BatchColumn> = all.into_iter().map(BatchColumn::new).collect();
            let mut len = len as u32;
            if step % 2 == 1 {
                // Some columns are filtered, and one of them already read.
                let mask = (0..len).map(|at| at % 3 != 1).collect::<Vec<_>>();
                let selection = Arc::new(Selection::new(BooleanArray::from(mask)));
                batch = batch
                    .iter()
                    .map(|column| column.select(&selection))
                    .collect();
                len = selection.rows() as u32;
                batch[1].dense();
            }
            let rows: Vec<u32> = (0..len).filter(|_| random.below(4) != 0).collect();
            model.insert(&batch, &rows);
            let dead: Vec<RowId> = model.rows.keys().copied().collect();
            let dead: Vec<RowId> = dead.into_iter().filter(|_| random.below(3) == 0).collect();
            model.remove(&dead);
            let mut ids: Vec<RowId> = model.rows.keys().copied().collect();
            ids.extend(ids.first().copied());
            ids.reverse();
            model.check(&ids);
        }
        let all: Vec<RowId> = model.rows.keys().copied().collect();
        model.remove(&all);
        model.check(&[]);
        assert!(model.store.is_empty());
        for (copy, rows) in copies {
            for (id, expected) in rows {
                let mut encoded = Vec::new();
                copy.encode(id, &mut encoded);
                assert_eq!(encoded, expected);
            }
        }
    }
}

fn texts(values: impl Iterator<Item = String>) -> Vec<BatchColumn> {
    let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
    vec![BatchColumn::new(array)]
}

#[test]
fn few_rows_do_not_hold_on_to_the_texts_of_their_batches() {
    let long = |number: u64| format!("{number:0>1000}");
    let mut store = RowStore::new(schema(&[texts(std::iter::empty())[0].dense().clone()]));
    let mut kept = Vec::new();
    for batch in 0..100 {
        let column = texts((0..1000).map(|at| long(batch * 1000 + at)));
        let mut ids = Vec::new();
        // Every other batch's buffer is taken over as it is, and then loses most of its rows.
        let few: Vec<u32> = if batch % 2 == 0 {
            vec![7]
        } else {
            (0..1000).collect()
        };
        store.insert(&column, &few, &mut ids).unwrap();
        let at = few.iter().position(|row| *row == 7).unwrap();
        kept.push((long(batch * 1000 + 7), ids.remove(at)));
        store.remove(&ids);
    }
    assert_eq!(store.len(), 100);
    let size = store.texts.kept_bytes();
    assert!(size < 6 << 20, "{size} bytes are kept for 100 kB of text");
    let ids: Vec<RowId> = kept.iter().map(|(_, id)| *id).collect();
    let column = store.columns(&ids).unwrap().remove(0);
    column.to_data().validate_full().unwrap();
    let column = column.as_string_view();
    assert!(
        column
            .iter()
            .flatten()
            .eq(kept.iter().map(|(text, _)| text.as_str()))
    );
}

#[test]
fn single_rows_do_not_leave_a_block_each() {
    let mut store = RowStore::new(schema(&[texts(std::iter::empty())[0].dense().clone()]));
    let mut ids = Vec::new();
    let text = |number: usize| format!("a text that needs a block {number}");
    for number in 0..5000 {
        let column = texts(std::iter::once(text(number)));
        store.insert(&column, &[0], &mut ids).unwrap();
    }
    let blocks = store.texts.blocks();
    assert!(blocks < 1500, "{blocks} blocks");
    let column = store.columns(&ids).unwrap().remove(0);
    let column = column.as_string_view();
    assert!(column.iter().flatten().eq((0..5000).map(text)));
}

#[test]
fn a_buffer_that_is_mostly_wanted_is_shared_and_not_copied() {
    let columns = texts((0..100).map(|number| format!("a text that needs a block {number}")));
    let address = |array: &ArrayRef| array.as_string_view().data_buffers()[0].as_ptr();
    let mut store = RowStore::new(schema(&[columns[0].dense().clone()]));
    let mut ids = Vec::new();
    let buffer = StringViewArray::from_iter(columns[0].dense().as_string_view().iter());
    // Only as large as its texts.
    let exact: ArrayRef = Arc::new(buffer.gc());
    let columns = vec![BatchColumn::new(exact.clone())];
    store
        .insert(&columns, &(0..90).collect::<Vec<_>>(), &mut ids)
        .unwrap();
    let shared = store.columns(&ids).unwrap().remove(0);
    assert_eq!(address(&shared), address(&exact));
    let mut few = Vec::new();
    store.insert(&columns, &[1, 2], &mut few).unwrap();
    assert_ne!(
        address(&store.columns(&few).unwrap().remove(0)),
        address(&exact)
    );
}

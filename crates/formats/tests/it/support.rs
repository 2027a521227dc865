//! What the tests share: short schemas, decoding in chunks, batches as text.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions as Display};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use thalweg_formats::{FormatError, FormatOptions, Origin, decoder};

/// A schema from lines like `id BIGINT NOT NULL, name STRING`.
pub fn schema(text: &str) -> SchemaRef {
    let fields: Vec<Field> = text
        .split(", ")
        .filter(|text| !text.is_empty())
        .map(field)
        .collect();
    Arc::new(Schema::new(fields))
}

fn field(text: &str) -> Field {
    let (name, rest) = text.split_once(' ').expect("a name and a type");
    let nullable = !rest.ends_with(" NOT NULL");
    Field::new(
        name,
        data_type(rest.trim_end_matches(" NOT NULL")),
        nullable,
    )
}

fn data_type(name: &str) -> DataType {
    match name {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" => DataType::Int8,
        "SMALLINT" => DataType::Int16,
        "INT" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "DECIMAL" => DataType::Decimal128(10, 2),
        "STRING" => DataType::Utf8View,
        "VARCHAR" => DataType::Utf8,
        "BYTES" => DataType::Binary,
        "DATE" => DataType::Date32,
        "TIME" => DataType::Time32(TimeUnit::Millisecond),
        "TIMESTAMP" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "TIMESTAMP_LTZ" => DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
        "INT[]" => list(DataType::Int32),
        "STRING[]" => list(DataType::Utf8View),
        "ROW" => row(),
        "ROW[]" => list(row()),
        "MAP" => map(DataType::Int64),
        "MAP[]" => map(list(DataType::Int32)),
        other => panic!("no type {other}"),
    }
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn row() -> DataType {
    let fields = vec![
        Field::new("x", DataType::Int64, true),
        Field::new("y", DataType::Utf8View, true),
    ];
    DataType::Struct(fields.into())
}

fn map(value: DataType) -> DataType {
    let entries = vec![
        Field::new("key", DataType::Utf8View, false),
        Field::new("value", value, true),
    ];
    let entries = Field::new("entries", DataType::Struct(entries.into()), false);
    DataType::Map(Arc::new(entries), false)
}

/// Options from lines like `csv.header=true`.
pub fn options(text: &str) -> FormatOptions {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').expect("a key and a value"))
        .collect()
}

/// Decodes a whole file given in chunks of `chunk` bytes, the rest of each coming again.
pub fn decode_in_chunks(
    format: &str,
    options: &FormatOptions,
    schema: &SchemaRef,
    projection: Option<&[usize]>,
    text: &[u8],
    chunk: usize,
) -> Result<(RecordBatch, u64), FormatError> {
    let mut decoder = decoder(format, options, Arc::clone(schema), projection, 1 << 20)?;
    decoder.begin(Origin {
        file: "file".into(),
        line: 1,
        offset: 0,
    });
    let (mut at, mut to) = (0, 0);
    while to < text.len() {
        to = (to + chunk).min(text.len());
        at += decoder.decode(&text[at..to], to == text.len())?;
    }
    assert_eq!(at, text.len(), "all bytes are consumed");
    let rows = decoder.rows();
    let batch = decoder.flush()?;
    assert_eq!(batch.num_rows(), rows);
    Ok((batch, decoder.skipped()))
}

/// Decodes a whole file and shows its rows, columns apart by `|`.
pub fn show(format: &str, with: &str, columns: &str, text: &str) -> String {
    match decode_in_chunks(
        format,
        &options(with),
        &schema(columns),
        None,
        text.as_bytes(),
        usize::MAX / 2,
    ) {
        Ok((batch, _)) => rows(&batch),
        Err(error) => error.to_string(),
    }
}

/// The rows of a batch, one a line.
pub fn rows(batch: &RecordBatch) -> String {
    let display = Display::default().with_null("NULL");
    let columns: Vec<ArrayFormatter> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &display).unwrap())
        .collect();
    let row = |row| {
        columns
            .iter()
            .map(|c| c.value(row).to_string())
            .collect::<Vec<_>>()
            .join("|")
    };
    (0..batch.num_rows())
        .map(row)
        .collect::<Vec<_>>()
        .join("\n")
}

//! Text to columns and back: `1|NULL|[a;b]|(1;x)`.

use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_array::{ArrayRef, ListArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, SchemaRef};

/// Lines of `|`-separated values as a batch.
pub fn batch(schema: &SchemaRef, lines: &[&str]) -> RecordBatch {
    let rows: Vec<Vec<&str>> = lines.iter().map(|line| line.split('|').collect()).collect();
    for (line, row) in lines.iter().zip(&rows) {
        assert_eq!(row.len(), schema.fields().len(), "row `{line}`");
    }
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let texts: Vec<&str> = rows.iter().map(|row| row[at].trim()).collect();
        column(&texts, field.data_type())
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
}

fn column(texts: &[&str], data_type: &DataType) -> ArrayRef {
    let valid: Vec<bool> = texts.iter().map(|text| *text != "NULL").collect();
    let inner = |text: &&str| -> Vec<String> {
        let text = text.strip_prefix(['[', '(']).unwrap_or("");
        let text = text.strip_suffix([']', ')']).unwrap_or("");
        elements(text)
    };
    match data_type {
        DataType::List(field) => {
            let lists: Vec<Vec<String>> = texts.iter().map(inner).collect();
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
            let flat: Vec<&str> = lists.iter().flatten().map(String::as_str).collect();
            let values = column(&flat, field.data_type());
            let nulls = Some(NullBuffer::from(valid));
            Arc::new(ListArray::try_new(field.clone(), offsets, values, nulls).unwrap())
        }
        DataType::Struct(fields) => {
            let rows: Vec<Vec<String>> = texts.iter().map(inner).collect();
            let columns = fields.iter().enumerate().map(|(at, field)| {
                let parts = rows
                    .iter()
                    .map(|row| row.get(at).map_or("NULL", String::as_str));
                column(&parts.collect::<Vec<_>>(), field.data_type())
            });
            let nulls = Some(NullBuffer::from(valid));
            Arc::new(StructArray::try_new(fields.clone(), columns.collect(), nulls).unwrap())
        }
        _ => {
            let texts: StringArray = texts
                .iter()
                .map(|text| (*text != "NULL").then_some(*text))
                .collect();
            let options = arrow_cast::CastOptions {
                safe: false,
                ..Default::default()
            };
            arrow_cast::cast_with_options(&texts, data_type, &options).unwrap()
        }
    }
}

/// The parts between the `;` that stand in no bracket.
fn elements(text: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in text.chars() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            _ => {}
        }
        match (c, parts.last_mut()) {
            (';', _) if depth == 0 => parts.push(String::new()),
            (_, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    if text.is_empty() {
        parts.clear();
    }
    parts
}

/// The rows of a batch, each as `|`-separated values.
pub fn lines(records: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_format(Some("%F %T%.f"));
    let columns: Vec<ArrayFormatter<'_>> = records
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    (0..records.num_rows())
        .map(|row| {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            cells.collect::<Vec<_>>().join("|")
        })
        .collect()
}

//! Values as text, for tables, csv and changelogs.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::temporal_conversions::as_datetime;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The values of a row; `None` is NULL.
pub fn row_texts(records: &RecordBatch, row: usize) -> Vec<Option<String>> {
    records
        .columns()
        .iter()
        .map(|column| text(column, row))
        .collect()
}

/// A value as text; `None` is NULL.
pub fn text(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) || column.data_type() == &DataType::Null {
        return None;
    }
    Some(match column.data_type() {
        DataType::Timestamp(unit, zone) => timestamp(column, row, *unit, zone.is_some()),
        DataType::Utf8View => column.as_string_view().value(row).to_owned(),
        DataType::Float64 => shortest(
            column
                .as_primitive::<arrow::datatypes::Float64Type>()
                .value(row),
        ),
        DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _) => {
            let mut json = Vec::new();
            super::json::write_value(column, row, &mut json).ok();
            String::from_utf8_lossy(&json).into_owned()
        }
        _ => ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())
            .map(|formatter| formatter.value(row).to_string())
            .unwrap_or_default(),
    })
}

/// A DOUBLE in the shortest form that reads back the same.
pub fn shortest(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{value:?}")
    }
}

/// A timestamp with its column's precision.
pub fn timestamp(column: &ArrayRef, row: usize, unit: TimeUnit, utc: bool) -> String {
    use arrow::datatypes::{
        TimestampMicrosecondType as Micros, TimestampMillisecondType as Millis,
        TimestampNanosecondType as Nanos, TimestampSecondType as Seconds,
    };
    let (time, format) = match unit {
        TimeUnit::Second => (
            as_datetime::<Seconds>(column.as_primitive::<Seconds>().value(row)),
            "%F %T",
        ),
        TimeUnit::Millisecond => (
            as_datetime::<Millis>(column.as_primitive::<Millis>().value(row)),
            "%F %T%.3f",
        ),
        TimeUnit::Microsecond => (
            as_datetime::<Micros>(column.as_primitive::<Micros>().value(row)),
            "%F %T%.6f",
        ),
        TimeUnit::Nanosecond => (
            as_datetime::<Nanos>(column.as_primitive::<Nanos>().value(row)),
            "%F %T%.9f",
        ),
    };
    let zone = if utc { "Z" } else { "" };
    time.map_or_else(String::new, |time| format!("{}{zone}", time.format(format)))
}

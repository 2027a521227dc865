//! Rows as JSON objects, one a line.

use std::io::{self, Write};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::value;

/// Writes a row: `op` first if given, then the columns in order.
pub fn write_row(
    records: &RecordBatch,
    row: usize,
    op: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(b"{")?;
    let mut first = true;
    if let Some(op) = op {
        write!(out, "\"op\":\"{op}\"")?;
        first = false;
    }
    let schema = records.schema_ref();
    for (field, column) in schema.fields().iter().zip(records.columns()) {
        if !std::mem::take(&mut first) {
            out.write_all(b",")?;
        }
        write_text(field.name(), out)?;
        out.write_all(b":")?;
        write_value(column, row, out)?;
    }
    out.write_all(b"}\n")
}

/// Writes a value.
pub fn write_value(column: &ArrayRef, row: usize, out: &mut impl Write) -> io::Result<()> {
    if column.is_null(row) || column.data_type() == &DataType::Null {
        return out.write_all(b"null");
    }
    match column.data_type() {
        DataType::Boolean => write!(out, "{}", column.as_boolean().value(row)),
        DataType::Float64 => write_float(column.as_primitive::<Float64Type>().value(row), out),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            if value.is_finite() {
                write!(out, "{value:?}")
            } else {
                write_float(value.into(), out)
            }
        }
        DataType::Utf8View => write_text(column.as_string_view().value(row), out),
        DataType::Utf8 => write_text(column.as_string::<i32>().value(row), out),
        DataType::Timestamp(unit, zone) => {
            write_text(&value::timestamp(column, row, *unit, zone.is_some()), out)
        }
        DataType::Binary => write_text(&base64(column.as_binary::<i32>().value(row)), out),
        DataType::BinaryView => write_text(&base64(column.as_binary_view().value(row)), out),
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            write_pairs(
                fields
                    .iter()
                    .map(|field| field.name().clone())
                    .zip(columns.iter().map(|c| (c, row))),
                out,
            )
        }
        DataType::List(_) => {
            let elements = column.as_list::<i32>().value(row);
            out.write_all(b"[")?;
            for at in 0..elements.len() {
                if at > 0 {
                    out.write_all(b",")?;
                }
                write_value(&elements, at, out)?;
            }
            out.write_all(b"]")
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let names = (0..entries.len()).map(|at| value::text(keys, at).unwrap_or_default());
            write_pairs(names.zip((0..entries.len()).map(|at| (values, at))), out)
        }
        t if t.is_numeric() => write!(out, "{}", plain(column, row)),
        _ => write_text(&plain(column, row), out),
    }
}

fn plain(column: &ArrayRef, row: usize) -> String {
    ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())
        .map(|formatter| formatter.value(row).to_string())
        .unwrap_or_default()
}

fn write_pairs<'a>(
    pairs: impl Iterator<Item = (String, (&'a ArrayRef, usize))>,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(b"{")?;
    for (at, (name, (column, row))) in pairs.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write_text(&name, out)?;
        out.write_all(b":")?;
        write_value(column, row, out)?;
    }
    out.write_all(b"}")
}

fn write_float(value: f64, out: &mut impl Write) -> io::Result<()> {
    let text = value::shortest(value);
    if value.is_finite() {
        out.write_all(text.as_bytes())
    } else {
        write_text(&text, out)
    }
}

fn write_text(text: &str, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        out.write_all(&rest.as_bytes()[..at])?;
        let byte = rest.as_bytes()[at];
        match byte {
            b'"' => out.write_all(b"\\\"")?,
            b'\\' => out.write_all(b"\\\\")?,
            b'\n' => out.write_all(b"\\n")?,
            b'\r' => out.write_all(b"\\r")?,
            b'\t' => out.write_all(b"\\t")?,
            other => write!(out, "\\u{other:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    out.write_all(rest.as_bytes())?;
    out.write_all(b"\"")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .enumerate()
            .fold(0u32, |g, (i, b)| g | u32::from(*b) << (16 - 8 * i));
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = (group >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_only_where_json_asks_for_it() {
        let mut out = Vec::new();
        write_text("ä\"\\\n\u{1}", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\"ä\\\"\\\\\\n\\u0001\"");
    }

    #[test]
    fn bytes_are_base64() {
        assert_eq!(
            ["", "a", "ab", "abc"].map(|s| base64(s.as_bytes())),
            ["", "YQ==", "YWI=", "YWJj"]
        );
    }
}

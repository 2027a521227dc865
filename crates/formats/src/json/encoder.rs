//! Batches as JSON lines.
//!
//! Numbers are numbers, with all their digits; NaN and the infinities, which JSON has not, are
//! strings by name. Times are strings in the chosen standard, BYTES are base64. Decimals are
//! always plain and keep their scale: `100.00` and never Java's `1E+2`.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{JsonOptions, NullKeys};
use crate::Encoder;
use crate::cells::{self, Cells, Values};
use crate::error::FormatError;
use crate::scan;
use crate::time::Standard;
use crate::types::Kind;

pub(super) struct JsonEncoder {
    options: JsonOptions,
    schema: SchemaRef,
}

impl JsonEncoder {
    pub fn new(options: JsonOptions, schema: SchemaRef) -> Result<JsonEncoder, FormatError> {
        for field in schema.fields() {
            Kind::of(field)?;
        }
        Ok(JsonEncoder { options, schema })
    }
}

impl Encoder for JsonEncoder {
    fn header(&mut self, _: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let arrays = cells::plain_columns(batch, &self.schema)?;
        let fields = self.schema.fields().iter().zip(&arrays);
        let columns = fields
            .map(|(field, array)| Column::of(Cells::of(field.name(), array)?))
            .collect::<Result<Vec<_>, FormatError>>()?;
        let separator = if self.options.standard == Standard::Sql {
            b' '
        } else {
            b'T'
        };
        let writer = Writer {
            options: &self.options,
            separator,
        };
        for row in 0..batch.num_rows() {
            writer.object(&columns, row, out)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

/// A column with its key already escaped, and so those inside it.
struct Column<'a> {
    cells: Cells<'a>,
    /// `"name":`
    key: Vec<u8>,
    inner: Vec<Column<'a>>,
}

impl<'a> Column<'a> {
    fn of(mut cells: Cells<'a>) -> Result<Column<'a>, FormatError> {
        let mut key = Vec::new();
        write_string(cells.name, &mut key);
        key.push(b':');
        let inner = match &mut cells.values {
            Values::Row(fields) => std::mem::take(fields),
            Values::List(_, item) => take_inner(item),
            Values::Map(_, keys, values) => {
                let mut inner = take_inner(keys);
                inner.extend(take_inner(values));
                inner
            }
            _ => Vec::new(),
        };
        let inner = inner
            .into_iter()
            .map(Column::of)
            .collect::<Result<_, _>>()?;
        Ok(Column { cells, key, inner })
    }
}

/// Takes cells out of their box; nobody looks at what is left.
fn take_inner<'a>(cells: &mut Box<Cells<'a>>) -> Vec<Cells<'a>> {
    let empty = Cells::empty(cells.name);
    vec![std::mem::replace(&mut **cells, empty)]
}

struct Writer<'a> {
    options: &'a JsonOptions,
    separator: u8,
}

impl Writer<'_> {
    fn object(&self, columns: &[Column], row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.push(b'{');
        let mut first = true;
        for column in columns {
            let null = column.cells.is_null(row);
            if null && self.options.ignore_null_fields {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(&column.key);
            if null {
                out.extend_from_slice(b"null");
            } else {
                self.not_null(column, row, out)?;
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn value(&self, column: &Column, row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if column.cells.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        self.not_null(column, row, out)
    }

    #[inline]
    fn not_null(&self, column: &Column, row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let quoted = match &column.cells.values {
            Values::Text(values) => {
                write_string(values.value(row), out);
                return Ok(());
            }
            Values::TextView(values) => {
                write_string(values.value(row), out);
                return Ok(());
            }
            Values::Row(_) => return self.object(&column.inner, row, out),
            Values::List(..) => return self.array(column, row, out),
            Values::Map(..) => return self.map(column, row, out),
            Values::Float32(values) => !values[row].is_finite(),
            Values::Float64(values) => !values[row].is_finite(),
            Values::Bytes(_) | Values::BytesView(_) | Values::Date(_) => true,
            Values::Time32(..) | Values::Time64(..) | Values::Timestamp(..) => true,
            _ => false,
        };
        if quoted {
            out.push(b'"');
        }
        column.cells.write(row, self.separator, out);
        if quoted {
            out.push(b'"');
        }
        Ok(())
    }

    fn array(&self, column: &Column, row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let [item] = &column.inner[..] else {
            return Ok(());
        };
        out.push(b'[');
        for (place, element) in column.cells.elements(row).enumerate() {
            if place > 0 {
                out.push(b',');
            }
            self.value(item, element, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn map(&self, column: &Column, row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let [keys, values] = &column.inner[..] else {
            return Ok(());
        };
        out.push(b'{');
        let mut first = true;
        for element in column.cells.elements(row) {
            let start = out.len();
            if !first {
                out.push(b',');
            }
            match (keys.cells.is_null(element), &self.options.null_keys) {
                (false, _) => self.map_key(keys, element, out),
                (true, NullKeys::Literal(literal)) => write_string(literal, out),
                (true, NullKeys::Drop) => {
                    out.truncate(start);
                    continue;
                }
                (true, NullKeys::Fail) => {
                    let message = "a MAP has a NULL key; see option `json.map-null-key.mode`";
                    return Err(FormatError::user(message).with_field(column.cells.name));
                }
            }
            first = false;
            out.push(b':');
            self.value(values, element, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// A key is its text, whatever its type.
    fn map_key(&self, keys: &Column, element: usize, out: &mut Vec<u8>) {
        match keys.cells.text(element) {
            Some(text) => write_string(text, out),
            None => {
                out.push(b'"');
                keys.cells.write(element, self.separator, out);
                out.push(b'"');
            }
        }
    }
}

/// Appends `text` as a JSON string.
fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut at = 0;
    loop {
        let run = scan::json_string(bytes, at);
        out.extend_from_slice(bytes.get(at..run.end).unwrap_or_default());
        let Some(&byte) = bytes.get(run.end) else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        at = run.end + 1;
    }
    out.push(b'"');
}

//! Raw: one column, a value a line, without any format around it.
//!
//! | Option (`raw.` before it) | Default      | Meaning                                          |
//! |---------------------------|--------------|--------------------------------------------------|
//! | `charset`                 | `UTF-8`      | of STRING: also `US-ASCII`, `ISO-8859-1`, `UTF-16`, `UTF-16BE`, `UTF-16LE` |
//! | `endianness`              | `big-endian` | or `little-endian`, of numbers                   |
//!
//! STRING and BYTES take a line as it is, also an empty one. BOOLEAN and numbers are their bytes,
//! as many as the type has.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::cells::{self, Cells, Values};
use crate::columns::Columns;
use crate::convert::{self, Bad};
use crate::error::{Fault, FormatError};
use crate::options::{FormatOptions, OptionReader};
use crate::place::{Place, line};
use crate::types::{Kind, a_sql_name};
use crate::{Decoder, Encoder, Origin, project};

/// How characters are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
    /// Big-endian when the flag is set.
    Utf16(bool),
}

#[derive(Clone, Copy, Debug)]
struct RawOptions {
    charset: Charset,
    big_endian: bool,
}

impl RawOptions {
    fn read(options: &FormatOptions, schema: &SchemaRef) -> Result<RawOptions, FormatError> {
        let reader = OptionReader::new("raw", options, &["charset", "endianness"])?;
        let name = reader.text("charset").unwrap_or("UTF-8");
        let charset = match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Charset::Utf8,
            "US-ASCII" | "ASCII" => Charset::Ascii,
            "ISO-8859-1" | "LATIN1" => Charset::Latin1,
            "UTF-16" | "UTF-16BE" => Charset::Utf16(true),
            "UTF-16LE" => Charset::Utf16(false),
            _ => return Err(reader.wrong("charset", name, "a known character set")),
        };
        let big_endian = match reader.text("endianness").unwrap_or("big-endian") {
            "big-endian" => true,
            "little-endian" => false,
            other => {
                return Err(reader.wrong("endianness", other, "`big-endian` or `little-endian`"));
            }
        };
        let [field] = schema.fields().as_ref() else {
            let columns = schema.fields().len();
            let message = format!("the raw format has exactly one column, and not {columns}");
            return Err(FormatError::user(message));
        };
        match Kind::of(field)? {
            Kind::Text | Kind::Bytes | Kind::Boolean | Kind::Integer(_) => {}
            Kind::Float32 | Kind::Float64 => {}
            _ => {
                let message = format!(
                    "the raw format cannot hold {}",
                    a_sql_name(field.data_type())
                );
                return Err(FormatError::unsupported(message).with_field(field.name()));
            }
        }
        Ok(RawOptions {
            charset,
            big_endian,
        })
    }
}

pub(crate) fn decoder(
    options: &FormatOptions,
    schema: SchemaRef,
    projection: Option<&[usize]>,
    batch_rows: usize,
) -> Result<Box<dyn Decoder>, FormatError> {
    let options = RawOptions::read(options, &schema)?;
    Ok(Box::new(RawDecoder {
        options,
        columns: Columns::new(project(&schema, projection)?, batch_rows)?,
        place: Place::new(),
        scratch: Vec::new(),
        rows: 0,
        batch_rows,
    }))
}

pub(crate) fn encoder(
    options: &FormatOptions,
    schema: SchemaRef,
) -> Result<Box<dyn Encoder>, FormatError> {
    let options = RawOptions::read(options, &schema)?;
    Ok(Box::new(RawEncoder { options, schema }))
}

struct RawDecoder {
    options: RawOptions,
    columns: Columns,
    place: Place,
    scratch: Vec<u8>,
    rows: usize,
    batch_rows: usize,
}

impl RawDecoder {
    fn value(&mut self, id: usize, text: &[u8]) -> Result<(), Fault> {
        let row = self.rows;
        let column = self.columns.at(id);
        let put = match column.kind {
            Kind::Text if self.options.charset == Charset::Utf8 => {
                convert::put_text(column, row, text, false)
            }
            Kind::Text => match decode_text(text, self.options.charset, &mut self.scratch) {
                Some(()) => convert::put_text(column, row, &self.scratch, false),
                None => Err(Bad::Value),
            },
            Kind::Bytes => match column.put_bytes(row, text) {
                true => Ok(()),
                false => Err(Bad::Full),
            },
            kind => match decode_number(text, kind, self.options.big_endian) {
                Some(Number::Boolean(value)) => {
                    column.put_bool(row, value);
                    Ok(())
                }
                Some(Number::Integer(value)) => {
                    column.put_integer(row, value);
                    Ok(())
                }
                Some(Number::Float(value)) => {
                    column.put_f64(row, value);
                    Ok(())
                }
                None => Err(Bad::Value),
            },
        };
        put.map_err(|bad| match bad {
            Bad::Utf8(valid) => Fault::value(valid, id, "a string that is not UTF-8"),
            Bad::Value => Fault::value(0, id, self.columns.not_a(id, text)),
            Bad::Full => Fault::record(0, "too much text in a batch"),
        })
    }
}

impl Decoder for RawDecoder {
    fn decode(&mut self, bytes: &[u8], end: bool) -> Result<usize, FormatError> {
        let mut at = 0;
        while self.rows < self.batch_rows && at < bytes.len() {
            let Some((stop, next)) = line(bytes, at, end) else {
                break;
            };
            let text = bytes.get(at..stop).unwrap_or_default();
            if let Some(id) = self.columns.roots.first().copied() {
                self.value(id, text)
                    .map_err(|fault| self.place.error(fault, text, &self.columns))?;
            }
            self.rows += 1;
            self.place.line += 1;
            at = next;
        }
        Ok(at)
    }

    fn begin(&mut self, origin: Origin) {
        self.place.begin(origin);
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn line(&self) -> u64 {
        self.place.line
    }

    fn flush(&mut self) -> Result<RecordBatch, FormatError> {
        let rows = std::mem::take(&mut self.rows);
        self.columns.take(rows)
    }

    fn skipped(&self) -> u64 {
        0
    }
}

/// Puts the UTF-8 of `text` into `out`; `None` if it is not of `charset`.
fn decode_text(text: &[u8], charset: Charset, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let mut push = |letter: char| out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    match charset {
        Charset::Utf8 => out.extend_from_slice(text),
        Charset::Ascii if text.is_ascii() => out.extend_from_slice(text),
        Charset::Ascii => return None,
        Charset::Latin1 => text.iter().for_each(|byte| push(char::from(*byte))),
        Charset::Utf16(big_endian) => {
            let (units, odd) = text.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let unit = |pair: &[u8; 2]| {
                if big_endian {
                    u16::from_be_bytes(*pair)
                } else {
                    u16::from_le_bytes(*pair)
                }
            };
            for letter in char::decode_utf16(units.iter().map(unit)) {
                push(letter.ok()?);
            }
        }
    }
    Some(())
}

enum Number {
    Boolean(bool),
    Integer(i64),
    Float(f64),
}

/// The number whose bytes are all of `text`.
fn decode_number(text: &[u8], kind: Kind, big_endian: bool) -> Option<Number> {
    let mut bytes: [u8; 8] = [0; 8];
    let width = match kind {
        Kind::Boolean | Kind::Integer(8) => 1,
        Kind::Integer(16) => 2,
        Kind::Integer(32) | Kind::Float32 => 4,
        _ => 8,
    };
    if text.len() != width {
        return None;
    }
    for (place, byte) in text.iter().enumerate() {
        let place = if big_endian { width - 1 - place } else { place };
        *bytes.get_mut(place)? = *byte;
    }
    let word = u64::from_le_bytes(bytes);
    // The upper bytes are zero; casting to the width restores the sign.
    Some(match kind {
        Kind::Boolean => Number::Boolean(word != 0),
        Kind::Integer(8) => Number::Integer(i64::from(word as i8)),
        Kind::Integer(16) => Number::Integer(i64::from(word as i16)),
        Kind::Integer(32) => Number::Integer(i64::from(word as i32)),
        Kind::Float32 => Number::Float(f64::from(f32::from_bits(word as u32))),
        Kind::Float64 => Number::Float(f64::from_bits(word)),
        _ => Number::Integer(word as i64),
    })
}

struct RawEncoder {
    options: RawOptions,
    schema: SchemaRef,
}

impl Encoder for RawEncoder {
    fn header(&mut self, _: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let arrays = cells::plain_columns(batch, &self.schema)?;
        let ([array], [field]) = (&arrays[..], self.schema.fields().as_ref()) else {
            return Ok(());
        };
        let cells = Cells::of(field.name(), array)?;
        for row in 0..batch.num_rows() {
            if !cells.is_null(row) {
                self.value(&cells, row, out)?;
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

impl RawEncoder {
    fn value(&self, cells: &Cells, row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let start = out.len();
        match &cells.values {
            Values::Boolean(values) => out.push(u8::from(values.value(row))),
            Values::Int8(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::Int16(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::Int32(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::Int64(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::Float32(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::Float64(values) => out.extend_from_slice(&values[row].to_be_bytes()),
            Values::Bytes(values) => out.extend_from_slice(values.value(row)),
            Values::BytesView(values) => out.extend_from_slice(values.value(row)),
            _ => return self.text(cells.text(row).unwrap_or_default(), cells.name, out),
        }
        let number = !matches!(cells.values, Values::Bytes(_) | Values::BytesView(_));
        if !self.options.big_endian
            && number
            && let Some(bytes) = out.get_mut(start..)
        {
            bytes.reverse();
        }
        Ok(())
    }

    fn text(&self, text: &str, name: &str, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let foreign = |letter: char| {
            let message = format!("`{letter}` is not in the character set of `raw.charset`");
            Err(FormatError::user(message).with_field(name))
        };
        match self.options.charset {
            Charset::Utf8 => out.extend_from_slice(text.as_bytes()),
            Charset::Utf16(big_endian) => {
                for unit in text.encode_utf16() {
                    let bytes = if big_endian {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    };
                    out.extend_from_slice(&bytes);
                }
            }
            Charset::Ascii | Charset::Latin1 => {
                let limit = if self.options.charset == Charset::Ascii {
                    0x7f
                } else {
                    0xff
                };
                for letter in text.chars() {
                    match u8::try_from(letter) {
                        Ok(byte) if byte <= limit => out.push(byte),
                        _ => return foreign(letter),
                    }
                }
            }
        }
        Ok(())
    }
}

//! Batches as CSV.
//!
//! A field is quoted when it must be and never otherwise: when it holds a delimiter, a quote, a
//! line break or the escape character, when blanks around it would be trimmed, and when it would
//! make the line look blank or like a comment.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::CsvOptions;
use crate::Encoder;
use crate::cells::{self, Cells, Values};
use crate::error::FormatError;
use crate::scan;
use crate::types::Kind;

pub(super) struct CsvEncoder {
    options: CsvOptions,
    schema: SchemaRef,
    /// The text of a value, before it is quoted.
    text: Vec<u8>,
    special: Special,
}

/// Characters that cannot stand in a field without quotes.
#[derive(Clone, Copy)]
struct Special {
    bytes: [u8; 5],
    /// None of them occurs in numbers, times and booleans.
    never_in_values: bool,
}

impl Special {
    fn of(options: &CsvOptions) -> Special {
        let delimiter = options.delimiter;
        let (quote, escape) = (
            options.quote.unwrap_or(delimiter),
            options.escape.unwrap_or(delimiter),
        );
        let in_values = |byte: u8| byte.is_ascii_alphanumeric() || b" :.+-".contains(&byte);
        Special {
            bytes: [delimiter, quote, escape, b'\n', b'\r'],
            never_in_values: ![delimiter, quote, escape].into_iter().any(in_values),
        }
    }
}

impl CsvEncoder {
    pub fn new(options: CsvOptions, schema: SchemaRef) -> Result<CsvEncoder, FormatError> {
        for field in schema.fields() {
            Kind::of(field)?;
        }
        Ok(CsvEncoder {
            special: Special::of(&options),
            options,
            schema,
            text: Vec::new(),
        })
    }
}

impl Encoder for CsvEncoder {
    fn header(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if !self.options.header {
            return Ok(());
        }
        let writer = Writer {
            options: &self.options,
            special: self.special,
        };
        for (place, field) in self.schema.fields().iter().enumerate() {
            if place > 0 {
                out.push(self.options.delimiter);
            }
            writer.quoted_if_needed(field.name().as_bytes(), place == 0, out);
        }
        out.push(b'\n');
        Ok(())
    }

    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let arrays = cells::plain_columns(batch, &self.schema)?;
        let fields = self.schema.fields().iter().zip(&arrays);
        let columns = fields
            .map(|(field, array)| Cells::of(field.name(), array))
            .collect::<Result<Vec<_>, FormatError>>()?;
        let writer = Writer {
            options: &self.options,
            special: self.special,
        };
        for row in 0..batch.num_rows() {
            let start = out.len();
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    out.push(self.options.delimiter);
                }
                writer.field(column, row, place == 0, &mut self.text, out);
            }
            // An empty field alone would be a blank line, which is no record to many readers.
            if out.len() == start
                && let Some(quote) = self.options.quote
                && columns.first().is_some_and(|column| !column.is_null(row))
            {
                out.extend_from_slice(&[quote, quote]);
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

struct Writer<'a> {
    options: &'a CsvOptions,
    special: Special,
}

impl Writer<'_> {
    fn field(&self, cells: &Cells, row: usize, first: bool, text: &mut Vec<u8>, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            return self.null(out);
        }
        match &cells.values {
            Values::Text(values) => self.quoted_if_needed(values.value(row).as_bytes(), first, out),
            Values::TextView(values) => {
                self.quoted_if_needed(values.value(row).as_bytes(), first, out);
            }
            Values::Bytes(_) | Values::BytesView(_) | Values::Row(_) | Values::List(..) => {
                text.clear();
                self.unquoted(cells, row, text);
                self.quoted_if_needed(text, first, out);
            }
            _ if self.special.never_in_values => cells.write(row, b' ', out),
            _ => {
                text.clear();
                self.unquoted(cells, row, text);
                self.quoted_if_needed(text, first, out);
            }
        }
    }

    fn null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.options.null_literal.as_deref().unwrap_or_default());
    }

    /// Appends the text of a value, with the delimiter of elements in an ARRAY or ROW.
    fn unquoted(&self, cells: &Cells, row: usize, out: &mut Vec<u8>) {
        let elements: Vec<(&Cells, usize)> = match &cells.values {
            Values::Row(fields) => fields.iter().map(|field| (field, row)).collect(),
            Values::List(_, item) => cells
                .elements(row)
                .map(|element| (&**item, element))
                .collect(),
            _ => return cells.write(row, b' ', out),
        };
        for (place, (cells, element)) in elements.into_iter().enumerate() {
            if place > 0 {
                out.extend_from_slice(&self.options.element_delimiter);
            }
            if cells.is_null(element) {
                self.null(out);
            } else {
                cells.write(element, b' ', out);
            }
        }
    }

    fn quoted_if_needed(&self, text: &[u8], first: bool, out: &mut Vec<u8>) {
        let options = self.options;
        let blank = |byte: Option<&u8>| options.trim_spaces && matches!(byte, Some(b' ' | b'\t'));
        let comment = first && options.comments && text.first() == Some(&b'#');
        let special = scan::has_any(text, self.special.bytes);
        let needed = special || blank(text.first()) || blank(text.last());
        match options.quote {
            _ if !needed && !comment => out.extend_from_slice(text),
            Some(quote) => {
                out.push(quote);
                self.escaped(text, |byte| byte == quote, quote, out);
                out.push(quote);
            }
            None => self.escaped(text, |byte| self.special.bytes.contains(&byte), 0, out),
        }
    }

    /// Appends `text` with the escape character, or else `double`, before what is `special`.
    fn escaped(&self, text: &[u8], special: impl Fn(u8) -> bool, double: u8, out: &mut Vec<u8>) {
        let prefix = self.options.escape.or(self.options.quote.map(|_| double));
        for &byte in text {
            if let Some(prefix) = prefix
                && (special(byte) || Some(byte) == self.options.escape)
            {
                out.push(prefix);
            }
            // Escaped, a letter stands for a line break; a line break itself would end the record.
            match byte {
                b'\n' if prefix.is_some() && self.options.quote.is_none() => out.push(b'n'),
                b'\r' if prefix.is_some() && self.options.quote.is_none() => out.push(b'r'),
                _ => out.push(byte),
            }
        }
    }
}

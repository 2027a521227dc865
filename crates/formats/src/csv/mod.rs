//! CSV: a record a line, fields in the order of the columns or by a header.
//!
//! | Option (`csv.` before it)   | Default | Meaning                                                |
//! |-----------------------------|---------|--------------------------------------------------------|
//! | `field-delimiter`           | `,`     | one ASCII character; `\t` and the like are understood  |
//! | `disable-quote-character`   | `false` | quotes mean nothing; excludes `quote-character`        |
//! | `quote-character`           | `"`     | around fields with delimiters, quotes or line breaks   |
//! | `allow-comments`            | `false` | lines that begin with `#` are passed over              |
//! | `ignore-parse-errors`       | `false` | a wrong field is NULL, a wrong record is dropped       |
//! | `array-element-delimiter`   | `;`     | between the elements of an ARRAY or the fields of a ROW |
//! | `escape-character`          | none    | takes the meaning of the character after it            |
//! | `null-literal`              | none    | the text of NULL                                       |
//! | `header`                    | `false` | the first line names the columns; not in Flink         |
//! | `ignore-first-line`         | `false` | the first line is passed over                          |
//! | `trim-spaces`               | `false` | blanks around fields without quotes are not of them    |
//! | `ignore-trailing-unmappable` | `false` | fields beyond the last column are passed over         |
//! | `allow-trailing-comma`      | `true`  | one empty field beyond the last column is none         |
//! | `fail-on-missing-columns`   | `false` | a record that ends early is an error, even if such are ignored |
//! | `empty-string-as-null`      | `false` | an empty STRING is NULL                                |
//! | `write-bigdecimal-in-scientific-notation` | `false` | accepted; decimals are always plain      |
//!
//! An empty field of a type other than STRING is NULL, and so is a field that is the null literal,
//! in quotes or not. Numbers and times may have blanks around them. Blank lines are passed over,
//! unless there is one column only. MAP has no CSV form.

mod decoder;
mod encoder;
mod field;
mod header;
mod slot;

use arrow_schema::{DataType, SchemaRef};

use crate::error::FormatError;
use crate::options::{FormatOptions, OptionReader};
use crate::{Decoder, Encoder, project};

/// The options of this format.
#[derive(Clone, Debug)]
struct CsvOptions {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    comments: bool,
    ignore_parse_errors: bool,
    element_delimiter: Vec<u8>,
    null_literal: Option<Vec<u8>>,
    header: bool,
    ignore_first_line: bool,
    trim_spaces: bool,
    ignore_trailing: bool,
    allow_trailing_comma: bool,
    fail_on_missing: bool,
    empty_string_as_null: bool,
}

impl CsvOptions {
    const KNOWN: [&str; 16] = [
        "field-delimiter",
        "disable-quote-character",
        "quote-character",
        "allow-comments",
        "ignore-parse-errors",
        "array-element-delimiter",
        "escape-character",
        "null-literal",
        "header",
        "ignore-first-line",
        "trim-spaces",
        "ignore-trailing-unmappable",
        "allow-trailing-comma",
        "fail-on-missing-columns",
        "empty-string-as-null",
        "write-bigdecimal-in-scientific-notation",
    ];

    fn read(options: &FormatOptions) -> Result<CsvOptions, FormatError> {
        let reader = OptionReader::new("csv", options, &Self::KNOWN)?;
        let quotes = !reader.flag("disable-quote-character", false)?;
        if !quotes && reader.text("quote-character").is_some() {
            return Err(FormatError::user(
                "options `csv.quote-character` and `csv.disable-quote-character` exclude each other",
            ));
        }
        reader.flag("write-bigdecimal-in-scientific-notation", false)?;
        let quote = character(&reader, "quote-character")?.unwrap_or(b'"');
        let element_delimiter = reader.text("array-element-delimiter").unwrap_or(";");
        let read = CsvOptions {
            delimiter: character(&reader, "field-delimiter")?.unwrap_or(b','),
            quote: quotes.then_some(quote),
            escape: character(&reader, "escape-character")?,
            comments: reader.flag("allow-comments", false)?,
            ignore_parse_errors: reader.flag("ignore-parse-errors", false)?,
            element_delimiter: element_delimiter.as_bytes().to_vec(),
            null_literal: reader
                .text("null-literal")
                .map(|text| text.as_bytes().to_vec()),
            header: reader.flag("header", false)?,
            ignore_first_line: reader.flag("ignore-first-line", false)?,
            trim_spaces: reader.flag("trim-spaces", false)?,
            ignore_trailing: reader.flag("ignore-trailing-unmappable", false)?,
            allow_trailing_comma: reader.flag("allow-trailing-comma", true)?,
            fail_on_missing: reader.flag("fail-on-missing-columns", false)?,
            empty_string_as_null: reader.flag("empty-string-as-null", false)?,
        };
        if read.element_delimiter.is_empty() {
            return Err(reader.wrong("array-element-delimiter", "", "at least one character"));
        }
        if [read.quote, read.escape].contains(&Some(read.delimiter)) {
            let message = "option `csv.field-delimiter` is also the quote or escape character";
            return Err(FormatError::user(message));
        }
        Ok(read)
    }
}

/// An option that is one ASCII character, perhaps written as Java writes it in a literal.
fn character(reader: &OptionReader<'_>, name: &str) -> Result<Option<u8>, FormatError> {
    let Some(text) = reader.text(name) else {
        return Ok(None);
    };
    let code = match text {
        "\\t" => Some('\t'),
        "\\n" => Some('\n'),
        "\\r" => Some('\r'),
        "\\b" => Some('\u{8}'),
        "\\f" => Some('\u{c}'),
        "\\\\" => Some('\\'),
        "\\\"" => Some('"'),
        "\\'" => Some('\''),
        _ => match text.strip_prefix("\\u").filter(|hex| hex.len() == 4) {
            Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
            None => {
                let mut letters = text.chars();
                letters.next().filter(|_| letters.next().is_none())
            }
        },
    };
    match code.and_then(|letter| u8::try_from(letter).ok()) {
        Some(byte) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(Some(byte)),
        _ => Err(reader.wrong(name, text, "one ASCII character")),
    }
}

/// Refuses types that CSV cannot write: MAP, and what is nested twice.
fn check_types(schema: &SchemaRef) -> Result<(), FormatError> {
    for field in schema.fields() {
        let scalar = |data_type: &DataType| !data_type.is_nested();
        let possible = match field.data_type() {
            DataType::Struct(fields) => fields.iter().all(|inner| scalar(inner.data_type())),
            DataType::List(item) => scalar(item.data_type()),
            other => scalar(other),
        };
        if !possible {
            let name = crate::types::a_sql_name(field.data_type());
            let message = format!("CSV cannot hold {name} of this type");
            return Err(FormatError::unsupported(message).with_field(field.name()));
        }
    }
    Ok(())
}

pub(crate) fn decoder(
    options: &FormatOptions,
    schema: SchemaRef,
    projection: Option<&[usize]>,
    batch_rows: usize,
) -> Result<Box<dyn Decoder>, FormatError> {
    let options = CsvOptions::read(options)?;
    check_types(&schema)?;
    let projected = project(&schema, projection)?;
    Ok(Box::new(decoder::CsvDecoder::new(
        options, schema, projected, projection, batch_rows,
    )?))
}

pub(crate) fn encoder(
    options: &FormatOptions,
    schema: SchemaRef,
) -> Result<Box<dyn Encoder>, FormatError> {
    let options = CsvOptions::read(options)?;
    check_types(&schema)?;
    Ok(Box::new(encoder::CsvEncoder::new(options, schema)?))
}

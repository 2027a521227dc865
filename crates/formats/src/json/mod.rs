//! JSON: an object a line, its keys the columns.
//!
//! | Option (`json.` before it)     | Default | Meaning                                            |
//! |--------------------------------|---------|----------------------------------------------------|
//! | `fail-on-missing-field`        | `false` | a column without its key is an error, not NULL     |
//! | `ignore-parse-errors`          | `false` | a wrong value is NULL, a wrong line is dropped     |
//! | `timestamp-format.standard`    | `SQL`   | or `ISO-8601`, or `ISO-8601-WITH-OFFSET`           |
//! | `map-null-key.mode`            | `FAIL`  | or `DROP`, or `LITERAL`, when writing              |
//! | `map-null-key.literal`         | `null`  | the key written under `LITERAL`                    |
//! | `encode.decimal-as-plain-number` | `false` | accepted; decimals are always plain              |
//! | `encode.ignore-null-fields`    | `false` | columns that are NULL are not written              |
//! | `decode.json-parser.enabled`   | `true`  | accepted; there is one parser                      |
//!
//! A line is decoded by a learned layout if one fits, and by the general parser otherwise. Both write into the same columns and must agree on every line.

mod decoder;
mod encoder;
mod layout;
mod parser;
mod replay;
mod shape;
mod skip;

use arrow_schema::SchemaRef;

use crate::error::FormatError;
use crate::options::{FormatOptions, OptionReader};
use crate::time::Standard;
use crate::{Decoder, Encoder, project};

/// The options of this format.
#[derive(Clone, Debug)]
struct JsonOptions {
    strictness: parser::Strictness,
    standard: Standard,
    null_keys: NullKeys,
    ignore_null_fields: bool,
}

/// What to write for a NULL key of a MAP.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NullKeys {
    Fail,
    Drop,
    Literal(String),
}

impl JsonOptions {
    const KNOWN: [&str; 8] = [
        "fail-on-missing-field",
        "ignore-parse-errors",
        "timestamp-format.standard",
        "map-null-key.mode",
        "map-null-key.literal",
        "encode.decimal-as-plain-number",
        "encode.ignore-null-fields",
        "decode.json-parser.enabled",
    ];

    fn read(options: &FormatOptions) -> Result<JsonOptions, FormatError> {
        let reader = OptionReader::new("json", options, &Self::KNOWN)?;
        let strictness = parser::Strictness {
            fail_on_missing_field: reader.flag("fail-on-missing-field", false)?,
            ignore_parse_errors: reader.flag("ignore-parse-errors", false)?,
        };
        if strictness.fail_on_missing_field && strictness.ignore_parse_errors {
            return Err(FormatError::user(
                "options `json.fail-on-missing-field` and `json.ignore-parse-errors` exclude each other",
            ));
        }
        let standard = match reader.text("timestamp-format.standard").unwrap_or("SQL") {
            "SQL" => Standard::Sql,
            "ISO-8601" => Standard::Iso,
            "ISO-8601-WITH-OFFSET" => Standard::IsoOffset,
            other => {
                let expected = "`SQL`, `ISO-8601` or `ISO-8601-WITH-OFFSET`";
                return Err(reader.wrong("timestamp-format.standard", other, expected));
            }
        };
        let literal = reader.text("map-null-key.literal").unwrap_or("null");
        let mode = reader.text("map-null-key.mode").unwrap_or("FAIL");
        let null_keys = match mode.to_ascii_uppercase().as_str() {
            "FAIL" => NullKeys::Fail,
            "DROP" => NullKeys::Drop,
            "LITERAL" => NullKeys::Literal(literal.to_owned()),
            _ => {
                return Err(reader.wrong("map-null-key.mode", mode, "`FAIL`, `DROP` or `LITERAL`"));
            }
        };
        reader.flag("encode.decimal-as-plain-number", false)?;
        reader.flag("decode.json-parser.enabled", true)?;
        let ignore_null_fields = reader.flag("encode.ignore-null-fields", false)?;
        Ok(JsonOptions {
            strictness,
            standard,
            null_keys,
            ignore_null_fields,
        })
    }
}

pub(crate) fn decoder(
    options: &FormatOptions,
    schema: SchemaRef,
    projection: Option<&[usize]>,
    batch_rows: usize,
) -> Result<Box<dyn Decoder>, FormatError> {
    let options = JsonOptions::read(options)?;
    let schema = project(&schema, projection)?;
    Ok(Box::new(decoder::JsonDecoder::new(
        options, schema, batch_rows,
    )?))
}

pub(crate) fn encoder(
    options: &FormatOptions,
    schema: SchemaRef,
) -> Result<Box<dyn Encoder>, FormatError> {
    let options = JsonOptions::read(options)?;
    Ok(Box::new(encoder::JsonEncoder::new(options, schema)?))
}

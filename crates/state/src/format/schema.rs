//! The shape of a state's values, in bytes.

use thalweg_core::data::{Data, Field, Schema, Variant, take_len};
use thalweg_core::error::{Error, Result};

// A schema that nests deeper is no schema: reading it must not use up the stack.
const DEPTH_MAX: u32 = 64;

pub(super) fn write(schema: &Schema, out: &mut Vec<u8>) {
    match schema {
        Schema::Unit => out.push(0),
        Schema::Bool => out.push(1),
        Schema::Int(bytes) => out.extend_from_slice(&[2, *bytes]),
        Schema::UInt(bytes) => out.extend_from_slice(&[3, *bytes]),
        Schema::Float(bytes) => out.extend_from_slice(&[4, *bytes]),
        Schema::Text => out.push(5),
        Schema::Bytes => out.push(6),
        Schema::Option(value) => {
            out.push(7);
            write(value, out);
        }
        Schema::List(element) => {
            out.push(8);
            write(element, out);
        }
        Schema::Map(key, value) => {
            out.push(9);
            write(key, out);
            write(value, out);
        }
        Schema::Struct(name, fields) => {
            out.push(10);
            name.text.encode(out);
            write_fields(fields, out);
        }
        Schema::Enum(name, variants) => {
            out.push(11);
            name.text.encode(out);
            (variants.len() as u32).encode(out);
            for variant in variants {
                variant.name.text.encode(out);
                write_fields(&variant.fields, out);
            }
        }
        Schema::Recursive(name) => {
            out.push(12);
            name.encode(out);
        }
    }
}

fn write_fields(fields: &[Field], out: &mut Vec<u8>) {
    (fields.len() as u32).encode(out);
    for field in fields {
        field.name.text.encode(out);
        write(&field.schema, out);
    }
}

pub(super) fn read(input: &mut &[u8]) -> Result<Schema> {
    read_nested(input, 0)
}

fn read_nested(input: &mut &[u8], depth: u32) -> Result<Schema> {
    if depth > DEPTH_MAX {
        return Err(Error::corrupt("a stored schema nests too deep"));
    }
    let inner = |input: &mut &[u8]| read_nested(input, depth + 1).map(Box::new);
    Ok(match u8::decode(input)? {
        0 => Schema::Unit,
        1 => Schema::Bool,
        2 => Schema::Int(u8::decode(input)?),
        3 => Schema::UInt(u8::decode(input)?),
        4 => Schema::Float(u8::decode(input)?),
        5 => Schema::Text,
        6 => Schema::Bytes,
        7 => Schema::Option(inner(input)?),
        8 => Schema::List(inner(input)?),
        9 => Schema::Map(inner(input)?, inner(input)?),
        10 => Schema::Struct(String::decode(input)?.into(), read_fields(input, depth)?),
        11 => {
            let name = String::decode(input)?;
            let mut variants = Vec::new();
            for _ in 0..take_len(input, 8)? {
                variants.push(Variant {
                    name: String::decode(input)?.into(),
                    fields: read_fields(input, depth)?,
                });
            }
            Schema::Enum(name.into(), variants)
        }
        12 => Schema::Recursive(String::decode(input)?),
        other => return Err(Error::corrupt(format!("`{other}` is no kind of schema"))),
    })
}

fn read_fields(input: &mut &[u8], depth: u32) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    for _ in 0..take_len(input, 5)? {
        let name = String::decode(input)?;
        fields.push(Field::new(name, read_nested(input, depth + 1)?));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_schema_comes_back() {
        let field = |name: &str, schema| Field::new(name, schema);
        let all = vec![
            field("a", Schema::Unit),
            field("b", Schema::Bool),
            field("c", Schema::Int(8)),
            field("d", Schema::UInt(4)),
            field("e", Schema::Float(8)),
            field("f", Schema::Option(Box::new(Schema::Text))),
            field("g", Schema::List(Box::new(Schema::Bytes))),
            field(
                "h",
                Schema::Map(
                    Box::new(Schema::Text),
                    Box::new(Schema::Recursive("T".into())),
                ),
            ),
        ];
        let variant = |name: &str, fields: &[Field]| Variant {
            name: name.into(),
            fields: fields.to_vec(),
        };
        let variants = vec![variant("None", &[]), variant("All", &all)];
        let schema = Schema::Struct(
            "T".into(),
            vec![field("x", Schema::Enum("E".into(), variants))],
        );
        let mut bytes = Vec::new();
        write(&schema, &mut bytes);
        let mut input = bytes.as_slice();
        assert_eq!(read(&mut input).unwrap(), schema);
        assert!(input.is_empty());
        for end in 0..bytes.len() {
            assert!(read(&mut &bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_schema_that_nests_without_end_is_refused() {
        let error = read(&mut [7u8; 10_000].as_slice()).unwrap_err();
        assert!(error.to_string().contains("nests too deep"));
    }
}

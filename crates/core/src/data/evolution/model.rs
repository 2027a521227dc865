//! Random changes of random types, against a model that changes the values themselves.
//!
//! A change is made to a schema and, as a function, to its values. What the plan makes of a
//! value's bytes must be the bytes of the changed value.

use proptest::prelude::*;

use super::Rewrite;
use crate::data::{Data, Field, Name, Schema, Variant};

/// A value without a type.
#[derive(Clone, Debug)]
enum Value {
    /// Of fixed width.
    Plain(Vec<u8>),
    Text(Vec<u8>),
    Option(Option<Box<Value>>),
    List(Vec<Value>),
    Struct(Vec<Value>),
    Enum(u32, Vec<Value>),
}

impl Value {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Plain(bytes) => out.extend(bytes),
            Value::Text(bytes) => {
                (bytes.len() as u32).encode(out);
                out.extend(bytes);
            }
            Value::Option(value) => {
                value.is_some().encode(out);
                value.iter().for_each(|value| value.encode(out));
            }
            Value::List(values) => {
                (values.len() as u32).encode(out);
                values.iter().for_each(|value| value.encode(out));
            }
            Value::Struct(values) => values.iter().for_each(|value| value.encode(out)),
            Value::Enum(number, values) => {
                number.encode(out);
                values.iter().for_each(|value| value.encode(out));
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

/// Decisions, taken from bytes that proptest shrinks: an empty rest decides for 0.
struct Choices(std::vec::IntoIter<u8>);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().unwrap_or(0)) % end
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let other = i - self.below(i + 1);
            items.swap(i, other);
        }
    }
}

const WIDTHS: [u8; 5] = [1, 2, 4, 8, 16];

fn schema(choices: &mut Choices, depth: usize) -> Schema {
    match choices.below(if depth == 0 { 6 } else { 11 }) {
        0 => Schema::UInt(WIDTHS[choices.below(5)]),
        1 => Schema::Int(WIDTHS[choices.below(5)]),
        2 => Schema::Float(4),
        3 => Schema::Text,
        4 => Schema::Bool,
        5 => Schema::Unit,
        6 => Schema::Option(Box::new(schema(choices, depth - 1))),
        7 => Schema::List(Box::new(match schema(choices, depth - 1) {
            // The length of a damaged list is bounded by the bytes of its elements.
            empty if takes_nothing(&empty) => Schema::Bool,
            element => element,
        })),
        8 => Schema::Map(
            Box::new(Schema::UInt(WIDTHS[choices.below(5)])),
            Box::new(schema(choices, depth - 1)),
        ),
        9 => Schema::Struct("S".into(), fields(choices, depth - 1)),
        _ => {
            let variants = (0..=choices.below(3)).map(|at| Variant {
                name: format!("V{at}").into(),
                fields: fields(choices, depth - 1),
            });
            Schema::Enum("E".into(), variants.collect())
        }
    }
}

fn takes_nothing(schema: &Schema) -> bool {
    match schema {
        Schema::Unit => true,
        Schema::Struct(_, fields) => fields.iter().all(|field| takes_nothing(&field.schema)),
        _ => false,
    }
}

fn fields(choices: &mut Choices, depth: usize) -> Vec<Field> {
    (0..choices.below(4))
        .map(|at| Field::new(format!("f{at}"), schema(choices, depth)))
        .collect()
}

fn value(choices: &mut Choices, schema: &Schema) -> Value {
    match schema {
        Schema::Unit => Value::Plain(Vec::new()),
        Schema::Bool => Value::Plain(vec![choices.below(2) as u8]),
        Schema::Int(width) | Schema::UInt(width) => {
            Value::Plain((0..*width).map(|_| choices.below(256) as u8).collect())
        }
        Schema::Float(_) => Value::Plain((choices.below(256) as f32 / 3.0).to_le_bytes().to_vec()),
        Schema::Text => Value::Text(vec![b'a'; choices.below(4)]),
        Schema::Option(inner) => {
            let some = choices.below(2) == 1;
            Value::Option(some.then(|| Box::new(value(choices, inner))))
        }
        Schema::List(element) => Value::List(
            (0..choices.below(4))
                .map(|_| value(choices, element))
                .collect(),
        ),
        Schema::Map(key, element) => Value::List(
            (0..choices.below(4))
                .map(|_| Value::Struct(vec![value(choices, key), value(choices, element)]))
                .collect(),
        ),
        Schema::Struct(_, fields) => Value::Struct(values(choices, fields)),
        Schema::Enum(_, variants) => {
            let number = choices.below(variants.len());
            Value::Enum(number as u32, values(choices, &variants[number].fields))
        }
        Schema::Bytes | Schema::Recursive(_) => unreachable!("not generated"),
    }
}

fn values(choices: &mut Choices, fields: &[Field]) -> Vec<Value> {
    fields
        .iter()
        .map(|field| value(choices, &field.schema))
        .collect()
}

type Change = Box<dyn Fn(Value) -> Value>;

/// A newer shape, and what becomes of the values.
fn changed(choices: &mut Choices, schema: &Schema) -> (Schema, Change) {
    let (reader, change) = changed_inside(choices, schema);
    if choices.one_in(6) {
        let some = move |value| Value::Option(Some(Box::new(change(value))));
        // A stored option of something reads as the option it is, not as one in another.
        if !matches!(reader, Schema::Option(_)) {
            return (Schema::Option(Box::new(reader)), Box::new(some));
        }
        return changed(choices, schema);
    }
    (reader, change)
}

fn changed_inside(choices: &mut Choices, schema: &Schema) -> (Schema, Change) {
    match schema {
        Schema::Int(width) | Schema::UInt(width) if *width < 16 && choices.one_in(2) => {
            let signed = matches!(schema, Schema::Int(_));
            widened(choices, *width, signed)
        }
        Schema::Float(4) if choices.one_in(2) => {
            let widen: Change = Box::new(|value| match value {
                Value::Plain(bytes) => {
                    let number = f32::from_le_bytes(bytes.try_into().unwrap());
                    Value::Plain(f64::from(number).to_le_bytes().to_vec())
                }
                other => panic!("no float: {other:?}"),
            });
            (Schema::Float(8), widen)
        }
        Schema::Option(inner) => {
            let (inner, change) = changed_inside(choices, inner);
            let change: Change = Box::new(move |value| match value {
                Value::Option(value) => Value::Option(value.map(|value| Box::new(change(*value)))),
                other => panic!("no option: {other:?}"),
            });
            (Schema::Option(Box::new(inner)), change)
        }
        Schema::List(element) => {
            let (element, change) = changed(choices, element);
            let change: Change = Box::new(move |value| each(value, &change));
            (Schema::List(Box::new(element)), change)
        }
        Schema::Map(key, element) => {
            let (key, of_key) = changed(choices, key);
            let (element, of_element) = changed(choices, element);
            let pair = move |value| match value {
                Value::Struct(mut pair) => {
                    let element = pair.pop().unwrap();
                    let key = pair.pop().unwrap();
                    Value::Struct(vec![of_key(key), of_element(element)])
                }
                other => panic!("no pair: {other:?}"),
            };
            let change: Change = Box::new(move |value| each(value, &pair));
            (Schema::Map(Box::new(key), Box::new(element)), change)
        }
        Schema::Struct(name, fields) => {
            let (fields, change) = changed_fields(choices, fields);
            let change: Change = Box::new(move |value| match value {
                Value::Struct(values) => Value::Struct(change(values)),
                other => panic!("no struct: {other:?}"),
            });
            (Schema::Struct(renamed(choices, name), fields), change)
        }
        Schema::Enum(name, variants) => changed_variants(choices, name, variants),
        same => (same.clone(), Box::new(|value| value)),
    }
}

fn each(list: Value, change: &impl Fn(Value) -> Value) -> Value {
    match list {
        Value::List(values) => Value::List(values.into_iter().map(change).collect()),
        other => panic!("no list: {other:?}"),
    }
}

fn widened(choices: &mut Choices, width: u8, signed: bool) -> (Schema, Change) {
    let wider: Vec<u8> = WIDTHS.into_iter().filter(|w| *w > width).collect();
    let to = wider[choices.below(wider.len())];
    let change: Change = Box::new(move |value| match value {
        Value::Plain(mut bytes) => {
            let negative = signed && bytes[bytes.len() - 1] >= 128;
            while bytes.len() < usize::from(to) {
                bytes.push(if negative { 255 } else { 0 });
            }
            Value::Plain(bytes)
        }
        other => panic!("no number: {other:?}"),
    });
    let unsigned = !signed && choices.below(2) == 0;
    let schema = if unsigned {
        Schema::UInt(to)
    } else {
        Schema::Int(to)
    };
    (schema, change)
}

fn renamed(choices: &mut Choices, name: &Name) -> Name {
    match choices.one_in(3) {
        true => Name::from(format!("new-{}", name.text)).alias(&name.text),
        false => name.clone(),
    }
}

type ChangeFields = Box<dyn Fn(Vec<Value>) -> Vec<Value>>;
/// Makes the value of a newer field from those of the older ones.
type Source = Box<dyn Fn(&[Value]) -> Value>;

fn changed_fields(choices: &mut Choices, fields: &[Field]) -> (Vec<Field>, ChangeFields) {
    let mut newer: Vec<(Field, Source)> = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        if choices.one_in(5) {
            continue;
        }
        let (schema, change) = changed(choices, &field.schema);
        let field = Field::new(renamed(choices, &field.name), schema);
        newer.push((field, Box::new(move |values| change(values[at].clone()))));
    }
    if choices.one_in(3) {
        let field = Field::new("a", Schema::UInt(8)).default(|| 42u64.to_le_bytes().to_vec());
        let value = Value::Plain(42u64.to_le_bytes().to_vec());
        newer.push((field, Box::new(move |_| value.clone())));
    }
    if choices.one_in(3) {
        let field = Field::new("b", Schema::Option(Box::new(Schema::Text)));
        newer.push((field, Box::new(|_| Value::Option(None))));
    }
    if choices.one_in(2) {
        choices.shuffle(&mut newer);
    }
    let (fields, sources): (Vec<_>, Vec<_>) = newer.into_iter().unzip();
    let change = move |values: Vec<Value>| sources.iter().map(|source| source(&values)).collect();
    (fields, Box::new(change))
}

fn changed_variants(choices: &mut Choices, name: &Name, variants: &[Variant]) -> (Schema, Change) {
    let mut changes = Vec::new();
    let mut newer: Vec<(Option<usize>, Variant)> = Vec::new();
    for (at, variant) in variants.iter().enumerate() {
        let (fields, change) = changed_fields(choices, &variant.fields);
        changes.push(change);
        let name = renamed(choices, &variant.name);
        newer.push((Some(at), Variant { name, fields }));
    }
    if choices.one_in(3) {
        let added = Variant {
            name: "added".into(),
            fields: vec![Field::new("n", Schema::Bool)],
        };
        newer.push((None, added));
    }
    if choices.one_in(2) {
        choices.shuffle(&mut newer);
    }
    let (order, variants): (Vec<_>, Vec<_>) = newer.into_iter().unzip();
    let change: Change = Box::new(move |value| match value {
        Value::Enum(number, values) => {
            let number = number as usize;
            let to = order.iter().position(|at| *at == Some(number)).unwrap();
            Value::Enum(to as u32, changes[number](values))
        }
        other => panic!("no enum: {other:?}"),
    });
    (Schema::Enum(renamed(choices, name), variants), change)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn values_read_back_as_the_model_changes_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let choices = &mut Choices(bytes.into_iter());
        let writer = schema(choices, 3);
        let (reader, change) = changed(choices, &writer);
        let rewrite = Rewrite::between(&writer, &reader).unwrap();
        for _ in 0..4 {
            let value = value(choices, &writer);
            let stored = value.bytes();
            let expected = change(value).bytes();
            let read = match &rewrite {
                Some(rewrite) => rewrite.apply(&stored).unwrap(),
                None => stored.clone(),
            };
            prop_assert_eq!(&read, &expected, "from {:?} to {:?}", writer, reader);
            // What stands before a value stays as it is.
            if let Some(rewrite) = Rewrite::between(&writer, &reader).unwrap() {
                let behind = rewrite.behind(&writer).unwrap();
                let both = [stored.as_slice(), &stored].concat();
                let read = behind.apply(&both).unwrap();
                prop_assert_eq!(read, [stored, expected].concat());
            }
        }
    }

    #[test]
    fn damaged_values_are_errors_and_no_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        damaged in proptest::collection::vec(0u8..4, 0..60),
    ) {
        let choices = &mut Choices(bytes.into_iter());
        let writer = schema(choices, 3);
        let (reader, _) = changed(choices, &writer);
        if let Some(rewrite) = Rewrite::between(&writer, &reader).unwrap()
            && let Err(error) = rewrite.apply(&damaged)
        {
            prop_assert_eq!(error.kind(), crate::error::ErrorKind::Corrupt);
        }
    }
}

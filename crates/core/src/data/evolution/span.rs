//! Where a stored value ends.

use crate::data::{Data, Schema, take_bytes};
use crate::error::{Error, Result};

/// How many bytes a stored value takes up, as far as its schema says.
#[derive(Clone, Debug)]
pub(super) enum Span {
    /// So many.
    Fixed(usize),
    /// A byte, and if it is 1, the value.
    Option(Box<Span>),
    /// A `u32` length and so many elements. Those of texts are bytes, those of maps are pairs.
    List(Box<Span>),
    /// One value behind the other.
    InTurn(Vec<Span>),
    /// A `u32` number, and what belongs to it.
    Enum(Vec<Span>),
}

/// A plan has no loops.
pub(super) fn recursive(name: &str) -> Error {
    Error::unsupported(format!(
        "`{name}` contains itself: such a type cannot change yet"
    ))
}

impl Span {
    pub(super) fn of(schema: &Schema) -> Result<Self> {
        Ok(match schema {
            Schema::Unit => Span::Fixed(0),
            Schema::Bool => Span::Fixed(1),
            Schema::Int(bytes) | Schema::UInt(bytes) | Schema::Float(bytes) => {
                Span::Fixed(usize::from(*bytes))
            }
            Schema::Text | Schema::Bytes => Span::List(Box::new(Span::Fixed(1))),
            Schema::Option(value) => Span::Option(Box::new(Span::of(value)?)),
            Schema::List(element) => Span::List(Box::new(Span::of(element)?)),
            Schema::Map(key, value) => {
                let pair = Span::in_turn([Span::of(key)?, Span::of(value)?]);
                Span::List(Box::new(pair))
            }
            Schema::Struct(_, fields) => Span::fields(fields)?,
            Schema::Enum(_, variants) => {
                let variants = variants.iter().map(|variant| Span::fields(&variant.fields));
                Span::Enum(variants.collect::<Result<_>>()?)
            }
            Schema::Recursive(name) => return Err(recursive(name)),
        })
    }

    fn fields(fields: &[crate::data::Field]) -> Result<Self> {
        let spans: Vec<_> = fields
            .iter()
            .map(|field| Span::of(&field.schema))
            .collect::<Result<_>>()?;
        Ok(Span::in_turn(spans))
    }

    /// One value behind the other; neighbours of fixed length become one.
    pub(super) fn in_turn(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut joined: Vec<Span> = Vec::new();
        for span in spans {
            match (joined.last_mut(), span) {
                (Some(Span::Fixed(before)), Span::Fixed(bytes)) => *before += bytes,
                (_, span) => joined.push(span),
            }
        }
        match joined.len() {
            0 => Span::Fixed(0),
            1 => joined.swap_remove(0),
            _ => Span::InTurn(joined),
        }
    }

    /// Moves `input` behind the value.
    pub(super) fn pass(&self, input: &mut &[u8]) -> Result<()> {
        match self {
            Span::Fixed(bytes) => take_bytes(input, *bytes).map(drop),
            Span::Option(value) => {
                if bool::decode(input)? {
                    value.pass(input)?;
                }
                Ok(())
            }
            Span::List(element) => {
                let len = u32::decode(input)? as usize;
                if let Span::Fixed(bytes) = **element {
                    return take_bytes(input, len.saturating_mul(bytes)).map(drop);
                }
                (0..len).try_for_each(|_| element.pass(input))
            }
            Span::InTurn(spans) => spans.iter().try_for_each(|span| span.pass(input)),
            Span::Enum(variants) => {
                let number = u32::decode(input)?;
                let variant = variants.get(number as usize).ok_or_else(|| {
                    Error::corrupt(format!("a stored enum has no variant number `{number}`"))
                })?;
                variant.pass(input)
            }
        }
    }

    /// Appends the value's bytes and moves `input` behind them.
    pub(super) fn copy(&self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = *input;
        self.pass(input)?;
        out.extend_from_slice(&start[..start.len() - input.len()]);
        Ok(())
    }
}

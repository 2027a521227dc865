//! Reading what an older version of a type has stored.
//!
//! ```text
//!   writer's schema ─┐
//!                    ├─ resolve ──▶ Plan ── once a table
//!   reader's schema ─┘                │
//!   stored bytes ────────────────────▶└──▶ bytes as the reader would have written them
//! ```
//!
//! The plan is made of the two schemas alone, before any value is seen, so a change that cannot be
//! read is refused whatever the state holds. Values are rewritten as bytes: no value of the older
//! type exists any more, and none is built.

#[cfg(test)]
mod model;
mod plan;
mod resolve;
mod span;
#[cfg(test)]
mod tests;

use super::Schema;
use crate::error::{Error, Result};
use plan::Plan;
use resolve::{Place, Resolver};
use span::Span;

/// How values that were stored with one schema become values of another.
///
/// | Change | Read as |
/// |---|---|
/// | a field is added | its default; `None` for an option without one |
/// | a field is removed | passed over |
/// | fields change their order | found by name; those of tuples by position |
/// | a field, variant, struct or enum is renamed | found by its alias |
/// | an integer or float gets wider | the same number; unsigned may become signed |
/// | `T` becomes `Option<T>` | `Some` |
/// | an enum's variants are added or change their order | found by name |
///
/// They may come together and at any depth. Everything else is refused, and so is what would make
/// two keys of a map one: a removed field or two variants that become the same.
///
/// # Examples
/// ```
/// use thalweg_core::data::{Data, Rewrite, from_bytes, to_bytes};
///
/// let Some(rewrite) = Rewrite::between(&Vec::<u32>::schema(), &Vec::<Option<i64>>::schema())?
/// else {
///     panic!("the bytes differ")
/// };
/// let stored = to_bytes(&vec![1u32, 2]);
/// let read: Vec<Option<i64>> = from_bytes(&rewrite.apply(&stored)?)?;
/// assert_eq!(read, [Some(1), Some(2)]);
/// # Ok::<(), thalweg_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Rewrite(Plan);

impl Rewrite {
    /// The way from the writer's schema to the reader's; none if the bytes are the same.
    ///
    /// # Errors
    /// `User` if there is no way; the message names the field and both shapes. `Unsupported` for a
    /// type that contains itself and has changed.
    pub fn between(writer: &Schema, reader: &Schema) -> Result<Option<Self>> {
        if writer == reader {
            return Ok(None);
        }
        Ok(match Resolver::new(Place::Value).pair(writer, reader)? {
            Plan::Copy(_) => None,
            plan => Some(Rewrite(plan)),
        })
    }

    /// Whether keys of a stream keep their bytes, which say their key group: names may change.
    ///
    /// # Errors
    /// `User` if they do not; the message names the field and both shapes.
    pub fn check_key(writer: &Schema, reader: &Schema) -> Result<()> {
        if writer == reader {
            return Ok(());
        }
        Resolver::new(Place::StreamKey)
            .pair(writer, reader)
            .map(drop)
    }

    /// The same for values that stand behind another one, which keeps its bytes.
    ///
    /// # Errors
    /// `Unsupported` if `before` is a type that contains itself.
    pub fn behind(self, before: &Schema) -> Result<Self> {
        let before = Plan::Copy(Span::of(before)?);
        Ok(Rewrite(Plan::in_turn([before, self.0])))
    }

    /// The reader's bytes of a stored value.
    ///
    /// # Errors
    /// `Corrupt` if `stored` is no value of the writer's schema.
    pub fn apply(&self, stored: &[u8]) -> Result<Vec<u8>> {
        let mut input = stored;
        let mut out = Vec::with_capacity(stored.len());
        self.0.apply(&mut input, &mut out)?;
        if input.is_empty() {
            Ok(out)
        } else {
            let left = input.len();
            Err(Error::corrupt(format!(
                "{left} bytes left behind a stored value"
            )))
        }
    }
}

/// Tells the key of a stored entry from the value behind it.
#[derive(Clone, Debug)]
pub struct KeySpan(Span);

impl KeySpan {
    /// For keys of a schema.
    ///
    /// # Errors
    /// `Unsupported` for a type that contains itself.
    pub fn of(key: &Schema) -> Result<Self> {
        Span::of(key).map(KeySpan)
    }

    /// The bytes of the key, and those behind them.
    ///
    /// # Errors
    /// `Corrupt` if `entry` does not begin with such a key.
    pub fn split<'a>(&self, entry: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
        let mut rest = entry;
        self.0.pass(&mut rest)?;
        Ok(entry.split_at(entry.len() - rest.len()))
    }
}

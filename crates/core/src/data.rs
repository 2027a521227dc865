//! Types that may flow, be kept in state and be stored: `Data`, usually derived.
//!
//! A type has a [`Schema`] and one canonical byte form: fixed-width little-endian numbers, lengths
//! as `u32`, fields in declared order, enum variants by their number as `u32`. The same value has
//! the same bytes on every platform and in every version; key groups hash these bytes.

mod evolution;
mod primitives;
mod schema;

use crate::error::{Error, Result};
use crate::key_group::stable_hash_bytes;

pub use evolution::{KeySpan, Rewrite};
pub use schema::{Field, Name, Schema, Variant};

/// A type that may flow through a job.
///
/// Derive it: `#[derive(Clone, thalweg_core::Data)]`.
///
/// A type that is kept in state may change between two versions of a job: attributes say what
/// the derived schema cannot know, and [`Rewrite`] has the rules.
///
/// | Attribute | On | Means |
/// |---|---|---|
/// | `#[data(alias = "old")]` | structs, enums, fields, variants | it was called `old` before; may be repeated |
/// | `#[data(default)]` | fields | snapshots without the field have `Default::default()` in it |
/// | `#[data(default = expression)]` | fields | they have this value in it |
/// | `#[data(crate = "path")]` | structs, enums | where `thalweg_core` is found |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow through a job",
    label = "this type is not `Data`",
    note = "derive it: `#[derive(Clone, Data)]`; all its fields must be `Data` too"
)]
pub trait Data: Clone + Send + Sync + Sized + 'static {
    /// The shape that is stored beside the bytes.
    fn schema() -> Schema;

    /// Appends the canonical bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a value and moves `input` behind it.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no value of this type.
    fn decode(input: &mut &[u8]) -> Result<Self>;

    /// The stable hash of the canonical bytes. `scratch` is for reuse and is overwritten.
    fn stable_hash(&self, scratch: &mut Vec<u8>) -> u64 {
        scratch.clear();
        self.encode(scratch);
        stable_hash_bytes(scratch)
    }
}

/// A type that a stream may be keyed by: equality agrees with the canonical bytes.
///
/// Floats are no keys (NaN is not equal to itself), nor are maps (no order).
#[diagnostic::on_unimplemented(
    message = "a stream cannot be keyed by `{Self}`",
    label = "this type has no stable hash",
    note = "a key is `Data + Eq + Hash`: integers, strings, tuples and derived structs of them"
)]
pub trait Key: Data + Eq + std::hash::Hash {}

impl<K: Data + Eq + std::hash::Hash> Key for K {}

/// Takes `len` bytes from the head of `input`.
///
/// # Errors
/// `Corrupt` if there are fewer.
pub fn take_bytes<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    if input.len() < len {
        return Err(Error::corrupt(format!(
            "stored value ends early: {len} bytes wanted, {} left",
            input.len()
        )));
    }
    let (head, tail) = input.split_at(len);
    *input = tail;
    Ok(head)
}

/// Reads a length, bounded by the bytes that are left (an element takes at least `element_min`).
///
/// # Errors
/// `Corrupt` if the length cannot be true.
pub fn take_len(input: &mut &[u8], element_min: usize) -> Result<usize> {
    let len = u32::decode(input)? as usize;
    if len.saturating_mul(element_min) > input.len() {
        return Err(Error::corrupt(format!(
            "stored length {len} exceeds the bytes left"
        )));
    }
    Ok(len)
}

/// Encodes a value alone.
pub fn to_bytes<T: Data>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// Decodes a value that takes up all of `bytes`.
///
/// # Errors
/// `Corrupt` if the bytes are no such value or some are left over.
pub fn from_bytes<T: Data>(mut bytes: &[u8]) -> Result<T> {
    let value = T::decode(&mut bytes)?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(Error::corrupt(format!(
            "{} bytes left behind a stored value",
            bytes.len()
        )))
    }
}

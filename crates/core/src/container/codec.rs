//! The wire form of batches: what leaves the process, to another one or into a checkpoint.
//!
//! A batch writes itself ([`Container::encode`](super::Container::encode)); whoever reads it knows
//! from the graph what it must be, and has the [`ContainerCodec`] of that type. Bytes and schema
//! are separate: a channel names its schema once, not with every batch.

use std::fmt;

use super::Payload;
use crate::data::{Data, Schema};
use crate::error::Result;
use crate::rows::Rows;

/// How batches of one type are read back from their wire form.
#[derive(Clone, Copy)]
pub struct ContainerCodec {
    schema: fn() -> Schema,
    decode: fn(&[u8]) -> Result<Payload>,
}

impl ContainerCodec {
    /// A codec of a container of its own.
    pub const fn new(schema: fn() -> Schema, decode: fn(&[u8]) -> Result<Payload>) -> Self {
        ContainerCodec { schema, decode }
    }

    /// The codec of [`Rows<T>`].
    pub const fn rows<T: Data>() -> Self {
        ContainerCodec {
            schema: T::schema,
            decode: Rows::<T>::decode_payload,
        }
    }

    /// The shape of what is in the batches; [`Schema::Bytes`] if every batch says it itself.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// Reads a batch that takes up all of `bytes`.
    ///
    /// # Errors
    /// `Corrupt` if they are no such batch.
    pub fn decode(&self, bytes: &[u8]) -> Result<Payload> {
        (self.decode)(bytes)
    }
}

impl fmt::Debug for ContainerCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainerCodec({})", self.schema())
    }
}

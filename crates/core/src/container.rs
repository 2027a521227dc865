//! Containers: what a batch must be able to do so that the runtime can move it.
//!
//! A channel carries batches behind one pointer, [`Payload`]. The runtime asks a batch for its
//! length and size, copies it for a second consumer, and scatters it over the channels of a
//! partitioned edge; it never looks inside. The concrete type ([`crate::rows::Rows`] or a column
//! batch) is recovered once a batch by the operator that reads it.

mod codec;

use std::any::Any;

use crate::error::{Error, Result};

pub use codec::ContainerCodec;

/// A batch of records or rows.
pub trait Container: Any + Send {
    /// How many records it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An estimate of the bytes it keeps in memory.
    fn byte_size(&self) -> usize;

    /// A copy for one more consumer; cheap where the data is shared.
    fn boxed_clone(&self) -> Payload;

    /// Moves record `i` to the batch at `channels[targets[i]]`, in order, creating batches as
    /// needed. `hashes`, when given, are the records' stable key hashes and travel along.
    ///
    /// # Panics
    /// If `targets` is not as long as the batch or names a channel out of range.
    fn scatter(
        self: Box<Self>,
        targets: &[u32],
        hashes: Option<&[u64]>,
        channels: &mut [Option<Payload>],
    );

    /// The batch cut into pieces of at most `len_max` records, in order.
    fn split(self: Box<Self>, len_max: usize) -> Vec<Payload>;

    /// Appends the wire form, which a [`ContainerCodec`] of this type reads.
    ///
    /// # Errors
    /// `User` if the batch holds something that has none.
    fn encode(&self, out: &mut Vec<u8>) -> Result<()>;

    /// For recovering the concrete type.
    fn as_any(&self) -> &dyn Any;

    /// For recovering the concrete type.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// The concrete type's name, for error messages.
    fn type_name(&self) -> &'static str;
}

/// A batch of any type, as channels carry it.
pub type Payload = Box<dyn Container>;

/// Recovers the concrete type of a batch.
///
/// # Errors
/// `Internal`, naming both types: an edge of the graph connects two operators that disagree.
pub fn downcast<C: Container>(payload: Payload) -> Result<Box<C>> {
    let found = payload.type_name();
    payload.into_any().downcast::<C>().map_err(|_| {
        Error::internal(format!(
            "expected a batch of `{}`, found `{found}`",
            std::any::type_name::<C>()
        ))
    })
}

//! Records in flight: what stands between two operators when a barrier overtakes it.
//!
//! They belong to the operator that would have read them, as a table of its snapshot. An entry is
//! an element of a sequence; the order within a sequence is that of the stream.
//!
//! ```text
//!   entry      edge u32, sender u32 │ 0 u8, watermark i64
//!                                   │ 1 u8, port u32, wire form of a batch
//!   sequence   (edge, sender): what one channel held, begun by the channel's watermark
//!              (FRONT, 0):     what the operator had in hand before all channels, begun by its own
//! ```
//!
//! Watermarks keep their places, so that a record is late, or behind a timer, exactly where it was.
//! The status of a channel is not kept: a restored channel counts as active until its sender says
//! otherwise, which can only hold a watermark back. Barriers and ends are not kept either: of a
//! barrier nothing is left to do, and a sender that has ended says so again.

mod deal;
mod log;

use thalweg_core::data::{Field, Schema};
use thalweg_core::graph::ChainedOperator;

pub use deal::{Dealer, Restored, Target};
pub use log::InFlightLog;

/// The name of the table. Those that operators declare do not begin with an underscore.
pub const TABLE: &str = "_in_flight";
/// Stands where an edge's number would: what was in front of all channels.
pub const FRONT: u32 = u32::MAX;

const WATERMARK: u8 = 0;
const BATCH: u8 = 1;

/// Whose sequence an entry continues: an input edge of a vertex by its position, and the index of
/// the sending instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The edge's position among those into the vertex, or [`FRONT`].
    pub edge: u32,
    /// The sending instance.
    pub sender: u32,
}

impl Place {
    /// In front of all channels.
    pub const FRONT: Place = Place {
        edge: FRONT,
        sender: 0,
    };
}

/// The shape of the table: that of each input port's records.
pub fn schema(operator: &ChainedOperator) -> Schema {
    let port = |(port, codec): (usize, &Option<thalweg_core::container::ContainerCodec>)| {
        let schema = codec.map_or(Schema::Bytes, |codec| codec.schema());
        Field::new(port.to_string(), schema)
    };
    let ports = operator.codecs.iter().enumerate().map(port);
    Schema::Struct("".into(), ports.collect())
}

//! Writes down what a barrier overtakes.

use thalweg_core::container::Container;
use thalweg_core::data::{Data, Schema};
use thalweg_core::error::Result;
use thalweg_core::state::{Entries, Redistribution, TableSnapshot};
use thalweg_core::watermark::Watermark;

use super::{BATCH, Place, TABLE, WATERMARK};

/// The records in front of one operator instance.
///
/// Batches are written at once: typed rows would have to be copied as well to outlive their
/// processing, and their wire form is the cheaper copy.
#[derive(Debug, Default)]
pub struct InFlightLog {
    entries: Entries,
    batches: usize,
}

impl InFlightLog {
    /// A sequence goes on with a watermark.
    pub fn watermark(&mut self, place: Place, watermark: Watermark) {
        self.entries.push_with(None, |bytes| {
            head(place, WATERMARK, bytes);
            watermark.0.encode(bytes);
        });
    }

    /// A sequence goes on with a batch for a port.
    ///
    /// # Errors
    /// `User` if the batch has no wire form.
    pub fn batch(&mut self, place: Place, port: usize, batch: &dyn Container) -> Result<()> {
        let mut encoded = Ok(());
        self.entries.push_with(None, |bytes| {
            head(place, BATCH, bytes);
            (port as u32).encode(bytes);
            encoded = batch.encode(bytes);
        });
        self.batches += 1;
        encoded
    }

    /// The table; `None` if there are no records: watermarks alone put nothing in order.
    pub fn into_table(self, schema: Schema) -> Option<TableSnapshot> {
        (self.batches > 0).then(|| TableSnapshot {
            name: TABLE.to_owned(),
            redistribution: Redistribution::InFlight,
            schema,
            entries: self.entries,
        })
    }
}

fn head(place: Place, kind: u8, out: &mut Vec<u8>) {
    place.edge.encode(out);
    place.sender.encode(out);
    out.push(kind);
}

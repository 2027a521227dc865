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
        self.entries.push_with(|bytes| {
            head(place, WATERMARK, bytes);
            watermark.0.encode(bytes);
            None
        });
    }

    /// A sequence goes on with a batch for a port.
    ///
    /// # Errors
    /// `User` if the batch has no wire form.
    pub fn batch(&mut self, place: Place, port: usize, batch: &dyn Container) -> Result<()> {
        let mut encoded = Ok(());
        self.entries.push_with(|bytes| {
            head(place, BATCH, bytes);
            (port as u32).encode(bytes);
            encoded = batch.encode(bytes);
            None
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

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_core::rows::{Record, Rows};
    use thalweg_core::time::EventTime;

    #[test]
    fn the_bytes_of_entries_never_change() {
        let mut log = InFlightLog::default();
        let place = Place { edge: 1, sender: 2 };
        log.watermark(Place::FRONT, Watermark(-2));
        let rows: Rows<u8> = std::iter::once(Record::new(7, EventTime(3))).collect();
        log.batch(place, 1, &rows).unwrap();
        let table = log.into_table(Schema::Unit).unwrap();
        let entries: Vec<&[u8]> = table.entries.iter().map(|(_, entry)| entry).collect();
        let watermark = [255, 255, 255, 255, 0, 0, 0, 0, 0, 254, 255, 255, 255];
        assert_eq!(entries[0][..13], watermark);
        let batch = [1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0];
        let rows = [1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7];
        assert_eq!(entries[1], [batch, rows].concat());
    }

    #[test]
    fn watermarks_alone_are_no_records_in_flight() {
        let mut log = InFlightLog::default();
        log.watermark(Place::FRONT, Watermark(1));
        assert!(log.into_table(Schema::Unit).is_none());
    }
}

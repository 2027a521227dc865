//! Typed rows: the container of the DataStream API.

mod wire;

use std::any::Any;

use crate::container::{Container, Payload};
use crate::data::Data;
use crate::error::Result;
use crate::time::EventTime;

/// A value with its timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<T> {
    /// What the user sees.
    pub value: T,
    /// When it happened; [`EventTime::NONE`] if nobody said.
    pub time: EventTime,
}

impl<T> Record<T> {
    /// A record.
    pub fn new(value: T, time: EventTime) -> Self {
        Record { value, time }
    }
}

/// A batch of typed values with their timestamps, and key hashes once a keyed edge computed them.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// The values.
    pub values: Vec<T>,
    /// As many timestamps, in milliseconds.
    pub times: Vec<i64>,
    /// As many stable key hashes, or empty.
    pub hashes: Vec<u64>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Rows {
            values: Vec::new(),
            times: Vec::new(),
            hashes: Vec::new(),
        }
    }
}

impl<T: Data> Rows<T> {
    /// An empty batch with room for `capacity` records.
    pub fn with_capacity(capacity: usize) -> Self {
        Rows {
            values: Vec::with_capacity(capacity),
            times: Vec::with_capacity(capacity),
            hashes: Vec::new(),
        }
    }

    /// Appends a record.
    #[inline]
    pub fn push(&mut self, value: T, time: EventTime) {
        self.values.push(value);
        self.times.push(time.0);
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<T: Data> FromIterator<Record<T>> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = Record<T>>>(records: I) -> Self {
        let mut rows = Rows::default();
        for record in records {
            rows.push(record.value, record.time);
        }
        rows
    }
}

impl<T: Data> Container for Rows<T> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn byte_size(&self) -> usize {
        self.values.len() * (size_of::<T>() + 8) + self.hashes.len() * 8
    }

    fn boxed_clone(&self) -> Payload {
        Box::new(self.clone())
    }

    fn scatter(
        self: Box<Self>,
        targets: &[u32],
        hashes: Option<&[u64]>,
        channels: &mut [Option<Payload>],
    ) {
        assert_eq!(targets.len(), self.len(), "one target a record");
        let room = self.len() / channels.len() + 8;
        // The batches are filled typed and put back, so that the inner loop has no dynamic call.
        let mut open: Vec<Option<Box<Rows<T>>>> = channels
            .iter_mut()
            .map(|slot| {
                slot.take()
                    .and_then(|payload| payload.into_any().downcast().ok())
            })
            .collect();
        for (i, (value, time)) in self.values.into_iter().zip(self.times).enumerate() {
            let rows = open[targets[i] as usize]
                .get_or_insert_with(|| Box::new(Rows::with_capacity(room)));
            rows.push(value, EventTime(time));
            if let Some(hashes) = hashes {
                rows.hashes.push(hashes[i]);
            }
        }
        for (slot, rows) in channels.iter_mut().zip(open) {
            *slot = rows.map(|rows| rows as Payload);
        }
    }

    fn split(self: Box<Self>, len_max: usize) -> Vec<Payload> {
        let mut pieces: Vec<Payload> = Vec::new();
        let mut hashes = self.hashes.into_iter();
        let mut records = self.values.into_iter().zip(self.times);
        loop {
            let mut rows = Rows::with_capacity(len_max);
            for (value, time) in records.by_ref().take(len_max) {
                rows.push(value, EventTime(time));
                rows.hashes.extend(hashes.next());
            }
            if rows.is_empty() {
                return pieces;
            }
            pieces.push(Box::new(rows));
        }
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.encode_rows(out)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::downcast;

    #[test]
    fn scatter_keeps_the_order_within_each_channel_and_appends_to_open_batches() {
        let mut channels: Vec<Option<Payload>> = vec![None, None, None];
        for start in [0i64, 4] {
            let rows: Rows<i64> = (start..start + 4)
                .map(|v| Record::new(v, EventTime(v * 10)))
                .collect();
            Box::new(rows).scatter(&[0, 2, 0, 2], Some(&[1, 2, 3, 4]), &mut channels);
        }
        let first = downcast::<Rows<i64>>(channels[0].take().unwrap()).unwrap();
        assert_eq!(first.values, [0, 2, 4, 6]);
        assert_eq!(first.times, [0, 20, 40, 60]);
        assert_eq!(first.hashes, [1, 3, 1, 3]);
        assert!(channels[1].is_none());
    }

    #[test]
    fn split_gives_pieces_of_at_most_the_asked_length_in_order() {
        let rows: Rows<i64> = (0..5).map(|v| Record::new(v, EventTime(v))).collect();
        let pieces = Container::split(Box::new(rows), 2);
        let values: Vec<Vec<i64>> = pieces
            .into_iter()
            .map(|piece| downcast::<Rows<i64>>(piece).unwrap().values)
            .collect();
        assert_eq!(values, [vec![0, 1], vec![2, 3], vec![4]]);
    }
}

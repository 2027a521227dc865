//! The wire form of typed rows: their number, their timestamps, their values.
//!
//! Key hashes are left out: they follow from the values, and another edge may want others.

use super::Rows;
use crate::container::Payload;
use crate::data::{Data, take_len};
use crate::error::{Error, Result};

// A record takes at least the bytes of its timestamp.
const RECORD_BYTES_MIN: usize = 8;

impl<T: Data> Rows<T> {
    pub(super) fn encode_rows(&self, out: &mut Vec<u8>) -> Result<()> {
        let count = u32::try_from(self.len())
            .map_err(|_| Error::internal("a batch has more records than its wire form can say"))?;
        out.reserve(4 + self.len() * (RECORD_BYTES_MIN + size_of::<T>()));
        count.encode(out);
        for time in &self.times {
            out.extend_from_slice(&time.to_le_bytes());
        }
        for value in &self.values {
            value.encode(out);
        }
        Ok(())
    }

    pub(crate) fn decode_payload(bytes: &[u8]) -> Result<Payload> {
        let mut input = bytes;
        let count = take_len(&mut input, RECORD_BYTES_MIN)?;
        let mut rows = Rows::<T>::with_capacity(count);
        for _ in 0..count {
            rows.times.push(i64::decode(&mut input)?);
        }
        for _ in 0..count {
            rows.values.push(T::decode(&mut input)?);
        }
        if !input.is_empty() {
            return Err(Error::corrupt(format!(
                "{} bytes left behind a batch of {count} records",
                input.len()
            )));
        }
        Ok(Box::new(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Container, ContainerCodec, downcast};
    use crate::rows::Record;
    use crate::time::EventTime;

    type Text = (u64, String, Option<i32>);

    fn batch() -> Rows<Text> {
        let text = |n: u64| (n, format!("text {n}"), n.is_multiple_of(2).then_some(-1));
        let mut rows: Rows<Text> = (0..5)
            .map(|n| Record::new(text(n), EventTime(n as i64 - 2)))
            .collect();
        rows.hashes = vec![7; 5];
        rows
    }

    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::new();
        Container::encode(&batch(), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn rows_come_back_with_their_times_and_without_hashes() {
        let codec = ContainerCodec::rows::<Text>();
        let back = downcast::<Rows<Text>>(codec.decode(&bytes()).unwrap()).unwrap();
        assert_eq!(
            (&back.values, &back.times),
            (&batch().values, &batch().times)
        );
        assert!(back.hashes.is_empty());
        assert_eq!(codec.schema(), Text::schema());
    }

    #[test]
    fn a_batch_that_was_cut_or_lengthened_is_corrupt() {
        let codec = ContainerCodec::rows::<Text>();
        for end in 0..bytes().len() {
            assert!(codec.decode(&bytes()[..end]).is_err(), "{end} bytes");
        }
        let mut longer = bytes();
        longer.push(0);
        assert!(codec.decode(&longer).is_err());
    }

    #[test]
    fn the_wire_form_of_numbers_never_changes() {
        let rows: Rows<u16> = [(1u16, -1i64), (515, 2)]
            .map(|(value, time)| Record::new(value, EventTime(time)))
            .into_iter()
            .collect();
        let mut bytes = Vec::new();
        Container::encode(&rows, &mut bytes).unwrap();
        let times = [[255u8; 8], [2, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(bytes, [vec![2, 0, 0, 0], times, vec![1, 0, 3, 2]].concat());
    }
}

//! Batches of records, as brokers keep them (magic 2), and as they travel.
//!
//! ```text
//!   base offset │ length │ leader epoch │ magic │ CRC │ attributes │ last offset │ times │ producer │ count │ records
//!   i64           i32      i32            2       u32   i16          i32           i64×2   i64 i16 i32  i32
//! ```
//!
//! Reading makes no copies: keys and values lie in the batch, or in what it was expanded to.

use thalweg_core::error::{Error, Result};

use super::compression::Compression;
use super::varint;

// Base offset and length stand before what the length counts.
const PREFIX_BYTES: usize = 12;
const HEAD_BYTES: usize = 61;
// What the checksum is of begins behind it.
const CHECKED_FROM: usize = 21;
const MAGIC: u8 = 2;

const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What stands in front of the records of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// The offset of the first record there ever was in it.
    pub base_offset: i64,
    /// The epoch of the leader that wrote it.
    pub leader_epoch: i32,
    /// How far behind the base offset the last record was.
    pub last_offset_delta: i32,
    /// The time of the first record, in milliseconds.
    pub base_timestamp: i64,
    /// The latest time of a record; with `log_append_time` that of all.
    pub max_timestamp: i64,
    /// Who has written it; -1 for a producer without a number.
    pub producer_id: i64,
    /// Which of those with the number.
    pub producer_epoch: i16,
    /// Its place among those of the producer; -1 for none.
    pub base_sequence: i32,
    /// How many records are in it.
    pub count: i32,
    /// How they are compressed.
    pub compression: Compression,
    /// Whether times are those of the broker.
    pub log_append_time: bool,
    /// Whether it belongs to a transaction.
    pub transactional: bool,
    /// Whether its record is no data but the end of a transaction.
    pub control: bool,
}

/// A batch that lies in a broker's answer.
pub struct RecordBatch<'a> {
    /// What stands in front of its records.
    pub head: BatchHead,
    records: &'a [u8],
}

/// A name and a value that go with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name.
    pub key: &'a [u8],
    /// The value.
    pub value: Option<&'a [u8]>,
}

/// A record in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its time, in milliseconds.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// Takes the batch at the head of `input`; `None` if there is only a part of one: a broker cuts
    /// where its answer is full.
    ///
    /// # Errors
    /// `Corrupt` if its checksum is wrong; `Unsupported` for the form that brokers before 0.11 wrote.
    pub fn take(input: &mut &'a [u8]) -> Result<Option<Self>> {
        let bytes = *input;
        if bytes.len() < HEAD_BYTES {
            return Ok(None);
        }
        let base_offset = i64::from_be_bytes(at(bytes, 0));
        let length = usize::try_from(i32::from_be_bytes(at(bytes, 8))).unwrap_or(usize::MAX);
        let Some(batch) = length
            .checked_add(PREFIX_BYTES)
            .and_then(|whole| bytes.get(..whole))
        else {
            return Ok(None);
        };
        let damaged = |why: &str| {
            Error::corrupt(format!(
                "the batch of records at offset {base_offset}: {why}"
            ))
        };
        if bytes[16] != MAGIC {
            return Err(Error::unsupported(format!(
                "the batch of records at offset {base_offset} has format {}: a topic of before Kafka \
                 0.11 has to be copied by its broker first",
                bytes[16]
            )));
        }
        if batch.len() < HEAD_BYTES {
            return Err(damaged("it is shorter than its head"));
        }
        let checksum = u32::from_be_bytes(at(batch, 17));
        if crc32c::crc32c(&batch[CHECKED_FROM..]) != checksum {
            return Err(damaged("its checksum is wrong"));
        }
        let attributes = i16::from_be_bytes(at(batch, 21));
        let head = BatchHead {
            base_offset,
            leader_epoch: i32::from_be_bytes(at(batch, 12)),
            last_offset_delta: i32::from_be_bytes(at(batch, 23)),
            base_timestamp: i64::from_be_bytes(at(batch, 27)),
            max_timestamp: i64::from_be_bytes(at(batch, 35)),
            producer_id: i64::from_be_bytes(at(batch, 43)),
            producer_epoch: i16::from_be_bytes(at(batch, 51)),
            base_sequence: i32::from_be_bytes(at(batch, 53)),
            count: i32::from_be_bytes(at(batch, 57)),
            compression: Compression::of(attributes)?,
            log_append_time: attributes & LOG_APPEND_TIME != 0,
            transactional: attributes & TRANSACTIONAL != 0,
            control: attributes & CONTROL != 0,
        };
        *input = &bytes[batch.len()..];
        Ok(Some(RecordBatch {
            head,
            records: &batch[HEAD_BYTES..],
        }))
    }

    /// The offset behind the batch: what is read next.
    pub fn next_offset(&self) -> i64 {
        self.head.base_offset + i64::from(self.head.last_offset_delta) + 1
    }

    /// Visits the records in order.
    ///
    /// # Errors
    /// `Corrupt` for damaged records; what `visit` fails with.
    pub fn each(&self, mut visit: impl FnMut(&RecordView<'_>) -> Result<()>) -> Result<()> {
        let head = &self.head;
        let damaged = |error: Error| {
            error.context(format!(
                "the batch of records at offset {}",
                head.base_offset
            ))
        };
        let records = head.compression.expand(self.records).map_err(damaged)?;
        let mut rest = &*records;
        for _ in 0..head.count {
            let record = take_record(head, &mut rest).map_err(damaged)?;
            visit(&record)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(damaged(Error::corrupt(
            "bytes are left behind the last record",
        )))
    }

    /// Whether a transaction was committed; only for a batch that is `control`.
    ///
    /// # Errors
    /// `Corrupt` if it does not say so.
    pub fn is_commit(&self) -> Result<bool> {
        let mut commit = None;
        self.each(|record| {
            // A version and a type: 0 is an abort, 1 a commit.
            if let Some([_, _, high, low]) = record.key {
                commit = match [*high, *low] {
                    [0, 0] => Some(false),
                    [0, 1] => Some(true),
                    _ => commit,
                };
            }
            Ok(())
        })?;
        commit.ok_or_else(|| Error::corrupt("a control batch says neither commit nor abort"))
    }
}

/// The bytes at a place; the caller has seen that they are there.
fn at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[from..from + N]);
    found
}

#[inline]
fn take_record<'a>(head: &BatchHead, input: &mut &'a [u8]) -> Result<RecordView<'a>> {
    let length = varint::take(input)?;
    let mut rest = take_bytes(input, length)?;
    // Attributes, of which there are none.
    take_bytes(&mut rest, 1)?;
    let after = varint::take(&mut rest)?;
    let delta = varint::take(&mut rest)?;
    let timestamp = match head.log_append_time {
        true => head.max_timestamp,
        false => head.base_timestamp.wrapping_add(after),
    };
    Ok(RecordView {
        offset: head.base_offset.wrapping_add(delta),
        timestamp,
        key: take_nullable(&mut rest)?,
        value: take_nullable(&mut rest)?,
        headers: rest,
    })
}

impl<'a> RecordView<'a> {
    /// The headers, in order.
    ///
    /// # Errors
    /// `Corrupt` if they are none.
    pub fn headers(&self) -> Result<Vec<Header<'a>>> {
        let mut rest = self.headers;
        let count = varint::take(&mut rest)?;
        let mut headers = Vec::new();
        for _ in 0..count {
            let length = varint::take(&mut rest)?;
            headers.push(Header {
                key: take_bytes(&mut rest, length)?,
                value: take_nullable(&mut rest)?,
            });
        }
        Ok(headers)
    }
}

#[inline]
fn take_nullable<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
    match varint::take(input)? {
        -1 => Ok(None),
        length => take_bytes(input, length).map(Some),
    }
}

#[inline]
fn take_bytes<'a>(input: &mut &'a [u8], length: i64) -> Result<&'a [u8]> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let split = input.split_at_checked(length);
    let (bytes, rest) = split.ok_or_else(|| Error::corrupt("a record ends early"))?;
    *input = rest;
    Ok(bytes)
}

/// A record to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// Its time, in milliseconds.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [Header<'a>],
}

/// Appends a batch of records. `head` says who writes it and how; its offsets, times and count are
/// those of the records.
///
/// # Errors
/// `User` for more than 2 GiB.
pub fn write_batch(head: &BatchHead, records: &[NewRecord<'_>], out: &mut Vec<u8>) -> Result<()> {
    let base_timestamp = records.first().map_or(0, |record| record.timestamp);
    let latest = records.iter().map(|record| record.timestamp).max();
    let mut body = Vec::new();
    let mut one = Vec::new();
    for (delta, record) in records.iter().enumerate() {
        one.clear();
        one.push(0);
        varint::put(record.timestamp.wrapping_sub(base_timestamp), &mut one);
        varint::put(delta as i64, &mut one);
        put_nullable(record.key, &mut one);
        put_nullable(record.value, &mut one);
        varint::put(record.headers.len() as i64, &mut one);
        for header in record.headers {
            varint::put(header.key.len() as i64, &mut one);
            one.extend_from_slice(header.key);
            put_nullable(header.value, &mut one);
        }
        varint::put(one.len() as i64, &mut body);
        body.extend_from_slice(&one);
    }
    let body = head.compression.shrink(&body)?;
    let length = HEAD_BYTES - PREFIX_BYTES + body.len();
    let too_long = |_| Error::user("a batch of more than 2 GiB of records cannot be written");
    let (length, count) = (
        i32::try_from(length).map_err(too_long)?,
        i32::try_from(records.len()).map_err(too_long)?,
    );
    let flag = |is_set: bool, bit: i16| if is_set { bit } else { 0 };
    let attributes = head.compression.number()
        | flag(head.transactional, TRANSACTIONAL)
        | flag(head.control, CONTROL);
    let start = out.len();
    out.extend_from_slice(&0i64.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&head.leader_epoch.to_be_bytes());
    out.push(MAGIC);
    out.extend_from_slice(&[0; 4]);
    let checked = out.len();
    out.extend_from_slice(&attributes.to_be_bytes());
    out.extend_from_slice(&(count - 1).max(0).to_be_bytes());
    out.extend_from_slice(&base_timestamp.to_be_bytes());
    out.extend_from_slice(&latest.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&head.producer_id.to_be_bytes());
    out.extend_from_slice(&head.producer_epoch.to_be_bytes());
    out.extend_from_slice(&head.base_sequence.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&body);
    let checksum = crc32c::crc32c(&out[checked..]);
    out[start + 17..start + 21].copy_from_slice(&checksum.to_be_bytes());
    Ok(())
}

fn put_nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        None => varint::put(-1, out),
        Some(bytes) => {
            varint::put(bytes.len() as i64, out);
            out.extend_from_slice(bytes);
        }
    }
}

impl BatchHead {
    /// That of a batch of a producer without a number.
    pub fn plain(compression: Compression) -> Self {
        BatchHead {
            base_offset: 0,
            leader_epoch: -1,
            last_offset_delta: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
            compression,
            log_append_time: false,
            transactional: false,
            control: false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

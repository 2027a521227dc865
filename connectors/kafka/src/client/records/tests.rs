//! Batches against the codec of another crate, and against damage.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression as TheirCompression, Record, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

use super::*;

type Owned = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..90)
}

fn record() -> impl Strategy<Value = Owned> {
    let header = ("[a-z]{0,6}", prop::option::of(bytes()));
    (
        1_700_000_000_000i64..1_700_000_100_000,
        prop::option::of(bytes()),
        prop::option::of(bytes()),
        prop::collection::vec(header, 0..3),
    )
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::None),
        Just(Compression::Gzip),
        Just(Compression::Snappy),
        Just(Compression::Lz4),
        Just(Compression::Zstd),
    ]
}

fn written(compression: Compression, records: &[Owned]) -> Vec<u8> {
    let headers = records.iter().map(|(.., headers)| {
        let header = |(key, value): &'_ (String, Option<Vec<u8>>)| (key.clone(), value.clone());
        headers.iter().map(header).collect::<Vec<_>>()
    });
    let headers: Vec<Vec<(String, Option<Vec<u8>>)>> = headers.collect();
    let headers: Vec<Vec<Header<'_>>> = headers
        .iter()
        .map(|of| {
            of.iter()
                .map(|(key, value)| Header {
                    key: key.as_bytes(),
                    value: value.as_deref(),
                })
                .collect()
        })
        .collect();
    let new: Vec<NewRecord<'_>> = records
        .iter()
        .zip(&headers)
        .map(|((timestamp, key, value, _), headers)| NewRecord {
            timestamp: *timestamp,
            key: key.as_deref(),
            value: value.as_deref(),
            headers,
        })
        .collect();
    let mut out = Vec::new();
    write_batch(&BatchHead::plain(compression), &new, &mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Result<Vec<Owned>> {
    let mut input = bytes;
    let mut records = Vec::new();
    while let Some(batch) = RecordBatch::take(&mut input)? {
        batch.each(|record| {
            let headers = record.headers()?;
            let headers = headers.iter().map(|header| {
                let key = String::from_utf8_lossy(header.key).into_owned();
                (key, header.value.map(<[u8]>::to_vec))
            });
            records.push((
                record.timestamp,
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                headers.collect(),
            ));
            Ok(())
        })?;
    }
    Ok(records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_by_both(
        records in prop::collection::vec(record(), 1..20),
        compression in compression(),
    ) {
        let batch = written(compression, &records);
        prop_assert_eq!(&read(&batch).unwrap(), &records);
        let theirs = RecordBatchDecoder::decode(&mut Bytes::from(batch.clone()));
        // They read Snappy only in the blocks of Java clients, and each codec on request.
        if compression == Compression::None {
            let theirs = theirs.unwrap().records;
            let values: Vec<_> = theirs.iter().map(|r| r.value.as_ref().map(|v| v.to_vec())).collect();
            let expected: Vec<_> = records.iter().map(|(_, _, value, _)| value.clone()).collect();
            prop_assert_eq!(values, expected);
        }
    }

    #[test]
    fn what_they_write_is_read(values in prop::collection::vec(bytes(), 1..20)) {
        let record = |(at, value): (usize, &Vec<u8>)| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 3,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset: 40 + at as i64,
            sequence: -1,
            timestamp: 1_700_000_000_000 + at as i64,
            key: None,
            value: Some(Bytes::from(value.clone())),
            headers: Default::default(),
        };
        let records: Vec<Record> = values.iter().enumerate().map(record).collect();
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: TheirCompression::None };
        RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
        let mut input = &out[..];
        let mut next = 40;
        while let Some(batch) = RecordBatch::take(&mut input).unwrap() {
            batch.each(|record| {
                assert_eq!(record.offset, next);
                assert_eq!(record.timestamp, 1_700_000_000_000 + next - 40);
                assert_eq!(record.value, Some(values[(next - 40) as usize].as_slice()));
                next += 1;
                Ok(())
            }).unwrap();
            assert_eq!(batch.next_offset(), next);
        }
        prop_assert_eq!(next, 40 + values.len() as i64);
    }

    #[test]
    fn damage_is_noticed(
        records in prop::collection::vec(record(), 1..5),
        compression in compression(),
        at in any::<prop::sample::Index>(),
        bit in 0u32..8,
    ) {
        let mut batch = written(compression, &records);
        // What stands before the checksum is not covered by it: offset, length, epoch.
        let place = CHECKED_FROM + at.index(batch.len() - CHECKED_FROM);
        batch[place] ^= 1 << bit;
        prop_assert!(read(&batch).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        for compression in 1..5 {
            let _ = Compression::of(compression).unwrap().expand(&bytes);
        }
    }
}

#[test]
fn a_batch_that_was_cut_is_none() {
    let records = [(7, None, Some(b"value".to_vec()), Vec::new())];
    let batch = written(Compression::None, &records);
    for end in 0..batch.len() {
        assert!(read(&batch[..end]).unwrap().is_empty(), "{end}");
    }
    let mut both = batch.clone();
    both.extend_from_slice(&batch[..batch.len() - 1]);
    assert_eq!(read(&both).unwrap().len(), 1);
}

#[test]
fn the_end_of_a_transaction_is_told_from_its_abort() {
    let end = |kind: u8| {
        let head = BatchHead {
            control: true,
            transactional: true,
            ..BatchHead::plain(Compression::None)
        };
        let record = NewRecord {
            key: Some(&[0, 0, 0, kind]),
            ..NewRecord::default()
        };
        let mut out = Vec::new();
        write_batch(&head, &[record], &mut out).unwrap();
        let batch = RecordBatch::take(&mut out.as_slice()).unwrap().unwrap();
        assert!(batch.head.control && batch.head.transactional);
        batch.is_commit()
    };
    assert!(!end(0).unwrap());
    assert!(end(1).unwrap());
    assert!(end(7).is_err());
}

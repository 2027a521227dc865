//! What is written is read back, through restarts, in every compression, committed or not.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProducerId, TopicName,
    TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use thalweg_connector_kafka::client::{
    BatchHead, Cluster, Compression, CoordinatorKind, FetchLimits, FetchPosition, Header,
    IsolationLevel, NewRecord, OffsetSpec, write_batch,
};
use thalweg_core::error::{Error, ErrorKind};

use super::server::Server;

fn batch(head: &BatchHead, values: &[&str]) -> Bytes {
    let headers = [Header {
        key: b"trace",
        value: Some(b"42"),
    }];
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .enumerate()
        .map(|(at, value)| NewRecord {
            timestamp: 1_700_000_000_000 + at as i64,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: &headers,
        })
        .collect();
    let mut out = Vec::new();
    write_batch(head, &records, &mut out).unwrap();
    out.into()
}

/// All values of a partition from an offset to its end.
fn read(cluster: &mut Cluster, topic: &str, from: i64, isolation: IsolationLevel) -> Vec<String> {
    let end = cluster
        .offset(topic, 0, OffsetSpec::Latest, isolation)
        .unwrap();
    let mut position = FetchPosition {
        topic: topic.to_owned(),
        partition: 0,
        offset: from,
    };
    let mut values = Vec::new();
    while position.offset < end {
        let leader = cluster.leader(topic, 0).unwrap();
        let limits = FetchLimits::default();
        let positions = std::slice::from_ref(&position);
        let mut fetched = cluster.fetch(leader, positions, isolation, limits).unwrap();
        let fetched = fetched.remove(0).unwrap();
        let next = fetched.each_batch(|batch| {
            batch.each(|record| {
                if record.offset >= position.offset {
                    assert_eq!(record.key, Some(b"key".as_slice()));
                    assert_eq!(record.headers()?[0].key, b"trace");
                    let value = record.value.unwrap_or_default();
                    values.push(String::from_utf8_lossy(value).into_owned());
                }
                Ok(())
            })
        });
        position.offset = next.unwrap();
    }
    values
}

#[test]
fn records_come_back_in_every_compression_and_after_the_broker_was_killed() {
    let mut server = Server::start();
    server.create_topic("bids", 2);
    let mut cluster = server.cluster();
    let topics = cluster.metadata(None).unwrap();
    let bids = topics.iter().find(|topic| topic.name == "bids").unwrap();
    assert_eq!(bids.partitions.len(), 2);
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    let mut expected = Vec::new();
    for (number, compression) in codecs.into_iter().enumerate() {
        let values = ["one", "two", "three"];
        let records = batch(&BatchHead::plain(compression), &values);
        let produced = cluster.produce(("bids", 0), records, None).unwrap();
        assert_eq!(produced.base_offset, 3 * number as i64);
        expected.extend(values.map(str::to_owned));
    }
    let all = IsolationLevel::ReadUncommitted;
    assert_eq!(read(&mut cluster, "bids", 0, all), expected);
    // In the middle of a batch.
    assert_eq!(read(&mut cluster, "bids", 4, all), expected[4..]);
    let mut at = |spec| cluster.offset("bids", 0, spec, all).unwrap();
    assert_eq!(at(OffsetSpec::Earliest), 0);
    assert_eq!(at(OffsetSpec::Latest), 15);
    assert_eq!(at(OffsetSpec::Timestamp(1_700_000_000_001)), 1);
    assert_eq!(at(OffsetSpec::Timestamp(1_800_000_000_000)), 15);

    server.kill();
    let gone = cluster.metadata(None).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Retryable);
    assert!(gone.to_string().contains(&server.address()), "{gone}");
    server.start_again();
    let end = cluster.offset("bids", 0, OffsetSpec::Latest, all).unwrap();
    assert_eq!(end, 15, "what was acknowledged is there");
    assert_eq!(read(&mut cluster, "bids", 0, all), expected);

    let missing = cluster.leader("asks", 0).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::User);
    assert_eq!(missing.to_string(), "there is no topic `asks`");
    let missing = cluster.leader("bids", 2).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "topic `bids` has no partition 2: it has 2"
    );
    let beyond = FetchPosition {
        topic: "bids".to_owned(),
        partition: 0,
        offset: 999,
    };
    let leader = cluster.leader("bids", 0).unwrap();
    let mut fetched = cluster
        .fetch(leader, &[beyond], all, FetchLimits::default())
        .unwrap();
    let error = fetched.remove(0).unwrap_err().to_string();
    assert!(error.contains("`bids` from offset 999"), "{error}");
    assert!(error.contains("OffsetOutOfRange"), "{error}");
}

fn text(id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(id.to_owned()))
}

/// Writes values in a transaction, which is then committed, aborted or left open.
fn transaction(cluster: &mut Cluster, id: &str, values: &[&str], commit: Option<bool>) {
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(text(id)))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let producer = cluster
        .retry(|cluster| {
            let answer = cluster.ask_coordinator((CoordinatorKind::Transaction, id), 4, &init)?;
            match answer.error_code {
                0 => Ok(answer),
                code => Err(Error::new(ErrorKind::Retryable, format!("code {code}"))),
            }
        })
        .unwrap();
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("bids")))
        .with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(text(id))
        .with_v3_and_below_producer_id(producer.producer_id)
        .with_v3_and_below_producer_epoch(producer.producer_epoch)
        .with_v3_and_below_topics(vec![topic]);
    let coordinator = (CoordinatorKind::Transaction, id);
    let added = cluster.retry(|cluster| {
        let answer = cluster.ask_coordinator(coordinator, 3, &add)?;
        let code =
            answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
        match code {
            0 => Ok(()),
            code => Err(Error::new(ErrorKind::Retryable, format!("code {code}"))),
        }
    });
    added.unwrap();
    let head = BatchHead {
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch,
        base_sequence: 0,
        transactional: true,
        ..BatchHead::plain(Compression::None)
    };
    cluster
        .produce(("bids", 0), batch(&head, values), Some(id))
        .unwrap();
    if let Some(commit) = commit {
        let end = EndTxnRequest::default()
            .with_transactional_id(text(id))
            .with_producer_id(producer.producer_id)
            .with_producer_epoch(producer.producer_epoch)
            .with_committed(commit);
        let answer = cluster.ask_coordinator(coordinator, 4, &end);
        assert_eq!(answer.unwrap().error_code, 0);
    }
}

#[test]
fn only_what_was_committed_is_read_if_that_is_asked_for() {
    let server = Server::start();
    server.create_topic("bids", 1);
    let mut cluster = server.cluster();
    transaction(&mut cluster, "a", &["a1", "a2"], Some(true));
    transaction(&mut cluster, "b", &["b1"], Some(false));
    let plain = batch(&BatchHead::plain(Compression::None), &["plain"]);
    cluster.produce(("bids", 0), plain, None).unwrap();
    // One that aborted before commits now.
    transaction(&mut cluster, "b", &["b2"], Some(true));
    transaction(&mut cluster, "c", &["open"], None);
    let committed = IsolationLevel::ReadCommitted;
    let expected = ["a1", "a2", "plain", "b2"];
    assert_eq!(read(&mut cluster, "bids", 0, committed), expected);
    let everything = ["a1", "a2", "b1", "plain", "b2", "open"];
    let all = IsolationLevel::ReadUncommitted;
    assert_eq!(read(&mut cluster, "bids", 0, all), everything);
}

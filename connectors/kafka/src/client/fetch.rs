//! The records of partitions, as their leader has them.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use thalweg_core::error::Result;

use super::cluster::{Cluster, Leader};
use super::errors::refused;
use super::records::RecordBatch;

// From 13 on topics have numbers in the place of names.
const NEWEST: i16 = 12;

/// Whether records of transactions that are open, or were aborted, are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All that is there.
    #[default]
    ReadUncommitted,
    /// Only what was committed, or is part of no transaction.
    ReadCommitted,
}

impl IsolationLevel {
    pub(super) fn number(self) -> i8 {
        match self {
            IsolationLevel::ReadUncommitted => 0,
            IsolationLevel::ReadCommitted => 1,
        }
    }
}

/// Where to go on in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPosition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset wanted.
    pub offset: i64,
}

/// What there is of a partition behind a position.
#[derive(Debug)]
pub struct Fetched {
    /// What was asked for.
    pub position: FetchPosition,
    /// Behind the last record that consumers may see.
    pub high_watermark: i64,
    /// Behind the last record of no open transaction.
    pub last_stable_offset: i64,
    /// The first offset that is still there.
    pub log_start_offset: i64,
    records: Bytes,
    isolation: IsolationLevel,
    // Who has aborted what, in the order in which it begins.
    aborted: Vec<(i64, i64)>,
}

/// How much to ask for.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// How long the leader may wait for the first byte.
    pub wait: Duration,
    /// Bytes of an answer, about.
    pub bytes: i32,
    /// Bytes of a partition in it, about.
    pub partition_bytes: i32,
}

impl Default for FetchLimits {
    fn default() -> Self {
        FetchLimits {
            wait: Duration::from_millis(500),
            bytes: 52_428_800,
            partition_bytes: 1_048_576,
        }
    }
}

impl Cluster {
    /// Asks a leader for what is behind some positions: one answer each, or the error of that
    /// partition.
    ///
    /// # Errors
    /// `Retryable` if the leader does not answer.
    pub fn fetch(
        &mut self,
        leader: Leader,
        positions: &[FetchPosition],
        isolation: IsolationLevel,
        limits: FetchLimits,
    ) -> Result<Vec<Result<Fetched>>> {
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(limits.wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(limits.bytes)
            .with_isolation_level(isolation.number())
            .with_session_id(0)
            .with_session_epoch(-1)
            .with_topics(by_topic(positions, limits));
        let answer = self.ask(leader, (NEWEST, limits.wait), &request)?;
        if answer.error_code != 0 {
            return Err(refused("fetch", answer.error_code));
        }
        let mut fetched = Vec::new();
        for topic in answer.responses {
            for found in topic.partitions {
                let position = positions.iter().find(|position| {
                    position.partition == found.partition_index
                        && position.topic == topic.topic.0.as_str()
                });
                let Some(position) = position else {
                    continue;
                };
                let one = Fetched::of(position, found, isolation);
                if one.is_err() {
                    self.forget(&position.topic);
                }
                fetched.push(one);
            }
        }
        Ok(fetched)
    }
}

/// Positions as a request has them.
fn by_topic(positions: &[FetchPosition], limits: FetchLimits) -> Vec<FetchTopic> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for position in positions {
        let one = FetchPartition::default()
            .with_partition(position.partition)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(position.offset)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(limits.partition_bytes);
        match topics
            .iter_mut()
            .find(|t| t.topic.0.as_str() == position.topic)
        {
            Some(topic) => topic.partitions.push(one),
            None => {
                let name = TopicName(StrBytes::from_string(position.topic.clone()));
                let topic = FetchTopic::default().with_topic(name);
                topics.push(topic.with_partitions(vec![one]));
            }
        }
    }
    topics
}

impl Fetched {
    fn of(
        position: &FetchPosition,
        found: PartitionData,
        isolation: IsolationLevel,
    ) -> Result<Self> {
        if found.error_code != 0 {
            let FetchPosition {
                topic,
                partition,
                offset,
            } = position;
            let what = format!("partition {partition} of topic `{topic}` from offset {offset}");
            return Err(refused(&what, found.error_code));
        }
        let aborted = found.aborted_transactions.unwrap_or_default();
        let aborted = aborted
            .iter()
            .map(|aborted| (aborted.first_offset, aborted.producer_id.0));
        let mut aborted: Vec<(i64, i64)> = aborted.collect();
        aborted.sort_unstable();
        Ok(Fetched {
            position: position.clone(),
            high_watermark: found.high_watermark,
            last_stable_offset: found.last_stable_offset,
            log_start_offset: found.log_start_offset,
            records: found.records.unwrap_or_default(),
            isolation,
            aborted,
        })
    }

    /// How many bytes came.
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Visits the batches with data in order, and returns where to go on. A batch may begin before the
    /// position: its first records are to be passed over. Batches of aborted transactions are not
    /// visited if only what was committed is read.
    ///
    /// # Errors
    /// `Corrupt` for damaged batches; what `visit` fails with.
    pub fn each_batch(&self, mut visit: impl FnMut(&RecordBatch<'_>) -> Result<()>) -> Result<i64> {
        let mut next = self.position.offset;
        let mut aborted = self.aborted.iter().peekable();
        let mut aborting: BTreeSet<i64> = BTreeSet::new();
        let mut input = &self.records[..];
        while let Some(batch) = RecordBatch::take(&mut input)? {
            let behind = batch.next_offset();
            while let Some((_, producer)) = aborted.next_if(|(first, _)| *first < behind) {
                aborting.insert(*producer);
            }
            let head = &batch.head;
            let is_aborted = self.isolation == IsolationLevel::ReadCommitted
                && head.transactional
                && aborting.contains(&head.producer_id);
            if head.control {
                // The transaction ends here; a later one of the producer may be committed.
                if is_aborted && !batch.is_commit()? {
                    aborting.remove(&head.producer_id);
                }
            } else if !is_aborted && behind > self.position.offset {
                visit(&batch)?;
            }
            next = next.max(behind);
        }
        Ok(next)
    }
}

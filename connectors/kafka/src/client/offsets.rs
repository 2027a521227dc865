//! Where a partition begins, ends, or reaches a time.

use std::time::Duration;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use thalweg_core::error::{Error, ErrorKind, Result};

use super::cluster::Cluster;
use super::errors::refused;
use super::fetch::IsolationLevel;

// Newer versions ask for tiered storage, which nobody here does.
const NEWEST: i16 = 7;
// What stands for an end in the place of a time.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Which place of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first record that is still there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// The first record that is not older, in milliseconds; behind the last one if all are.
    Timestamp(i64),
}

impl Cluster {
    /// The offset of a place in a partition. With [`IsolationLevel::ReadCommitted`] a partition ends
    /// before its first transaction that is open.
    ///
    /// # Errors
    /// `User` if there is no such partition; `Retryable` if its leader does not answer.
    pub fn offset(
        &mut self,
        topic: &str,
        partition: i32,
        spec: OffsetSpec,
        isolation: IsolationLevel,
    ) -> Result<i64> {
        let found = self.retry(|cluster| cluster.list_offset(topic, partition, spec, isolation))?;
        match (found, spec) {
            // No record is as young as that.
            (-1, OffsetSpec::Timestamp(_)) => {
                self.offset(topic, partition, OffsetSpec::Latest, isolation)
            }
            (found, _) => Ok(found),
        }
    }

    fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        spec: OffsetSpec,
        isolation: IsolationLevel,
    ) -> Result<i64> {
        let leader = self.leader(topic, partition)?;
        let one = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(match spec {
                OffsetSpec::Latest => LATEST,
                OffsetSpec::Earliest => EARLIEST,
                OffsetSpec::Timestamp(millis) => millis.max(0),
            });
        let topics = ListOffsetsTopic::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partitions(vec![one]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation.number())
            .with_topics(vec![topics]);
        let answer = self.ask(leader, (NEWEST, Duration::ZERO), &request)?;
        let found = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first());
        match found {
            Some(found) if found.error_code == 0 => Ok(found.offset),
            Some(found) => {
                self.forget(topic);
                let what = format!("offsets of partition {partition} of topic `{topic}`");
                Err(refused(&what, found.error_code))
            }
            None => Err(Error::new(
                ErrorKind::Retryable,
                format!("the broker says nothing of partition {partition} of topic `{topic}`"),
            )),
        }
    }
}

//! Records to the leader of their partition.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use thalweg_core::error::{Error, ErrorKind, Result};

use super::cluster::Cluster;
use super::errors::refused;

// From 13 on topics have numbers in the place of names.
const NEWEST: i16 = 12;
const ALL_IN_SYNC: i16 = -1;

/// Where records were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// The offset of the first one.
    pub base_offset: i64,
}

impl Cluster {
    /// Writes a batch, made by [`super::write_batch`], to a partition, and waits until all replicas that
    /// are in step have it. Not repeated if it fails: whether it was written is not known then.
    ///
    /// # Errors
    /// `User` for a partition that is not there, records that are too large or a missing permission;
    /// `Retryable` if the leader does not answer.
    pub fn produce(
        &mut self,
        (topic, partition): (&str, i32),
        batch: Bytes,
        transactional_id: Option<&str>,
    ) -> Result<Produced> {
        let leader = self.leader(topic, partition)?;
        let timeout = self.config().request_timeout;
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch));
        let data = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partition_data(vec![data]);
        let id = transactional_id.map(|id| TransactionalId(StrBytes::from_string(id.to_owned())));
        let request = ProduceRequest::default()
            .with_transactional_id(id)
            .with_acks(ALL_IN_SYNC)
            .with_timeout_ms(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX))
            .with_topic_data(vec![data]);
        let answer = self.ask(leader, (NEWEST, Duration::ZERO), &request)?;
        let topics = answer.responses.first();
        let answer = topics.and_then(|topic| topic.partition_responses.first());
        let what = format!("records for partition {partition} of topic `{topic}`");
        match answer {
            Some(answer) if answer.error_code == 0 => Ok(Produced {
                base_offset: answer.base_offset,
            }),
            Some(answer) => {
                self.forget(topic);
                let error = refused(&what, answer.error_code);
                Err(match &answer.error_message {
                    Some(message) => error.context(message.to_string()),
                    None => error,
                })
            }
            None => Err(Error::new(
                ErrorKind::Retryable,
                format!("{what}: the broker says nothing of them"),
            )),
        }
    }
}

//! The brokers of a cluster, and who of them leads which partition.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use thalweg_core::error::{Error, ErrorKind, Result};

use super::config::ClientConfig;
use super::connection::Connection;
use super::errors::{is_passing, refused};

const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A broker that leads a partition, by its number in the cluster.
pub type Leader = i32;

/// What a cluster says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its name.
    pub name: String,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// The leader of each partition, by number; `None` while one is being elected.
    pub partitions: BTreeMap<i32, Option<Leader>>,
}

/// A cluster.
pub struct Cluster {
    config: ClientConfig,
    brokers: BTreeMap<Leader, String>,
    connections: BTreeMap<Leader, Connection>,
    topics: BTreeMap<String, TopicMetadata>,
}

impl Cluster {
    /// A cluster that nothing is known of; nobody is asked yet.
    pub fn new(config: ClientConfig) -> Self {
        Cluster {
            config,
            brokers: BTreeMap::new(),
            connections: BTreeMap::new(),
            topics: BTreeMap::new(),
        }
    }

    /// What was said.
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Asks for some topics, or for all of them. Topics that do not exist are not in the answer.
    ///
    /// # Errors
    /// `Retryable` if no broker answers; `User` if this client may not know.
    pub fn metadata(&mut self, topics: Option<&[String]>) -> Result<Vec<TopicMetadata>> {
        let named = |name: &String| {
            let name = TopicName(StrBytes::from_string(name.clone()));
            MetadataRequestTopic::default().with_name(Some(name))
        };
        let request = MetadataRequest::default()
            .with_topics(topics.map(|topics| topics.iter().map(named).collect()))
            .with_allow_auto_topic_creation(false);
        let answer = self.ask_anybody(&request)?;
        let found = self.take_metadata(answer)?;
        for topic in &found {
            self.topics.insert(topic.name.clone(), topic.clone());
        }
        Ok(found)
    }

    fn take_metadata(&mut self, answer: MetadataResponse) -> Result<Vec<TopicMetadata>> {
        for broker in answer.brokers {
            let address = format!("{}:{}", broker.host.as_str(), broker.port);
            self.know(broker.node_id.0, address);
        }
        let mut found = Vec::new();
        for topic in answer.topics {
            let Some(name) = topic.name.map(|name| name.0.to_string()) else {
                continue;
            };
            match topic.error_code {
                0 => {}
                UNKNOWN_TOPIC => continue,
                code if is_passing(code) => {}
                code => return Err(refused(&format!("topic `{name}`"), code)),
            }
            let partitions = topic.partitions.iter().map(|partition| {
                let leader = partition.leader_id.0;
                (partition.partition_index, (leader >= 0).then_some(leader))
            });
            found.push(TopicMetadata {
                is_internal: topic.is_internal,
                partitions: partitions.collect(),
                name,
            });
        }
        Ok(found)
    }

    /// Where a broker is.
    pub(super) fn know(&mut self, broker: Leader, address: String) {
        let known = self.brokers.insert(broker, address.clone());
        if known.is_some_and(|known| known != address) {
            self.connections.remove(&broker);
        }
    }

    /// The leader of a partition, asked for if it is not known.
    ///
    /// # Errors
    /// `User` if there is no such topic or partition; `Retryable` if it has no leader now, or nobody
    /// answers.
    pub fn leader(&mut self, topic: &str, partition: i32) -> Result<Leader> {
        if let Some(leader) = self.known_leader(topic, partition) {
            return Ok(leader);
        }
        self.metadata(Some(&[topic.to_owned()]))?;
        if let Some(leader) = self.known_leader(topic, partition) {
            return Ok(leader);
        }
        let known = self.topics.get(topic);
        let exists = known.is_some_and(|topic| topic.partitions.contains_key(&partition));
        Err(match (known, exists) {
            (None, _) => Error::user(format!("there is no topic `{topic}`")),
            (Some(_), true) => Error::new(
                ErrorKind::Retryable,
                format!("partition {partition} of topic `{topic}` has no leader"),
            ),
            (Some(known), false) => Error::user(format!(
                "topic `{topic}` has no partition {partition}: it has {}",
                known.partitions.len()
            )),
        })
    }

    fn known_leader(&self, topic: &str, partition: i32) -> Option<Leader> {
        let topic = self.topics.get(topic)?;
        topic.partitions.get(&partition).copied().flatten()
    }

    /// What is known of who leads a topic is wrong.
    pub fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Asks one broker. A connection that breaks is not used again, and whoever led there may not any
    /// more.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn ask<R: Request>(
        &mut self,
        broker: Leader,
        (newest, waits): (i16, Duration),
        request: &R,
    ) -> Result<R::Response> {
        let answer = self
            .connection(broker)
            .and_then(|connection| connection.call_up_to(newest, waits, request));
        if answer.is_err() {
            self.connections.remove(&broker);
            self.topics.clear();
        }
        answer
    }

    fn connection(&mut self, broker: Leader) -> Result<&mut Connection> {
        if !self.connections.contains_key(&broker) {
            let address = self.brokers.get(&broker);
            let address = address.ok_or_else(|| {
                Error::new(
                    ErrorKind::Retryable,
                    format!("broker {broker} is not known"),
                )
            })?;
            let connection = Connection::open(address, &self.config)?;
            self.connections.insert(broker, connection);
        }
        let connection = self.connections.get_mut(&broker);
        connection.ok_or_else(|| Error::internal("the connection was just made"))
    }

    /// Asks whoever answers: those connected first, then the brokers known, then those named.
    ///
    /// # Errors
    /// That of the last one asked.
    pub fn ask_anybody<R: Request>(&mut self, request: &R) -> Result<R::Response> {
        self.ask_anybody_up_to(i16::MAX, request)
    }

    /// The same in a version up to `newest`.
    pub(super) fn ask_anybody_up_to<R: Request>(
        &mut self,
        newest: i16,
        request: &R,
    ) -> Result<R::Response> {
        let connected = self.connections.keys().copied();
        let known = self.brokers.keys().copied();
        let mut order: Vec<Leader> = connected.collect();
        order.extend(known.filter(|broker| !self.connections.contains_key(broker)));
        let mut last = None;
        for broker in order {
            match self.ask(broker, (newest, Duration::ZERO), request) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        for address in &self.config.bootstrap_servers {
            let answer = Connection::open(address, &self.config)
                .and_then(|mut connection| connection.call_up_to(newest, Duration::ZERO, request));
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::user("no broker is named: `bootstrap.servers` is empty")))
    }

    /// Repeats `attempt` while what it fails with may pass, for as long as the configuration says.
    ///
    /// # Errors
    /// That of the last attempt.
    #[allow(clippy::disallowed_methods, reason = "a client waits in real time")]
    pub fn retry<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        let started = std::time::Instant::now();
        let mut backoff = self.config.retry_backoff;
        loop {
            match attempt(self) {
                Err(error)
                    if error.kind() == ErrorKind::Retryable
                        && started.elapsed() + backoff < self.config.retry_for =>
                {
                    self.topics.clear();
                    std::thread::sleep(backoff);
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
                answer => return answer,
            }
        }
    }
}

const UNKNOWN_TOPIC: i16 = 3;

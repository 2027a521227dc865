//! What a client is told.

use std::time::Duration;

/// Where a cluster is, and how long it may take to answer.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Brokers to ask first, as `host:port`. One that answers is enough.
    pub bootstrap_servers: Vec<String>,
    /// The name under which brokers log this client.
    pub client_id: String,
    /// How long a broker may take to answer, without what it waits for on purpose.
    pub request_timeout: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a request is repeated whose failure may pass: a leader that is being elected.
    pub retry_for: Duration,
    /// How long to wait before the first repetition; it doubles up to a second.
    pub retry_backoff: Duration,
}

impl ClientConfig {
    /// The defaults, with Kafka's times.
    pub fn new(bootstrap_servers: Vec<String>) -> Self {
        ClientConfig {
            bootstrap_servers,
            client_id: "thalweg".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            retry_for: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
        }
    }
}

//! The broker that keeps the transactions of a producer, or the offsets of a group.

use std::time::Duration;

use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::protocol::StrBytes;
use thalweg_core::error::Result;

use super::cluster::{Cluster, Leader};
use super::errors::refused;

// From 4 on several are asked for at once.
const NEWEST: i16 = 3;

/// What a coordinator keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorKind {
    /// The offsets of a consumer group.
    Group,
    /// The transactions of a transactional id.
    Transaction,
}

impl Cluster {
    /// Who keeps what there is of a group or of a transactional id. The first question makes the cluster
    /// set up what it keeps that in.
    ///
    /// # Errors
    /// `Retryable` while there is nobody; `User` if this client may not know.
    pub fn coordinator(&mut self, kind: CoordinatorKind, id: &str) -> Result<Leader> {
        let request = FindCoordinatorRequest::default()
            .with_key(StrBytes::from_string(id.to_owned()))
            .with_key_type(match kind {
                CoordinatorKind::Group => 0,
                CoordinatorKind::Transaction => 1,
            });
        let answer = self.ask_anybody_up_to(NEWEST, &request)?;
        if answer.error_code != 0 {
            let what = match kind {
                CoordinatorKind::Group => format!("coordinator of group `{id}`"),
                CoordinatorKind::Transaction => format!("coordinator of transactional id `{id}`"),
            };
            return Err(refused(&what, answer.error_code));
        }
        let address = format!("{}:{}", answer.host.as_str(), answer.port);
        self.know(answer.node_id.0, address);
        Ok(answer.node_id.0)
    }

    /// Asks the coordinator, who may wait for `waits` before it answers.
    ///
    /// # Errors
    /// As [`Cluster::coordinator`] and [`Cluster::ask`].
    pub fn ask_coordinator<R: kafka_protocol::protocol::Request>(
        &mut self,
        (kind, id): (CoordinatorKind, &str),
        newest: i16,
        request: &R,
    ) -> Result<R::Response> {
        let coordinator = self.coordinator(kind, id)?;
        self.ask(coordinator, (newest, Duration::ZERO), request)
    }
}

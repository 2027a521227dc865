//! What brokers answer and what connections fail with, as errors of the engine.

use kafka_protocol::ResponseError;
use thalweg_core::error::{Error, ErrorKind};

/// Whether an answer may be another one soon: the leader has moved, a topic was just made.
pub(super) fn is_passing(code: i16) -> bool {
    let known = ResponseError::try_from_code(code);
    known.is_some_and(|error| error.is_retriable())
}

/// An error code of a broker; `what` was asked for. That a broker does not know a topic passes: it
/// hears of new ones later than others.
pub(super) fn refused(what: &str, code: i16) -> Error {
    let Some(error) = ResponseError::try_from_code(code) else {
        return Error::internal(format!("{what}: a success was taken for an error"));
    };
    let kind = match error {
        ResponseError::TopicAuthorizationFailed
        | ResponseError::GroupAuthorizationFailed
        | ResponseError::ClusterAuthorizationFailed
        | ResponseError::TransactionalIdAuthorizationFailed
        | ResponseError::InvalidTopicException
        | ResponseError::MessageTooLarge
        | ResponseError::SaslAuthenticationFailed
        | ResponseError::UnsupportedSaslMechanism => ErrorKind::User,
        ResponseError::CorruptMessage => ErrorKind::Corrupt,
        ResponseError::UnsupportedVersion => ErrorKind::Unsupported,
        _ => ErrorKind::Retryable,
    };
    Error::new(
        kind,
        format!("{what}: the broker answers `{error}` ({code})"),
    )
}

/// A connection that broke, or never was.
pub(super) fn lost(broker: &str, what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Retryable, format!("broker `{broker}`: {what}")).with_source(error)
}

/// An answer that is none.
pub(super) fn garbled(broker: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Retryable,
        format!("broker `{broker}` answers what is no {what}: does it speak Kafka's protocol?"),
    )
}

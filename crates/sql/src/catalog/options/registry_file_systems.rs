//! The keys of file systems and object stores.

use super::OptionDefinition;

option_table! {
    /// Keys of file systems. Without a default, as what is not set may be said by the environment.
    FILE_SYSTEMS;
    "s3.endpoint": Text, None, Implemented,
        "The server that `s3:` URIs are asked of; Amazon's, if it is not set.";
    "s3.endpoint.region": Text, None, Implemented,
        "The region of the server.";
    "s3.region": Text, None, Implemented,
        "Newer name of `s3.endpoint.region`.";
    "s3.access-key": Text, None, Implemented,
        "Who asks.";
    "s3.access.key": Text, None, Implemented,
        "Other name of `s3.access-key`.";
    "s3.secret-key": Text, None, Implemented,
        "What proves it.";
    "s3.secret.key": Text, None, Implemented,
        "Other name of `s3.secret-key`.";
    "s3.session.token": Text, None, Implemented,
        "The token that belongs to a temporary key.";
    "s3.session-token": Text, None, Implemented,
        "Other name of `s3.session.token`.";
    "s3.path.style.access": Boolean, None, Implemented,
        "Whether the bucket stands in the path instead of in front of the host.";
    "s3.path-style-access": Boolean, None, Implemented,
        "Other name of `s3.path.style.access`.";
    "s3.retry.max-num-retries": Integer, None, Implemented,
        "How often a request is tried again.";
}

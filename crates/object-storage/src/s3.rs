//! Amazon S3, and what speaks its protocol.

use std::env;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use thalweg_core::config::FileSystemOptions;
use thalweg_core::error::{Error, Result};

use crate::errors::Place;
use crate::storage::ObjectStorage;

const ENDPOINT: &[&str] = &["s3.endpoint"];
const REGION: &[&str] = &["s3.endpoint.region", "s3.region"];
const ACCESS_KEY: &[&str] = &["s3.access-key", "s3.access.key"];
const SECRET_KEY: &[&str] = &["s3.secret-key", "s3.secret.key"];
const TOKEN: &[&str] = &["s3.session.token", "s3.session-token"];
const PATH_STYLE: &[&str] = &["s3.path.style.access", "s3.path-style-access"];
const RETRIES: &[&str] = &["s3.retry.max-num-retries"];

// Flink's, for each request. A checkpoint that fails is tried again anyway.
const RETRIES_DEFAULT: usize = 3;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(20);
const RETRYING: Duration = Duration::from_secs(120);

// A part of 8 MiB passes within this on a line of a megabit a second.
const REQUEST: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(10);

/// Opens `s3://bucket/prefix`.
///
/// | Option | Means | Else |
/// |---|---|---|
/// | `s3.endpoint` | the server | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, Amazon's |
/// | `s3.endpoint.region`, `s3.region` | the region | `AWS_REGION`, `AWS_DEFAULT_REGION`, `us-east-1` |
/// | `s3.access-key`, `s3.secret-key`, `s3.session.token` | credentials | `AWS_…`, the role of the machine |
/// | `s3.path.style.access` | the bucket stands in the path | `false`, `true` where it cannot stand in front |
/// | `s3.retry.max-num-retries` | retries of a request | 3 |
///
/// # Errors
/// `User` if the URI or an option is wrong. Nothing is asked of the server yet.
pub fn open(uri: &str, options: &FileSystemOptions) -> Result<ObjectStorage> {
    let (scheme, bucket, prefix) = parts(uri)?;
    let mut builder = builder(options)?;
    let endpoint = match options.first(ENDPOINT) {
        Some((_, endpoint)) => Some(endpoint.to_owned()),
        None => builder.get_config_value(&AmazonS3ConfigKey::Endpoint),
    };
    let region = options.first(REGION).map(|(_, region)| region.to_owned());
    let region = region.or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Region));
    if let Some(region) = &region {
        builder = builder.with_region(region);
    }
    let path_style = flag(options, PATH_STYLE)?.unwrap_or(false);
    let endpoint = match endpoint {
        Some(endpoint) => {
            let endpoint = with_scheme(&endpoint);
            let (address, virtual_hosted) = address(&endpoint, bucket, path_style);
            builder = builder
                .with_endpoint(address)
                .with_virtual_hosted_style_request(virtual_hosted)
                .with_allow_http(endpoint.starts_with("http://"));
            endpoint
        }
        None => {
            builder = builder.with_virtual_hosted_style_request(!path_style);
            let region = region.as_deref().unwrap_or("us-east-1");
            format!("https://s3.{region}.amazonaws.com")
        }
    };
    let allow_http = endpoint.starts_with("http://");
    let client = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST);
    let built = builder
        .with_bucket_name(bucket)
        .with_client_options(client)
        .with_retry(retry(options)?)
        .build();
    let store = built.map_err(|error| {
        Error::user(format!("`{uri}` cannot be opened at `{endpoint}`")).with_source(error)
    })?;
    let place = Place {
        bucket: format!("{scheme}://{bucket}"),
        endpoint,
    };
    ObjectStorage::new(Arc::new(store), place, prefix)
}

/// The scheme, the bucket and the prefix of a URI.
fn parts(uri: &str) -> Result<(&str, &str, &str)> {
    let wrong = || {
        Error::user(format!(
            "`{uri}` is not of the form `s3://bucket/directory`"
        ))
    };
    let (scheme, rest) = uri.split_once("://").ok_or_else(wrong)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        // Not shown: what stands before the `@` is a secret.
        return Err(Error::user(
            "a URI of an object store has credentials in it; they belong into `s3.access-key` and \
             `s3.secret-key`, or into `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
        ));
    }
    if bucket.is_empty() || bucket.contains(['?', '#', ':']) {
        return Err(wrong());
    }
    Ok((scheme, bucket, prefix.trim_matches('/')))
}

/// With credentials: those of the options, else those of the environment or of the machine.
fn builder(options: &FileSystemOptions) -> Result<AmazonS3Builder> {
    match (options.first(ACCESS_KEY), options.first(SECRET_KEY)) {
        (Some((_, access)), Some((_, secret))) => {
            // Not on top of the environment, whose token would not belong to this key.
            let mut builder = AmazonS3Builder::new()
                .with_access_key_id(access)
                .with_secret_access_key(secret);
            if let Some((_, token)) = options.first(TOKEN) {
                builder = builder.with_token(token);
            }
            let variables = [
                (
                    AmazonS3ConfigKey::Region,
                    &["AWS_REGION", "AWS_DEFAULT_REGION"],
                ),
                (
                    AmazonS3ConfigKey::Endpoint,
                    &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
                ),
            ];
            for (key, names) in variables {
                if let Some(value) = names.iter().find_map(|name| env::var(name).ok()) {
                    builder = builder.with_config(key, value);
                }
            }
            Ok(builder)
        }
        (None, None) => Ok(AmazonS3Builder::from_env()),
        (Some((key, _)), None) => Err(one_of_two(key, SECRET_KEY[0])),
        (None, Some((key, _))) => Err(one_of_two(key, ACCESS_KEY[0])),
    }
}

fn one_of_two(key: &str, missing: &str) -> Error {
    Error::user(format!("`{key}` is set and `{missing}` is not"))
}

fn flag(options: &FileSystemOptions, keys: &[&'static str]) -> Result<Option<bool>> {
    let Some((key, value)) = options.first(keys) else {
        return Ok(None);
    };
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(Error::user(format!(
            "`{key}` = `{value}`: neither `true` nor `false`"
        ))),
    }
}

fn retry(options: &FileSystemOptions) -> Result<RetryConfig> {
    let max_retries = match options.first(RETRIES) {
        None => RETRIES_DEFAULT,
        Some((key, value)) => value
            .parse()
            .map_err(|_| Error::user(format!("`{key}` = `{value}`: not a number of retries")))?,
    };
    Ok(RetryConfig {
        backoff: BackoffConfig {
            init_backoff: FIRST_RETRY,
            max_backoff: LAST_RETRY,
            base: 2.0,
        },
        max_retries,
        retry_timeout: RETRYING,
    })
}

/// An endpoint without a scheme is meant to be encrypted.
fn with_scheme(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.contains("://") {
        true => endpoint.to_owned(),
        false => format!("https://{endpoint}"),
    }
}

/// Where requests for a bucket go, and whether its name stands in front of the host.
fn address(endpoint: &str, bucket: &str, path_style: bool) -> (String, bool) {
    let Some((scheme, rest)) = endpoint.split_once("://") else {
        return (endpoint.to_owned(), false);
    };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = host.trim_matches(['[', ']']);
    // Nothing can stand in front of a number, and a bucket's dots fit no certificate.
    let impossible = bare.parse::<IpAddr>().is_ok() || bare == "localhost" || bucket.contains('.');
    if path_style || impossible {
        return (endpoint.to_owned(), false);
    }
    (format!("{scheme}://{bucket}.{rest}"), true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use thalweg_core::error::ErrorKind;
    use thalweg_state::CheckpointStorage;

    use super::*;

    fn options(pairs: &[(&str, &str)]) -> FileSystemOptions {
        let mut options = FileSystemOptions::default();
        for (key, value) in pairs {
            options.set(*key, *value);
        }
        options
    }

    #[test]
    fn a_uri_has_a_bucket_and_may_have_a_prefix() {
        let options = options(&[("s3.access-key", "a"), ("s3.secret-key", "b")]);
        for (uri, shown) in [
            ("s3://bucket", "s3://bucket/x"),
            ("s3://bucket/", "s3://bucket/x"),
            ("s3a://bucket/a/b/", "s3a://bucket/a/b/x"),
            ("s3://bucket//a", "s3://bucket/a/x"),
        ] {
            assert_eq!(open(uri, &options).unwrap().display("x"), shown);
        }
        let storage = open("s3://bucket/job/chk-7", &options).unwrap();
        assert_eq!(storage.display("../shared/1"), "s3://bucket/job/shared/1");
        let error = storage.read("../../../other").unwrap_err();
        assert!(error.to_string().contains("leads out of"), "{error}");
        for uri in ["s3:/bucket", "s3://", "s3:///x", "s3:x"] {
            let error = open(uri, &options).unwrap_err();
            assert!(error.to_string().contains("s3://bucket/directory"), "{uri}");
        }
    }

    #[test]
    fn secrets_stand_in_no_message() {
        let error = open("s3://AKIA:SESAME@bucket/x", &options(&[])).unwrap_err();
        assert!(!format!("{error:?}").contains("SESAME"));
        let options = options(&[("s3.access-key", "AKIA"), ("s3.secret-key", "SESAME")]);
        let storage = open("s3://bucket/x", &options).unwrap();
        assert!(!format!("{storage:?} {options:?}").contains("SESAME"));
    }

    #[test]
    fn a_wrong_option_is_named() {
        let cases = [
            ("s3.path.style.access", "yes"),
            ("s3.retry.max-num-retries", "many"),
            ("s3.access-key", "alone"),
            ("s3.secret.key", "alone"),
        ];
        for (key, value) in cases {
            let error = open("s3://bucket/x", &options(&[(key, value)])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::User, "{key}");
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn the_bucket_stands_in_front_of_the_host_where_it_can() {
        let to = |endpoint: &str, bucket: &str, path_style| address(endpoint, bucket, path_style);
        let same = |endpoint: &str| (endpoint.to_owned(), false);
        let aws = "https://s3.eu-west-1.amazonaws.com";
        assert_eq!(
            to(aws, "b", false),
            ("https://b.s3.eu-west-1.amazonaws.com".to_owned(), true)
        );
        assert_eq!(to(aws, "b", true), same(aws));
        assert_eq!(to(aws, "b.c", false), same(aws));
        for endpoint in [
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://localhost:1",
        ] {
            assert_eq!(to(endpoint, "b", false), same(endpoint));
        }
        assert_eq!(with_scheme("minio:9000/"), "https://minio:9000");
    }
}

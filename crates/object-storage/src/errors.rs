//! What object stores fail with, as errors of the engine.

use std::error::Error as StdError;

use object_store::Error as StoreError;
use thalweg_core::error::{Error, ErrorKind};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    List,
    Delete,
}

/// Where it was done, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The scheme and the bucket: `s3://bucket`.
    pub(crate) bucket: String,
    /// The server.
    pub(crate) endpoint: String,
}

impl Place {
    /// The error that an object store's answer stands for.
    pub(crate) fn error(&self, action: Action, key: &str, error: &StoreError) -> Error {
        let Place { bucket, endpoint } = self;
        let place = format!("{bucket}/{key}");
        let verb = match action {
            Action::Read => "read",
            Action::Write => "write",
            Action::List => "list",
            Action::Delete => "delete",
        };
        let answer = Answer::of(error);
        match (error, answer.code.as_deref()) {
            (_, Some("NoSuchBucket")) => Error::user(format!(
                "cannot {verb} `{place}`: there is no bucket `{bucket}` at `{endpoint}`; create it, or \
                 correct the URI or `s3.endpoint`"
            )),
            (StoreError::NotFound { .. }, _) if action == Action::Read => {
                Error::corrupt(format!("`{place}` does not exist"))
            }
            _ if answer.refuses(error) => Error::user(format!(
                "cannot {verb} `{place}`: `{endpoint}` refuses it ({}); check `s3.access-key` and \
                     `s3.secret-key`, or the variables `AWS_…`, and what they may do in this bucket",
                answer.text
            )),
            (_, Some(_)) => Error::new(
                ErrorKind::Retryable,
                format!(
                    "cannot {verb} `{place}`: `{endpoint}` answers {}",
                    answer.text
                ),
            ),
            _ => Error::new(
                ErrorKind::Retryable,
                format!(
                    "cannot {verb} `{place}` at `{endpoint}`: {}; is the server running, and is \
                     `s3.endpoint` right?",
                    answer.text
                ),
            ),
        }
    }
}

/// What a server has said, or why it could not be asked.
struct Answer {
    code: Option<String>,
    text: String,
}

// What servers answer to those they do not know or do not trust. Listings report no other kind.
const REFUSALS: [&str; 7] = [
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "SignatureDoesNotMatch",
];

impl Answer {
    fn refuses(&self, error: &StoreError) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| REFUSALS.contains(&code))
            || matches!(
                error,
                StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }
            )
    }

    fn of(error: &StoreError) -> Self {
        let text = error.to_string();
        // The document in an answer repeats the request; its code and message are what helps.
        if let Some(code) = element(&text, "Code") {
            let message = element(&text, "Message").unwrap_or_default();
            let text = match message {
                "" => format!("`{code}`"),
                message => format!("`{code}`: {message}"),
            };
            return Answer {
                code: Some(code.to_owned()),
                text,
            };
        }
        // The last cause is the one of the system, such as a refused connection.
        let mut cause: &dyn StdError = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Answer {
            code: None,
            text: cause.to_string(),
        }
    }
}

/// The text of an element of an XML document.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            bucket: "s3://bucket".to_owned(),
            endpoint: "http://127.0.0.1:9".to_owned(),
        }
    }

    fn answer(code: &str) -> Box<dyn StdError + Send + Sync> {
        format!(
            "Server returned: <Error><Code>{code}</Code><Message>why</Message>\
             <StringToSign>very long</StringToSign></Error>"
        )
        .into()
    }

    #[test]
    fn a_missing_object_is_damage_where_it_is_read_and_not_where_it_is_written() {
        let missing = || StoreError::NotFound {
            path: "a/b".to_owned(),
            source: answer("NoSuchKey"),
        };
        let read = place().error(Action::Read, "a/b", &missing());
        assert_eq!(read.kind(), ErrorKind::Corrupt);
        assert_eq!(read.to_string(), "`s3://bucket/a/b` does not exist");
        let written = place().error(Action::Write, "a/b", &missing());
        assert_eq!(written.kind(), ErrorKind::Retryable);
    }

    #[test]
    fn a_missing_bucket_and_a_refusal_are_for_the_user_and_say_what_to_do() {
        let bucket = StoreError::NotFound {
            path: "a".to_owned(),
            source: answer("NoSuchBucket"),
        };
        let error = place().error(Action::Read, "a", &bucket);
        assert_eq!(error.kind(), ErrorKind::User);
        assert!(error.to_string().contains("no bucket `s3://bucket`"));
        let refused = StoreError::PermissionDenied {
            path: "a".to_owned(),
            source: answer("SignatureDoesNotMatch"),
        };
        let error = place().error(Action::Write, "a", &refused);
        assert_eq!(error.kind(), ErrorKind::User);
        let text = error.to_string();
        assert!(
            text.contains("`SignatureDoesNotMatch`: why") && text.contains("`s3.secret-key`"),
            "{text}"
        );
        assert!(!text.contains("very long"), "{text}");
    }

    #[test]
    fn what_a_server_has_no_time_for_may_succeed_later() {
        let busy = StoreError::Generic {
            store: "S3",
            source: answer("SlowDown"),
        };
        let error = place().error(Action::Delete, "a", &busy);
        assert_eq!(error.kind(), ErrorKind::Retryable);
        assert!(error.to_string().contains("answers `SlowDown`: why"));
    }
}

//! From what an option says to the storage it means.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use thalweg_core::config::FileSystemOptions;
use thalweg_core::error::{Error, Result};

use super::{CheckpointStorage, LocalDirectory};

/// Opens the storage that a URI names.
pub type Opener =
    Arc<dyn Fn(&str, &FileSystemOptions) -> Result<Arc<dyn CheckpointStorage>> + Send + Sync>;

// One table a process, as which schemes there are is a matter of what was built.
static SCHEMES: RwLock<BTreeMap<String, Opener>> = RwLock::new(BTreeMap::new());

// Schemes that a feature of the build brings.
const OF_FEATURES: [(&str, &str); 2] = [("s3", "s3"), ("s3a", "s3")];

// Schemes users know from elsewhere, which nothing brings yet.
const ELSEWHERE: [&str; 10] = [
    "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "az", "hdfs", "oss", "obs",
];

/// Makes URIs that begin with `scheme:` known to [`open`], in the whole process. A second opener of the
/// same scheme replaces the first.
pub fn register(scheme: &str, opener: Opener) {
    let mut schemes = SCHEMES.write().unwrap_or_else(PoisonError::into_inner);
    schemes.insert(scheme.to_ascii_lowercase(), opener);
}

/// Opens what an option names: a path, a `file:` URI, or a URI of a scheme that was registered. Nothing
/// need be there yet.
///
/// # Errors
/// `Unsupported` for a scheme that nobody has registered; what its opener fails with.
///
/// # Examples
/// ```
/// use thalweg_core::config::FileSystemOptions;
/// use thalweg_state::storage::open;
///
/// let options = FileSystemOptions::default();
/// assert_eq!(open("file:///tmp/checkpoints", &options)?.display("x"), "/tmp/checkpoints/x");
/// let error = open("gs://bucket/checkpoints", &options).unwrap_err();
/// assert!(error.to_string().contains("`gs:`"));
/// # Ok::<(), thalweg_core::error::Error>(())
/// ```
pub fn open(uri: &str, options: &FileSystemOptions) -> Result<Arc<dyn CheckpointStorage>> {
    let Some((scheme, rest)) = scheme_of(uri) else {
        return Ok(Arc::new(LocalDirectory::new(uri)));
    };
    if scheme == "file" {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        return Ok(Arc::new(LocalDirectory::new(path)));
    }
    let opener = {
        let schemes = SCHEMES.read().unwrap_or_else(PoisonError::into_inner);
        schemes.get(&scheme).cloned()
    };
    match opener {
        Some(open) => open(uri, options),
        None => Err(unknown(uri, &scheme)),
    }
}

/// The scheme of a URI, in small letters, and what follows its colon; `None` for a path.
fn scheme_of(uri: &str) -> Option<(String, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    // A single letter is a drive; a colon behind a slash belongs to a name.
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn unknown(uri: &str, scheme: &str) -> Error {
    let schemes = SCHEMES.read().unwrap_or_else(PoisonError::into_inner);
    let mut known = vec!["paths".to_owned(), "`file:`".to_owned()];
    known.extend(schemes.keys().map(|scheme| format!("`{scheme}:`")));
    let known = known.join(", ");
    let feature = OF_FEATURES.iter().find(|(of, _)| *of == scheme);
    let what = match feature {
        Some((_, feature)) => format!(
            "this build has no `{scheme}:`; the feature `{feature}` brings it \
             (`cargo build --release -p thalweg-cli --features {feature}`)"
        ),
        None if ELSEWHERE.contains(&scheme) => {
            format!("checkpoints cannot be kept in `{scheme}:` yet")
        }
        None => format!("the scheme `{scheme}:` is not known"),
    };
    Error::unsupported(format!("`{uri}`: {what}; known are {known}"))
}

#[cfg(test)]
mod tests {
    use thalweg_core::error::ErrorKind;

    use super::*;

    fn opened(uri: &str) -> Result<Arc<dyn CheckpointStorage>> {
        open(uri, &FileSystemOptions::default())
    }

    #[test]
    fn an_option_may_be_a_path_or_a_file_uri() {
        for uri in ["/tmp/x", "file:///tmp/x", "file:/tmp/x", "FILE:/tmp/x"] {
            assert_eq!(opened(uri).unwrap().display("a"), "/tmp/x/a", "{uri}");
        }
        for path in ["/tmp/a:b", "a b:c", "./s3:x", "c:/x"] {
            assert_eq!(opened(path).unwrap().display(""), path);
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused_with_the_known_ones_and_the_feature_that_brings_it() {
        register(
            "known-to-this-test",
            Arc::new(|_, _| Err(Error::user("it was asked"))),
        );
        let expected = [
            ("s3://bucket/x", "the feature `s3` brings it"),
            ("S3A://bucket/x", "the feature `s3` brings it"),
            ("gs://bucket/x", "cannot be kept in `gs:` yet"),
            ("s4://bucket/x", "the scheme `s4:` is not known"),
        ];
        for (uri, part) in expected {
            let error = opened(uri).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{uri}");
            let text = error.to_string();
            for part in [uri, part, "`file:`", "`known-to-this-test:`"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn a_registered_scheme_is_opened_by_its_opener_with_the_options() {
        let opener: Opener = Arc::new(|uri, options| {
            let root = format!("{uri} {}", options.get("a.key").unwrap_or("nothing"));
            Ok(Arc::new(LocalDirectory::new(root)))
        });
        register("Of-A-Test", opener);
        let options = FileSystemOptions::default().with("a.key", "value");
        let storage = open("of-a-test://x", &options).unwrap();
        assert_eq!(storage.display(""), "of-a-test://x value");
    }
}

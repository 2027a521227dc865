//! What file systems and object stores are reached with.

use std::collections::BTreeMap;
use std::fmt;

/// Options of file systems by Flink's keys: `s3.endpoint`, `s3.access-key`, ….
///
/// Which keys there are is for the file system to say; one does not look at those of another.
///
/// # Examples
/// ```
/// use thalweg_core::config::FileSystemOptions;
///
/// let options = FileSystemOptions::default()
///     .with("s3.endpoint", "http://127.0.0.1:9000")
///     .with("s3.secret-key", "very secret");
/// assert_eq!(options.get("s3.endpoint"), Some("http://127.0.0.1:9000"));
/// assert!(!format!("{options:?}").contains("very secret"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FileSystemOptions(BTreeMap<String, String>);

impl FileSystemOptions {
    /// These options and one more, which replaces an earlier one of the same key.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets an option.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// The value of a key; what is empty counts as not set.
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The value of the first key that is set, for keys with more than one name.
    pub fn first(&self, keys: &[&'static str]) -> Option<(&'static str, &str)> {
        keys.iter()
            .find_map(|key| self.get(key).map(|value| (*key, value)))
    }
}

// Keys only: values may be secrets, and settings are printed where jobs are looked into.
impl fmt::Debug for FileSystemOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

//! The session's configuration: Flink's keys with Flink's types and defaults.
//!
//! A key that is not in the registry is an error that names the nearest one. A key that Flink
//! knows and this engine does not implement is accepted while its value cannot change a result,
//! and refused otherwise.

/// A table of options: key, type, default, support and meaning of each.
macro_rules! option_table {
    (
        $(#[$doc:meta])* $name:ident;
        $($key:literal: $type:expr, $default:expr, $support:ident, $meaning:literal;)*
    ) => {
        $(#[$doc])*
        pub(super) const $name: &[OptionDefinition] = {
            #[allow(unused_imports)]
            use super::OptionType::*;
            &[$(OptionDefinition {
                key: $key,
                value_type: $type,
                default: $default,
                doc: $meaning,
                support: super::Support::$support,
            }),*]
        };
    };
}

mod registry;
mod registry_file_systems;
mod registry_table;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use thalweg_core::config::FileSystemOptions;

pub use self::value::{OptionValue, parse_duration, parse_memory};
use crate::dialect::{Setting, SettingKey};
use crate::error::{Position, SqlError, SqlResult};

/// What the engine makes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does what Flink's documentation says.
    Implemented,
    /// It has no effect, and none of its values could change a result.
    Harmless,
    /// Only its default works; another value would change results.
    DefaultOnly,
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// `10 s`, `5min`, `100ms`; without a unit milliseconds.
    Duration,
    /// `64 mb`, `1g`; without a unit bytes.
    Memory,
    /// Any text.
    Text,
    /// A time zone: `Europe/Berlin`, `GMT+08:00`, `default` for the machine's.
    Zone,
    /// One of these words, letter case aside.
    OneOf(&'static [&'static str]),
}

/// A key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionDefinition {
    /// The key.
    pub key: &'static str,
    /// The type of its value.
    pub value_type: OptionType,
    /// Its default in text form, or `None` if it has none.
    pub default: Option<&'static str>,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// What the engine makes of it.
    pub support: Support,
}

impl OptionDefinition {
    /// Whether it does what it says.
    pub fn supported(&self) -> bool {
        self.support == Support::Implemented
    }
}

/// The definition of `key`.
///
/// # Errors
/// `Unknown`, naming the nearest key.
pub fn definition(key: &str) -> SqlResult<&'static OptionDefinition> {
    definitions()
        .find(|definition| definition.key == key)
        .ok_or_else(|| {
            SqlError::unknown(format!("unknown option `{key}`"))
                .with_nearest(key, definitions().map(|definition| definition.key))
        })
}

/// Whether the value of a key is nobody else's business.
fn is_secret(key: &str) -> bool {
    ["secret", "token", "password"]
        .iter()
        .any(|word| key.contains(word))
}

/// All definitions.
pub fn definitions() -> impl Iterator<Item = &'static OptionDefinition> {
    registry::EXECUTION
        .iter()
        .chain(registry_table::TABLE.iter())
        .chain(registry_file_systems::FILE_SYSTEMS.iter())
}

/// The values a session has set, over the registry's defaults.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use thalweg_sql::catalog::options::SessionOptions;
/// let mut options = SessionOptions::default();
/// options.set("table.exec.source.idle-timeout", "1 h").unwrap();
/// assert_eq!(options.duration("table.exec.source.idle-timeout"), Some(Duration::from_secs(3600)));
/// assert!(options.set("table.exec.source.idle-timout", "1 h").is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SessionOptions {
    values: BTreeMap<&'static str, String>,
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

impl SessionOptions {
    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// `Unknown` key, `Type` of value, or `Unsupported` when the value would change results.
    pub fn set(&mut self, key: &str, value: &str) -> SqlResult<()> {
        let definition = definition(key)?;
        let parsed = value::parse(definition, value)?;
        if definition.support == Support::DefaultOnly {
            let default = definition
                .default
                .map(|default| value::parse(definition, default))
                .transpose()?;
            if default != Some(parsed) {
                let message = format!("`{key}` = `{value}` is not supported");
                let hint = match definition.default {
                    Some(default) => format!("only its default `{default}` works"),
                    None => "leave it unset".to_string(),
                };
                return Err(SqlError::unsupported(message).with_hint(hint));
            }
        }
        self.values.insert(definition.key, value.to_string());
        Ok(())
    }

    /// Runs a `SET` statement; its errors point at the key or the value.
    ///
    /// # Errors
    /// As [`SessionOptions::set`].
    pub fn apply(&mut self, setting: &Setting) -> SqlResult<()> {
        let key = &setting.key;
        if let Err(error) = definition(&key.key) {
            return Err(error.at(key.position, key.length));
        }
        let place: (Position, u64) = (setting.value_position, setting.value_length);
        self.set(&key.key, &setting.value)
            .map_err(|error| error.at(place.0, place.1))
    }

    /// Runs a `RESET` statement.
    ///
    /// # Errors
    /// `Unknown` key.
    pub fn reset(&mut self, key: Option<&SettingKey>) -> SqlResult<()> {
        match key {
            None => self.values.clear(),
            Some(key) => {
                let definition =
                    definition(&key.key).map_err(|error| error.at(key.position, key.length))?;
                self.values.remove(definition.key);
            }
        }
        Ok(())
    }

    /// The keys and values that were set, by key.
    pub fn explicit(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
    }

    /// The same as they may be shown: without what is secret.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.explicit().map(|(key, value)| match is_secret(key) {
            true => (key, "******"),
            false => (key, value),
        })
    }

    /// What was set of the options of file systems, such as `s3.endpoint`.
    pub fn file_systems(&self) -> FileSystemOptions {
        let mut options = FileSystemOptions::default();
        for definition in registry_file_systems::FILE_SYSTEMS {
            if let Some(value) = self.values.get(definition.key) {
                options.set(definition.key, value);
            }
        }
        options
    }

    /// Whether `key` was set.
    pub fn is_set(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The text of `key`: what was set, or the default.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(value) => Some(value),
            None => definition(key).ok()?.default,
        }
    }

    /// The value of `key`: what was set, or the default.
    pub fn value(&self, key: &str) -> Option<OptionValue> {
        value::parse(definition(key).ok()?, self.text(key)?).ok()
    }

    /// The value of a duration.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.value(key)? {
            OptionValue::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    /// The value of a boolean; `false` for a key without a value.
    pub fn boolean(&self, key: &str) -> bool {
        self.value(key) == Some(OptionValue::Boolean(true))
    }

    /// The value of a whole number.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.value(key)? {
            OptionValue::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The value of a memory size in bytes.
    pub fn memory(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            OptionValue::Memory(bytes) => Some(bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str) -> String {
        match SessionOptions::default().set(key, value) {
            Ok(()) => "ok".to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_type_and_no_key_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for definition in definitions() {
            assert!(seen.insert(definition.key), "{} twice", definition.key);
            if let Some(default) = definition.default {
                value::parse(definition, default).unwrap();
            }
        }
    }

    #[test]
    fn values_are_checked_when_they_are_set() {
        let cases = [
            ("execution.runtime-mode", "BATCH", "ok"),
            (
                "execution.runtime-mode",
                "bach",
                "`execution.runtime-mode` must be one of `streaming`, `batch`, `automatic`, not `bach` (did you mean `batch`?)",
            ),
            ("parallelism.default", "4", "ok"),
            (
                "parallelism.default",
                "four",
                "`parallelism.default` must be a whole number, not `four`",
            ),
            ("execution.checkpointing.interval", "10 s", "ok"),
            (
                "execution.checkpointing.interval",
                "10 parsec",
                "`execution.checkpointing.interval` must be a duration such as `10 s`, not `10 parsec`",
            ),
            ("table.local-time-zone", "Europe/Berlin", "ok"),
            (
                "table.local-time-zone",
                "Mars/Base",
                "`table.local-time-zone` must be a time zone such as `Europe/Berlin`, not `Mars/Base`",
            ),
            (
                "paralelism.default",
                "4",
                "unknown option `paralelism.default` (did you mean `parallelism.default`?)",
            ),
            ("table.sql-dialect", "default", "ok"),
            (
                "table.sql-dialect",
                "hive",
                "`table.sql-dialect` = `hive` is not supported (only its default `default` works)",
            ),
            ("table.optimizer.join-reorder-enabled", "true", "ok"),
        ];
        for (key, value, expected) in cases {
            assert_eq!(set(key, value), expected, "{key} = {value}");
        }
    }

    #[test]
    fn a_session_remembers_what_was_set() {
        let mut options = SessionOptions::default();
        assert!(!options.boolean("table.exec.mini-batch.enabled"));
        options
            .set("table.exec.mini-batch.enabled", "TRUE")
            .unwrap();
        options.set("table.exec.mini-batch.size", "5000").unwrap();
        assert!(options.boolean("table.exec.mini-batch.enabled"));
        assert_eq!(options.integer("table.exec.mini-batch.size"), Some(5000));
        assert_eq!(options.explicit().count(), 2);
        options.reset(None).unwrap();
        assert!(!options.boolean("table.exec.mini-batch.enabled"));
    }

    #[test]
    fn options_of_file_systems_are_handed_on_and_secrets_are_not_shown() {
        let mut options = SessionOptions::default();
        for (key, value) in [
            ("parallelism.default", "2"),
            ("s3.endpoint", "http://127.0.0.1:9000"),
            ("s3.secret-key", "sesame"),
        ] {
            options.set(key, value).unwrap();
        }
        let handed = options.file_systems();
        assert_eq!(handed.get("s3.endpoint"), Some("http://127.0.0.1:9000"));
        assert_eq!(handed.get("s3.secret-key"), Some("sesame"));
        assert_eq!(handed.get("parallelism.default"), None);
        let shown: Vec<_> = options.shown().collect();
        assert_eq!(
            shown,
            [
                ("parallelism.default", "2"),
                ("s3.endpoint", "http://127.0.0.1:9000"),
                ("s3.secret-key", "******")
            ]
        );
        assert!(!format!("{options:?}").contains("sesame"));
        let wrong = set("s3.path-style-access", "sesame");
        assert!(wrong.contains("`true` or `false`"), "{wrong}");
    }

    #[test]
    fn the_error_of_a_statement_points_at_its_key_or_value() {
        let render = |text: &str| {
            let statement = crate::dialect::parse_script(text).unwrap().remove(0).node;
            let crate::dialect::Statement::Set(Some(setting)) = statement else {
                panic!("no SET");
            };
            let error = SessionOptions::default().apply(&setting).unwrap_err();
            error.render(Some("s.sql"), text)
        };
        assert_eq!(
            render("SET 'rest.prt' = '1'"),
            "error: s.sql:1:5: unknown option `rest.prt`\n  1 | SET 'rest.prt' = '1'\n    \
             |     ^^^^^^^^^^\n    hint: did you mean `rest.port`?\n"
        );
        assert_eq!(
            render("SET 'rest.port' = 'x'"),
            "error: s.sql:1:19: `rest.port` must be a whole number, not `x`\n  \
             1 | SET 'rest.port' = 'x'\n    |                   ^^^\n"
        );
    }
}

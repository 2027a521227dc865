//! Arguments of a benchmark: `--name value` and `--flag`.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

/// The arguments that nobody has asked for yet.
pub struct Arguments(Vec<String>);

impl Arguments {
    /// Those of this process.
    pub fn of_process() -> Self {
        Arguments(std::env::args().skip(1).collect())
    }

    /// The value behind `name`, or `default`.
    ///
    /// # Errors
    /// If the value is missing or no `T`.
    pub fn value<T: FromStr>(&mut self, name: &str, default: T) -> Result<T>
    where
        T::Err: Display,
    {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// The value behind `name`, if it is given.
    ///
    /// # Errors
    /// If the value is missing or no `T`.
    pub fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>>
    where
        T::Err: Display,
    {
        let Some(at) = self.0.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        self.0.remove(at);
        if at == self.0.len() {
            bail!("`{name}` needs a value");
        }
        let text = self.0.remove(at);
        let value = text
            .parse()
            .or_else(|error| text.replace('_', "").parse().map_err(|_| error))
            .map_err(|error: T::Err| anyhow!("{error}"));
        value
            .map(Some)
            .with_context(|| format!("`{name}` cannot be `{text}`"))
    }

    /// The values behind `name`, separated by commas; none if it is not given.
    ///
    /// # Errors
    /// If the values are missing.
    pub fn list(&mut self, name: &str) -> Result<Vec<String>> {
        let Some(at) = self.0.iter().position(|argument| argument == name) else {
            return Ok(Vec::new());
        };
        self.0.remove(at);
        if at == self.0.len() {
            bail!("`{name}` needs values, separated by commas");
        }
        let text = self.0.remove(at);
        Ok(text.split(',').map(str::to_owned).collect())
    }

    /// Whether `name` is given.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| argument != name);
        self.0.len() < before
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// If an argument is unknown.
    pub fn finish(self) -> Result<()> {
        match self.0.first() {
            Some(unknown) => bail!("unknown argument `{unknown}`"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        Arguments(text.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn values_flags_and_lists_are_taken_in_any_order() {
        let mut given = arguments("--flag --only q0,q5 --events 10_000");
        assert_eq!(given.value("--events", 1u64).unwrap(), 10_000);
        assert_eq!(given.value("--parallelism", 1u32).unwrap(), 1);
        assert_eq!(given.list("--only").unwrap(), ["q0", "q5"]);
        assert!(given.flag("--flag") && !given.flag("--other"));
        given.finish().unwrap();
    }

    #[test]
    fn a_wrong_value_or_an_unknown_argument_is_named() {
        let error = arguments("--events many").value("--events", 1u64);
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "`--events` cannot be `many`");
        let error = arguments("--evnts 3").finish().unwrap_err().to_string();
        assert_eq!(error, "unknown argument `--evnts`");
    }
}

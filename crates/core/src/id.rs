//! Names of things that outlive a process: jobs and operators.

use std::fmt;

use crate::key_group::stable_hash_bytes;

/// A job's id: 128 bits, printed as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u128);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An operator's name across upgrades: the user's own uid, or one derived from its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperatorUid(String);

impl OperatorUid {
    /// The uid a user chose.
    pub fn new(uid: impl Into<String>) -> Self {
        OperatorUid(uid.into())
    }

    /// A uid derived from the operator's name and the uids of its inputs.
    pub fn derived(name: &str, inputs: &[&OperatorUid]) -> Self {
        let mut text = String::from(name);
        for input in inputs {
            text.push('\u{0}');
            text.push_str(&input.0);
        }
        OperatorUid(format!(
            "{name}-{:016x}",
            stable_hash_bytes(text.as_bytes())
        ))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_is_32_lower_case_hex_digits() {
        assert_eq!(JobId(0xAB).to_string(), "000000000000000000000000000000ab");
    }

    #[test]
    fn a_derived_uid_depends_on_name_and_inputs_only() {
        let source = OperatorUid::new("source");
        let a = OperatorUid::derived("Map", &[&source]);
        assert_eq!(a, OperatorUid::derived("Map", &[&source]));
        assert_ne!(a, OperatorUid::derived("Map", &[]));
    }
}

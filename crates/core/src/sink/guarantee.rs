//! What a sink promises about its output when the job fails.

use std::fmt;
use std::str::FromStr;

/// What a sink promises about its output when the job fails and goes on from a checkpoint.
///
/// | Guarantee      | When output appears              | A failure may                  |
/// |----------------|----------------------------------|--------------------------------|
/// | `ExactlyOnce`  | when a checkpoint is durable     | do nothing to it               |
/// | `AtLeastOnce`  | as soon as the sink can show it  | repeat rows                    |
/// | `None`         | as soon as the sink can show it  | lose rows, and repeat others   |
///
/// # Examples
/// ```
/// use thalweg_core::sink::DeliveryGuarantee;
///
/// assert_eq!("at-least-once".parse(), Ok(DeliveryGuarantee::AtLeastOnce));
/// assert_eq!(DeliveryGuarantee::default().to_string(), "exactly-once");
/// assert!("twice".parse::<DeliveryGuarantee>().is_err());
/// ```
///
/// # Source
/// Flink `DeliveryGuarantee`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeliveryGuarantee {
    /// Every row appears once.
    #[default]
    ExactlyOnce,
    /// No row is lost.
    AtLeastOnce,
    /// Checkpoints do not wait for the sink, and hold nothing of it.
    None,
}

impl DeliveryGuarantee {
    /// Its name in options.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryGuarantee::ExactlyOnce => "exactly-once",
            DeliveryGuarantee::AtLeastOnce => "at-least-once",
            DeliveryGuarantee::None => "none",
        }
    }
}

impl fmt::Display for DeliveryGuarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no guarantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoGuarantee;

impl fmt::Display for NoGuarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be `exactly-once`, `at-least-once` or `none`")
    }
}

impl std::error::Error for NoGuarantee {}

impl FromStr for DeliveryGuarantee {
    type Err = NoGuarantee;

    fn from_str(text: &str) -> Result<Self, NoGuarantee> {
        let all = [Self::ExactlyOnce, Self::AtLeastOnce, Self::None];
        let named = |guarantee: &Self| guarantee.name().eq_ignore_ascii_case(text.trim());
        all.into_iter().find(named).ok_or(NoGuarantee)
    }
}

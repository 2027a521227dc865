//! How long state lives, and what becomes of it then.

use std::time::Duration;

use crate::time::duration_millis;

/// What prolongs the life of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateType {
    /// Only that it is written.
    OnCreateAndWrite,
    /// That it is written or read.
    OnReadAndWrite,
}

/// Whether a value can be read whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateVisibility {
    /// Never: it is as if it were gone.
    NeverReturnExpired,
    /// As long as the cleaning has not come by, which no program can foresee.
    ReturnExpiredIfNotCleanedUp,
}

/// How long state lives, in processing time.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use thalweg_core::state::{StateRegistry, StateTtlConfig, UpdateType};
///
/// let mut states = StateRegistry::default();
/// let hour = StateTtlConfig::new(Duration::from_secs(3600))
///     .update_type(UpdateType::OnReadAndWrite);
/// let seen = states.with_ttl(hour).value::<u64>("seen");
/// # drop(seen);
/// ```
/// # Source
/// Flink `StateTtlConfig`. Snapshots never have expired values; Flink's may.
#[derive(Clone, Copy, Debug)]
pub struct StateTtlConfig {
    ttl_ms: i64,
    update: UpdateType,
    visibility: StateVisibility,
    cleaned_per_access: u32,
}

// As in Flink.
const CLEANED_PER_ACCESS: u32 = 5;

impl StateTtlConfig {
    /// A value is expired once `ttl` has passed since it was written. It is never returned then,
    /// and is cleaned up: 5 values are examined for each access.
    ///
    /// # Panics
    /// If `ttl` is below a millisecond.
    pub fn new(ttl: Duration) -> Self {
        let ttl_ms = duration_millis(ttl);
        assert!(ttl_ms > 0, "a time to live is at least 1 ms");
        StateTtlConfig {
            ttl_ms,
            update: UpdateType::OnCreateAndWrite,
            visibility: StateVisibility::NeverReturnExpired,
            cleaned_per_access: CLEANED_PER_ACCESS,
        }
    }

    /// Says what prolongs the life of a value.
    #[must_use]
    pub fn update_type(mut self, update: UpdateType) -> Self {
        self.update = update;
        self
    }

    /// Says whether expired values can be read.
    #[must_use]
    pub fn state_visibility(mut self, visibility: StateVisibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Examines so many values for each access to the state, after the batch of the access.
    #[must_use]
    pub fn cleanup_incrementally(mut self, per_access: u32) -> Self {
        self.cleaned_per_access = per_access;
        self
    }

    /// Leaves expired values where they are until they are read or a snapshot is taken. Without
    /// checkpoints, those of keys that do not come again stay for ever.
    #[must_use]
    pub fn disable_cleanup_in_background(self) -> Self {
        self.cleanup_incrementally(0)
    }

    pub(super) fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms.unsigned_abs())
    }

    pub(super) fn renews_on_read(&self) -> bool {
        self.update == UpdateType::OnReadAndWrite
    }

    pub(super) fn hides_expired(&self) -> bool {
        self.visibility == StateVisibility::NeverReturnExpired
    }

    pub(super) fn cleaned_per_access(&self) -> i64 {
        i64::from(self.cleaned_per_access)
    }

    /// Values that were last renewed at or before this time are expired.
    pub(super) fn expired_until(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.ttl_ms)
    }
}

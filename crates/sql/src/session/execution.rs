//! From a session's options to the settings of a job.

use thalweg_core::config::{
    CheckpointConfig, CheckpointMode, ClaimMode, ExecutionConfig, Recovery, Retention, RuntimeMode,
};

use super::{Session, restart};
use crate::error::{SqlError, SqlResult};
use crate::plan::physical::AggregatePhases;

const UNALIGNED: &str = "execution.checkpointing.unaligned.enabled";

impl Session {
    pub(super) fn aggregate_phases(&self) -> AggregatePhases {
        let strategy = self.options.text("table.optimizer.agg-phase-strategy");
        match strategy.map(str::to_ascii_uppercase).as_deref() {
            Some("ONE_PHASE") => AggregatePhases::One,
            Some("TWO_PHASE") => AggregatePhases::Two,
            // Records in flight between the phases must fit the job at any parallelism.
            _ if self.options.boolean(UNALIGNED) => AggregatePhases::Two,
            _ => AggregatePhases::Auto,
        }
    }

    /// The execution settings that the session's options stand for.
    pub(super) fn execution_config(&self) -> SqlResult<ExecutionConfig> {
        let zone = self
            .options
            .text("table.local-time-zone")
            .unwrap_or("default");
        if !["default", "UTC", "Etc/UTC", "Z"].contains(&zone) {
            return Err(
                SqlError::unsupported(format!("the session time zone `{zone}`"))
                    .with_hint("only `UTC` works"),
            );
        }
        let mut config = ExecutionConfig::default();
        if let Some(parallelism) = self.options.integer("parallelism.default") {
            config.parallelism = u32::try_from(parallelism)
                .ok()
                .filter(|p| *p > 0)
                .unwrap_or(1);
        }
        if self.options.is_set("pipeline.max-parallelism") {
            let max = self
                .options
                .integer("pipeline.max-parallelism")
                .unwrap_or_default();
            config.max_parallelism = u32::try_from(max).ok().filter(|p| *p > 0);
        }
        if let Some(name) = self.options.text("pipeline.name") {
            config.job_name = name.to_owned();
        }
        let mode = self
            .options
            .text("execution.runtime-mode")
            .unwrap_or_default();
        if mode.eq_ignore_ascii_case("batch") {
            config.mode = RuntimeMode::Batch;
        } else {
            self.recovery_config(&mut config)?;
            config.file_systems = self.options.file_systems();
        }
        Ok(config)
    }

    /// Checkpoints, where to start from, what follows a failure. A batch job has none of these.
    fn recovery_config(&self, config: &mut ExecutionConfig) -> SqlResult<()> {
        let options = &self.options;
        let count = |key: &str| options.integer(key).and_then(|n| u32::try_from(n).ok());
        let length = |key: &str| options.duration(key).unwrap_or_default();
        let interval = options.duration("execution.checkpointing.interval");
        config.checkpointing = CheckpointConfig {
            interval: interval.filter(|interval| !interval.is_zero()),
            mode: match options.text("execution.checkpointing.mode") {
                Some(mode) if mode.eq_ignore_ascii_case("AT_LEAST_ONCE") => {
                    CheckpointMode::AtLeastOnce
                }
                _ => CheckpointMode::ExactlyOnce,
            },
            timeout: length("execution.checkpointing.timeout"),
            unaligned: options.boolean(UNALIGNED),
            aligned_timeout: length("execution.checkpointing.aligned-checkpoint-timeout"),
            min_pause: length("execution.checkpointing.min-pause"),
            max_concurrent: 1,
            tolerable_failures: count("execution.checkpointing.tolerable-failed-checkpoints")
                .unwrap_or_default(),
            savepoint_directory: self
                .either(
                    "execution.checkpointing.savepoint-dir",
                    "state.savepoints.dir",
                )
                .map(str::to_owned),
            directory: self
                .either("execution.checkpointing.dir", "state.checkpoints.dir")
                .map(str::to_owned),
            incremental: options.boolean("execution.checkpointing.incremental")
                || options.boolean("state.backend.incremental"),
            retained: self
                .either(
                    "execution.checkpointing.num-retained",
                    "state.checkpoints.num-retained",
                )
                .and_then(|number| number.parse().ok())
                .unwrap_or(1),
            retention: match options
                .text("execution.checkpointing.externalized-checkpoint-retention")
            {
                Some(kept) if kept.eq_ignore_ascii_case("RETAIN_ON_CANCELLATION") => {
                    Retention::Retain
                }
                _ => Retention::Delete,
            },
        };
        let path = self.either("execution.state-recovery.path", "execution.savepoint.path");
        if let Some(path) = path {
            config.recovery = Some(Recovery {
                path: path.to_owned(),
                ignore_unclaimed: options
                    .boolean("execution.state-recovery.ignore-unclaimed-state")
                    || options.boolean("execution.savepoint.ignore-unclaimed-state"),
                claim: self.claim_mode()?,
            });
        }
        config.restart = restart::strategy(&self.options);
        config.failover = restart::failover(&self.options);
        Ok(())
    }

    fn claim_mode(&self) -> SqlResult<ClaimMode> {
        let mode = self.either(
            "execution.state-recovery.claim-mode",
            "execution.savepoint-restore-mode",
        );
        match mode.map(str::to_ascii_uppercase).as_deref() {
            Some("CLAIM") => Ok(ClaimMode::Claim),
            Some("LEGACY") => Err(SqlError::unsupported(
                "`execution.state-recovery.claim-mode` = `LEGACY`: files that neither the user nor \
                 the job owns",
            )
            .with_hint("`NO_CLAIM` never touches the savepoint, `CLAIM` deletes it when it can")),
            _ => Ok(ClaimMode::NoClaim),
        }
    }

    /// What was set for a key, or for its older name.
    fn either(&self, key: &str, older: &str) -> Option<&str> {
        let key = if self.options.is_set(key) || !self.options.is_set(older) {
            key
        } else {
            older
        };
        self.options.text(key)
    }
}

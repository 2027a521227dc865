//! When and how partitions are committed.

use std::fs::File;
use std::path::PathBuf;

use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, ErrorKind, Result};

use super::super::part::sync;
use super::time::PartitionTime;
use crate::options::{duration_ms, wrong};

const POLICY: &str = "sink.partition-commit.policy.kind";
const TRIGGER: &str = "sink.partition-commit.trigger";
const DELAY: &str = "sink.partition-commit.delay";
const SUCCESS_FILE: &str = "sink.partition-commit.success-file.name";

enum Trigger {
    /// So long after an instance began to write to the partition.
    ProcessTime,
    /// When the watermark is so far behind the time that the partition names.
    PartitionTime(PartitionTime),
}

/// How the partitions of a table are committed.
pub(in crate::filesystem::sink) struct PartitionCommit {
    root: PathBuf,
    trigger: Trigger,
    delay_ms: i64,
    success_file: String,
}

impl PartitionCommit {
    /// How those of a table are, if they are.
    ///
    /// # Errors
    /// `User` for wrong options, `Unsupported` for policies that are not there.
    pub(in crate::filesystem::sink) fn new(
        table: &TableSpec,
        root: PathBuf,
    ) -> Result<Option<Self>> {
        let set = |prefix: &str| {
            let keys = table.options.keys();
            keys.filter(|key| key.starts_with(prefix)).min()
        };
        if table.partition_keys.is_empty() {
            let key = set("sink.partition-commit.").or_else(|| set("partition."));
            return key.map_or(Ok(None), |key| {
                Err(Error::user(format!(
                    "table `{}`: option `{key}` needs PARTITIONED BY",
                    table.name
                )))
            });
        }
        let Some(kinds) = table.options.get(POLICY) else {
            return match set("sink.partition-commit.") {
                Some(key) => Err(Error::user(format!(
                    "table `{}`: option `{key}` needs `{POLICY}`: partitions are not committed \
                     without a policy",
                    table.name
                ))),
                None => Ok(None),
            };
        };
        check_policies(table, kinds)?;
        let success_file = table.options.get(SUCCESS_FILE);
        let success_file = success_file.map_or("_SUCCESS", String::as_str);
        if !success_file.starts_with(['_', '.']) || success_file.contains('/') {
            let what = "a name that begins with `_` or `.`, so that readers pass over it";
            return Err(wrong(table, SUCCESS_FILE, success_file, what));
        }
        let trigger = table.options.get(TRIGGER).map(|kind| kind.trim());
        Ok(Some(PartitionCommit {
            root,
            trigger: match trigger.unwrap_or("process-time") {
                "process-time" => Trigger::ProcessTime,
                "partition-time" => Trigger::PartitionTime(PartitionTime::new(table)?),
                other => {
                    let what = "`process-time` or `partition-time`";
                    return Err(wrong(table, TRIGGER, other, what));
                }
            },
            delay_ms: duration_ms(table, DELAY)?
                .map_or(0, |delay| i64::try_from(delay).unwrap_or(i64::MAX)),
            success_file: success_file.to_owned(),
        }))
    }

    /// Whether the time of a partition has come for an instance that has written to it `since`.
    ///
    /// # Errors
    /// `User` for a partition whose values name no time.
    pub(super) fn is_due(
        &self,
        partition: &str,
        since: i64,
        watermark: i64,
        now: i64,
    ) -> Result<bool> {
        match &self.trigger {
            Trigger::ProcessTime => {
                Ok(self.delay_ms == 0 || now > since.saturating_add(self.delay_ms))
            }
            Trigger::PartitionTime(_) => self.is_passed(partition, watermark),
        }
    }

    /// Whether no instance gets rows in time for a partition any more.
    ///
    /// # Errors
    /// `User` for a partition whose values name no time.
    pub(super) fn is_passed(&self, partition: &str, watermark: i64) -> Result<bool> {
        match &self.trigger {
            Trigger::ProcessTime => Ok(true),
            // A partition without a time does not hold up the end of the job.
            Trigger::PartitionTime(_) if watermark == i64::MAX => Ok(true),
            Trigger::PartitionTime(time) => {
                Ok(watermark > time.millis(partition)?.saturating_add(self.delay_ms))
            }
        }
    }

    /// Says that a partition is whole. Saying so again changes nothing.
    ///
    /// # Errors
    /// `Retryable`, naming the file.
    pub(super) fn commit(&self, partition: &str) -> Result<()> {
        let directory = self.root.join(partition);
        let path = directory.join(&self.success_file);
        let written = File::create(&path)
            .and_then(|file| file.sync_all())
            .and_then(|()| sync(&directory));
        written.map_err(|error| {
            let message = format!("cannot write `{}`", path.display());
            Error::new(ErrorKind::Retryable, message).with_source(error)
        })
    }
}

fn check_policies(table: &TableSpec, kinds: &str) -> Result<()> {
    for kind in kinds.split(',').map(str::trim) {
        match kind {
            "success-file" => {}
            "metastore" | "custom" => {
                return Err(Error::unsupported(format!(
                    "table `{}`: option `{POLICY}`: there is no policy `{kind}`; there is \
                     `success-file`",
                    table.name
                )));
            }
            other => return Err(wrong(table, POLICY, other, "`success-file`")),
        }
    }
    match table.options.get("sink.partition-commit.policy.class") {
        None => Ok(()),
        Some(_) => Err(Error::unsupported(format!(
            "table `{}`: option `sink.partition-commit.policy.class`: there are no policies of \
             your own; there is `success-file`",
            table.name
        ))),
    }
}

//! The sink's options, checked when the sink is made.

use thalweg_columnar::connector::{ConnectorOption, TableSpec};
use thalweg_core::error::{Error, Result};
use thalweg_core::sink::DeliveryGuarantee;

use super::rolling::RollingPolicy;
use crate::options::{bytes, duration_ms, option, parsed, wrong};

/// The options that only the sink has.
pub const SINK_OPTIONS: [ConnectorOption; 20] = [
    option(
        "sink.delivery-guarantee",
        "exactly-once, at-least-once or none.",
        "exactly-once",
    ),
    option(
        "sink.parallelism",
        "Instances of the sink; as many as in front of it unless set.",
        "",
    ),
    option(
        FILE_SIZE,
        "A file that is larger is finished, and a new one begun.",
        "128 mb",
    ),
    option(
        ROLLOVER_INTERVAL,
        "A file that is open for longer is finished.",
        "30 min",
    ),
    option(
        INACTIVITY_INTERVAL,
        "A file that got no row for longer is finished.",
        "30 min",
    ),
    option(
        CHECK_INTERVAL,
        "How often the two intervals are looked at.",
        "1 min",
    ),
    option(
        "partition.default-name",
        "The partition of rows whose partition column is NULL or empty.",
        "__DEFAULT_PARTITION__",
    ),
    option(
        "sink.partition-commit.trigger",
        "process-time or partition-time.",
        "process-time",
    ),
    option(
        "sink.partition-commit.delay",
        "A partition is committed so long after its time.",
        "0 s",
    ),
    option(
        "sink.partition-commit.policy.kind",
        "success-file; without it partitions are not committed.",
        "",
    ),
    option(
        "sink.partition-commit.success-file.name",
        "The file that says that a partition is whole.",
        "_SUCCESS",
    ),
    option(
        "sink.partition-commit.policy.class",
        "Refused: there are no custom policies.",
        "",
    ),
    option(
        "sink.partition-commit.watermark-time-zone",
        "The time zone in which partitions name their times.",
        "UTC",
    ),
    option("partition.time-extractor.kind", "default.", "default"),
    option(
        "partition.time-extractor.class",
        "Refused: there are no custom extractors.",
        "",
    ),
    option(
        "partition.time-extractor.timestamp-pattern",
        "A timestamp in which $column stands for the partition's value of the column.",
        "the first partition column",
    ),
    option(
        "partition.time-extractor.timestamp-formatter",
        "How the timestamp is written, in letters of Java's DateTimeFormatter.",
        "yyyy-MM-dd HH:mm:ss, or a date",
    ),
    option(
        "auto-compaction",
        "Only false: small files are not merged.",
        "false",
    ),
    option(
        "compaction.file-size",
        "Refused: small files are not merged.",
        "",
    ),
    option(
        "compaction.parallelism",
        "Refused: small files are not merged.",
        "",
    ),
];

const FILE_SIZE: &str = "sink.rolling-policy.file-size";
const ROLLOVER_INTERVAL: &str = "sink.rolling-policy.rollover-interval";
const INACTIVITY_INTERVAL: &str = "sink.rolling-policy.inactivity-interval";
const CHECK_INTERVAL: &str = "sink.rolling-policy.check-interval";

/// The rolling policy of a table.
pub(super) fn rolling(table: &TableSpec, bulk: bool) -> Result<RollingPolicy> {
    let interval = |key, default| match duration_ms(table, key)? {
        Some(0) => Err(wrong(table, key, "0", "longer than 0 ms")),
        interval => Ok(interval.map_or(default, |ms| i64::try_from(ms).unwrap_or(i64::MAX))),
    };
    Ok(RollingPolicy {
        file_bytes: match bytes(table, FILE_SIZE)? {
            Some(0) => return Err(wrong(table, FILE_SIZE, "0", "larger than 0 bytes")),
            size => size.unwrap_or(128 << 20),
        },
        rollover_ms: interval(ROLLOVER_INTERVAL, 30 * 60_000)?,
        inactivity_ms: interval(INACTIVITY_INTERVAL, 30 * 60_000)?,
        check_ms: interval(CHECK_INTERVAL, 60_000)?,
        at_checkpoints: bulk,
    })
}

/// The guarantee of a table's sink.
pub(super) fn guarantee(table: &TableSpec) -> Result<DeliveryGuarantee> {
    let what = "`exactly-once`, `at-least-once` or `none`";
    Ok(parsed(table, "sink.delivery-guarantee", what)?.unwrap_or_default())
}

/// Refuses what asks for compaction.
pub(super) fn refuse_compaction(table: &TableSpec) -> Result<()> {
    let asked = parsed::<bool>(table, "auto-compaction", "`true` or `false`")?;
    let set = ["compaction.file-size", "compaction.parallelism"];
    let set = set.into_iter().find(|key| table.options.contains_key(*key));
    let key = match (asked, set) {
        (Some(true), _) => "auto-compaction",
        (_, Some(key)) => key,
        _ => return Ok(()),
    };
    Err(Error::unsupported(format!(
        "table `{}`: option `{key}`: small files are not merged; larger ones come of a longer \
         `{ROLLOVER_INTERVAL}` and fewer instances (`sink.parallelism`)",
        table.name
    )))
}

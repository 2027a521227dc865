//! The keys of the planner and the SQL operators.

use super::OptionDefinition;

option_table! {
    /// Keys in `table.`.
    TABLE;
    "table.local-time-zone": Zone, Some("default"), Implemented,
        "The session's zone: how instants are shown and days begin.";
    "table.sql-dialect": OneOf(&["default", "hive"]), Some("default"), DefaultOnly,
        "The SQL dialect.";
    "table.dml-sync": Boolean, Some("false"), Implemented,
        "Whether an INSERT waits for its job to end.";
    "table.dynamic-table-options.enabled": Boolean, Some("true"), Implemented,
        "Whether OPTIONS hints are allowed.";
    "table.column-expansion-strategy": Text, None, DefaultOnly,
        "Which columns `SELECT *` leaves out.";
    "table.display.max-column-width": Integer, Some("30"), Harmless,
        "Widest column of a printed result.";
    "table.builtin-catalog-name": Text, Some("default_catalog"), DefaultOnly,
        "The name of the first catalog.";
    "table.builtin-database-name": Text, Some("default_database"), DefaultOnly,
        "The name of the first database.";
    "table.plan.compile.catalog-objects":
        OneOf(&["ALL", "SCHEMA", "IDENTIFIER"]), Some("ALL"), Harmless,
        "What a compiled plan stores of its tables.";
    "table.plan.force-recompile": Boolean, Some("false"), Harmless,
        "Whether a compiled plan is overwritten.";
    "table.plan.restore.catalog-objects":
        OneOf(&["ALL", "ALL_ENFORCED", "IDENTIFIER"]), Some("ALL"), Harmless,
        "What a compiled plan reads of its tables.";
    "table.rtas-ctas.atomicity-enabled": Boolean, Some("false"), DefaultOnly,
        "Whether a table filled by its definition appears only when complete.";
    "table.resources.download-dir": Text, None, Harmless,
        "Where user artifacts are stored.";
    "table.generated-code.max-length": Integer, Some("4000"), Harmless,
        "Longest generated method.";
    "table.exec.state.ttl": Duration, Some("0 ms"), Implemented,
        "How long state lives after its last update; 0 is for ever.";
    "table.exec.mini-batch.enabled": Boolean, Some("false"), Harmless,
        "Whether aggregations collect rows before they emit.";
    "table.exec.mini-batch.allow-latency": Duration, Some("0 ms"), Implemented,
        "How long a mini-batch may collect.";
    "table.exec.mini-batch.size": Integer, Some("-1"), Implemented,
        "How many rows a mini-batch may collect.";
    "table.exec.resource.default-parallelism": Integer, Some("-1"), Implemented,
        "Parallelism of a query's operators; -1 is `parallelism.default`.";
    "table.exec.source.idle-timeout": Duration, Some("0 ms"), Implemented,
        "After which time without rows a source no longer holds the watermark back; 0 is never.";
    "table.exec.source.cdc-events-duplicate": Boolean, Some("false"), DefaultOnly,
        "Whether a changelog source may repeat changes.";
    "table.exec.sink.not-null-enforcer": OneOf(&["ERROR", "DROP"]), Some("ERROR"), DefaultOnly,
        "What happens to a NULL written to a NOT NULL column.";
    "table.exec.sink.type-length-enforcer":
        OneOf(&["IGNORE", "TRIM_PAD", "ERROR"]), Some("IGNORE"), DefaultOnly,
        "What happens to a text that does not fit its column.";
    "table.exec.sink.nested-constraint-enforcer":
        OneOf(&["IGNORE", "ERROR"]), Some("IGNORE"), DefaultOnly,
        "Whether constraints of nested fields are checked.";
    "table.exec.sink.upsert-materialize":
        OneOf(&["NONE", "AUTO", "FORCE"]), Some("AUTO"), DefaultOnly,
        "Whether changes are put in order before an upsert sink.";
    "table.exec.sink.keyed-shuffle": OneOf(&["NONE", "AUTO", "FORCE"]), Some("AUTO"), Harmless,
        "Whether rows go to a sink by their key.";
    "table.exec.sink.rowtime-inserter":
        OneOf(&["ENABLED", "DISABLED"]), Some("ENABLED"), Harmless,
        "Whether the rowtime becomes the record's timestamp at the sink.";
    "table.exec.legacy-cast-behaviour":
        OneOf(&["ENABLED", "DISABLED"]), Some("DISABLED"), DefaultOnly,
        "Whether a failed CAST gives NULL.";
    "table.exec.rank.topn-cache-size": Integer, Some("10000"), Harmless,
        "Rows a Top-N keeps in memory.";
    "table.exec.sort.default-limit": Integer, Some("-1"), DefaultOnly,
        "A limit for ORDER BY without one.";
    "table.exec.sort.async-merge-enabled": Boolean, Some("true"), Harmless,
        "Whether sorted runs are merged beside sorting.";
    "table.exec.sort.max-num-file-handles": Integer, Some("128"), Harmless,
        "Most files merged at once.";
    "table.exec.spill-compression.enabled": Boolean, Some("true"), Harmless,
        "Whether spilled rows are compressed.";
    "table.exec.spill-compression.block-size": Memory, Some("64 kb"), Harmless,
        "Block of compressed spilled rows.";
    "table.exec.disabled-operators": Text, None, Harmless,
        "Batch operators the planner must not use.";
    "table.exec.resource.external-buffer-memory": Memory, Some("10 mb"), Harmless,
        "Memory of a buffer of a batch operator.";
    "table.exec.resource.hash-agg.memory": Memory, Some("128 mb"), Harmless,
        "Memory of a hash aggregation.";
    "table.exec.resource.hash-join.memory": Memory, Some("128 mb"), Harmless,
        "Memory of a hash join.";
    "table.exec.resource.sort.memory": Memory, Some("128 mb"), Harmless,
        "Memory of a sort.";
    "table.exec.simplify-operator-name-enabled": Boolean, Some("true"), Harmless,
        "Whether operators have short names.";
    "table.exec.uid.generation":
        OneOf(&["PLAN_ONLY", "ALWAYS", "DISABLED"]), Some("PLAN_ONLY"), Harmless,
        "When operators get stable names.";
    "table.exec.uid.format": Text, Some("<id>_<transformation>"), Harmless,
        "The form of stable names.";
    "table.exec.deduplicate.insert-update-after-sensitive-enabled":
        Boolean, Some("true"), DefaultOnly,
        "Whether deduplication tells inserts from updates.";
    "table.exec.deduplicate.mini-batch.compact-changes-enabled": Boolean, Some("false"), Harmless,
        "Whether deduplication compacts a mini-batch's changes.";
    "table.exec.interval-join.min-cleanup-interval": Duration, Some("0 ms"), Harmless,
        "Least time between clean-ups of an interval join.";
    "table.exec.window-agg.buffer-size-limit": Integer, Some("100000"), Harmless,
        "Rows a batch window buffers.";
    "table.exec.async-lookup.buffer-capacity": Integer, Some("100"), Harmless,
        "Look-ups under way at once.";
    "table.exec.async-lookup.output-mode":
        OneOf(&["ORDERED", "ALLOW_UNORDERED"]), Some("ORDERED"), Harmless,
        "Whether answers keep the order of their rows.";
    "table.exec.async-lookup.timeout": Duration, Some("3 min"), Harmless,
        "How long a look-up may take.";
    "table.exec.async-scalar.max-concurrent-operations": Integer, Some("10"), Harmless,
        "Calls of asynchronous functions under way at once.";
    "table.exec.async-state.enabled": Boolean, Some("false"), Harmless,
        "Whether state is read asynchronously.";
    "table.exec.emit.early-fire.enabled": Boolean, Some("false"), DefaultOnly,
        "Whether legacy windows emit before they end.";
    "table.exec.emit.early-fire.delay": Duration, None, DefaultOnly,
        "How often legacy windows emit before they end.";
    "table.exec.emit.late-fire.enabled": Boolean, Some("false"), DefaultOnly,
        "Whether legacy windows emit again for late rows.";
    "table.exec.emit.late-fire.delay": Duration, None, DefaultOnly,
        "How often legacy windows emit for late rows.";
    "table.exec.emit.allow-lateness": Duration, None, DefaultOnly,
        "How late a row of a legacy window may be.";
    "table.optimizer.agg-phase-strategy":
        OneOf(&["AUTO", "TWO_PHASE", "ONE_PHASE"]), Some("AUTO"), Implemented,
        "Whether aggregations have a local phase.";
    "table.optimizer.distinct-agg.split.enabled": Boolean, Some("false"), Harmless,
        "Whether distinct aggregations are split by hash.";
    "table.optimizer.distinct-agg.split.bucket-num": Integer, Some("1024"), Harmless,
        "Buckets of a split distinct aggregation.";
    "table.optimizer.incremental-agg-enabled": Boolean, Some("true"), Harmless,
        "Whether local and global aggregation are merged.";
    "table.optimizer.join-reorder-enabled": Boolean, Some("false"), Harmless,
        "Whether joins are reordered.";
    "table.optimizer.join.broadcast-threshold": Integer, Some("1048576"), Harmless,
        "Bytes up to which a table is broadcast; -1 never.";
    "table.optimizer.bushy-join-reorder-threshold": Integer, Some("12"), Harmless,
        "Tables up to which join trees of any form are tried.";
    "table.optimizer.multiple-input-enabled": Boolean, Some("true"), Harmless,
        "Whether operators with several inputs are merged.";
    "table.optimizer.multi-join.enabled": Boolean, Some("false"), Harmless,
        "Whether joins of one key are merged.";
    "table.optimizer.dynamic-filtering.enabled": Boolean, Some("true"), Harmless,
        "Whether a join's rows filter the other side's partitions.";
    "table.optimizer.runtime-filter.enabled": Boolean, Some("false"), Harmless,
        "Whether a join's rows filter the other side.";
    "table.optimizer.reuse-sub-plan-enabled": Boolean, Some("true"), Harmless,
        "Whether equal parts of a plan run once.";
    "table.optimizer.reuse-source-enabled": Boolean, Some("true"), Harmless,
        "Whether a table is read once.";
    "table.optimizer.reuse-sink-enabled": Boolean, Some("true"), Harmless,
        "Whether a sink is opened once.";
    "table.optimizer.reuse-optimize-block-with-digest-enabled": Boolean, Some("false"), Harmless,
        "Whether equal views are planned once.";
    "table.optimizer.source.predicate-pushdown-enabled": Boolean, Some("true"), Harmless,
        "Whether filters reach the source.";
    "table.optimizer.source.report-statistics-enabled": Boolean, Some("true"), Harmless,
        "Whether sources report statistics.";
    "table.optimizer.source.aggregate-pushdown-enabled": Boolean, Some("true"), Harmless,
        "Whether aggregations reach the source.";
    "table.optimizer.sql2rel.project-merge.enabled": Boolean, Some("false"), Harmless,
        "Whether projections are merged early.";
    "table.optimizer.union-all-as-breakpoint-enabled": Boolean, Some("true"), Harmless,
        "Whether the planner stops at UNION ALL.";
    "table.optimizer.nondeterministic-update.strategy":
        OneOf(&["IGNORE", "TRY_RESOLVE"]), Some("IGNORE"), DefaultOnly,
        "What happens to updates that cannot be repeated.";
    "table.optimizer.delta-join.strategy":
        OneOf(&["AUTO", "FORCE", "NONE"]), Some("AUTO"), Harmless,
        "Whether joins read their other side from storage.";
    "table.optimizer.adaptive-broadcast-join.strategy":
        OneOf(&["AUTO", "RUNTIME_ONLY", "NONE"]), Some("AUTO"), Harmless,
        "When batch joins become broadcast joins while running.";
    "table.optimizer.skewed-join-optimization.strategy":
        OneOf(&["AUTO", "FORCED", "NONE"]), Some("AUTO"), Harmless,
        "Whether skewed batch joins are split.";
}

//! The keys of execution, state, cluster and client.

use super::OptionDefinition;

option_table! {
    /// Keys outside of `table.`.
    EXECUTION;
    "execution.runtime-mode":
        OneOf(&["streaming", "batch", "automatic"]), Some("streaming"), Implemented,
        "Whether a query is unbounded (streaming) or runs to its end and gives final rows (batch).";
    "execution.buffer-timeout": Duration, Some("100 ms"), Implemented,
        "How long a record may wait for its batch to fill; 0 sends every record at once.";
    "execution.buffer-timeout.enabled": Boolean, Some("true"), Implemented,
        "Whether `execution.buffer-timeout` sends batches that are not full.";
    "execution.attached": Boolean, Some("false"), Harmless,
        "Whether the client waits for the job.";
    "execution.shutdown-on-attached-exit": Boolean, Some("false"), Harmless,
        "Whether the job is cancelled when an attached client ends.";
    "execution.target":
        OneOf(&["local", "remote", "embedded", "yarn-session", "kubernetes-session"]),
        Some("local"), DefaultOnly,
        "Where jobs run: in this process or on the cluster at `rest.address`.";
    "execution.batch-shuffle-mode":
        OneOf(&["ALL_EXCHANGES_BLOCKING", "ALL_EXCHANGES_PIPELINED", "ALL_EXCHANGES_HYBRID_FULL",
         "ALL_EXCHANGES_HYBRID_SELECTIVE"]), Some("ALL_EXCHANGES_BLOCKING"), Harmless,
        "How batch stages hand rows to each other.";
    "execution.batch.adaptive.auto-parallelism.enabled": Boolean, Some("true"), Harmless,
        "Whether batch stages choose their parallelism from the data's size.";
    "execution.batch.speculative.enabled": Boolean, Some("false"), Harmless,
        "Whether slow batch tasks are started twice.";
    "execution.sorted-inputs.enabled": Boolean, Some("true"), Harmless,
        "Whether keyed batch operators sort their input.";
    "execution.checkpointing.interval": Duration, None, Implemented,
        "Time between checkpoints; unset takes none.";
    "execution.checkpointing.mode":
        OneOf(&["EXACTLY_ONCE", "AT_LEAST_ONCE"]), Some("EXACTLY_ONCE"), Implemented,
        "The guarantee of checkpoints.";
    "execution.checkpointing.timeout": Duration, Some("10 min"), Implemented,
        "The age at which a checkpoint is given up.";
    "execution.checkpointing.min-pause": Duration, Some("0 ms"), Implemented,
        "The least time between the end of a checkpoint and the next.";
    "execution.checkpointing.max-concurrent-checkpoints": Integer, Some("1"), Harmless,
        "How many checkpoints may be under way.";
    "execution.checkpointing.tolerable-failed-checkpoints": Integer, Some("0"), Implemented,
        "How many checkpoints may fail in a row.";
    "execution.checkpointing.unaligned.enabled": Boolean, Some("false"), Implemented,
        "Whether barriers overtake buffered records.";
    "execution.checkpointing.aligned-checkpoint-timeout": Duration, Some("0 ms"), Implemented,
        "How long a checkpoint tries to align first.";
    "execution.checkpointing.incremental": Boolean, Some("false"), Implemented,
        "Whether checkpoints store what has changed; tables of SQL operators are stored whole.";
    "execution.checkpointing.dir": Text, None, Implemented,
        "Where checkpoints are stored.";
    "execution.checkpointing.savepoint-dir": Text, None, Implemented,
        "Where savepoints are stored.";
    "execution.checkpointing.num-retained": Integer, Some("1"), Implemented,
        "How many checkpoints are kept.";
    "execution.checkpointing.storage": Text, None, Harmless,
        "The kind of checkpoint storage.";
    "execution.checkpointing.externalized-checkpoint-retention":
        OneOf(&["DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION",
         "NO_EXTERNALIZED_CHECKPOINTS"]), Some("NO_EXTERNALIZED_CHECKPOINTS"), Implemented,
        "Whether checkpoints outlive a cancelled job.";
    "execution.checkpointing.checkpoints-after-tasks-finish": Boolean, Some("true"), Harmless,
        "Whether checkpoints go on once some tasks have finished.";
    "execution.checkpointing.local-backup.enabled": Boolean, Some("false"), Harmless,
        "Whether a copy of the state stays on the task's machine.";
    "state.checkpoints.dir": Text, None, Implemented,
        "Older name of `execution.checkpointing.dir`.";
    "state.checkpoints.num-retained": Integer, Some("1"), Implemented,
        "Older name of `execution.checkpointing.num-retained`.";
    "state.savepoints.dir": Text, None, Implemented,
        "Older name of `execution.checkpointing.savepoint-dir`.";
    "execution.state-recovery.path": Text, None, Implemented,
        "The savepoint or checkpoint the next job starts from.";
    "execution.state-recovery.ignore-unclaimed-state": Boolean, Some("false"), Implemented,
        "Whether state that no operator claims is dropped.";
    "execution.state-recovery.claim-mode":
        OneOf(&["NO_CLAIM", "CLAIM", "LEGACY"]), Some("NO_CLAIM"), Implemented,
        "Who owns the savepoint after the job starts.";
    "execution.state-recovery.from-local": Boolean, Some("false"), Harmless,
        "Whether state is restored from the task's machine.";
    "execution.savepoint.path": Text, None, Implemented,
        "Older name of `execution.state-recovery.path`.";
    "execution.savepoint.ignore-unclaimed-state": Boolean, Some("false"), Implemented,
        "Older name of `execution.state-recovery.ignore-unclaimed-state`.";
    "execution.savepoint-restore-mode":
        OneOf(&["NO_CLAIM", "CLAIM", "LEGACY"]), Some("NO_CLAIM"), Implemented,
        "Older name of `execution.state-recovery.claim-mode`.";
    "execution.default-language": Text, None, Harmless,
        "The language of functions of the Table API.";
    "parallelism.default": Integer, Some("1"), Implemented,
        "Subtasks of an operator that names no parallelism.";
    "pipeline.name": Text, None, Implemented,
        "The name of the next job.";
    "pipeline.max-parallelism": Integer, Some("-1"), Implemented,
        "The number of key groups, the greatest parallelism a job can be rescaled to.";
    "pipeline.auto-watermark-interval": Duration, Some("200 ms"), Implemented,
        "Time between watermarks; 0 emits one a record.";
    "pipeline.object-reuse": Boolean, Some("false"), Harmless,
        "Whether operators may reuse objects.";
    "pipeline.operator-chaining": Boolean, Some("true"), Harmless,
        "Older name of `pipeline.operator-chaining.enabled`.";
    "pipeline.operator-chaining.enabled": Boolean, Some("true"), Harmless,
        "Whether operators share a task.";
    "pipeline.jars": Text, None, Harmless,
        "Archives of user code.";
    "pipeline.classpaths": Text, None, Harmless,
        "Class paths of user code.";
    "pipeline.generic-types": Boolean, Some("true"), Harmless,
        "Whether types without a serializer are allowed.";
    "pipeline.global-job-parameters": Text, None, Harmless,
        "Parameters shown with the job.";
    "pipeline.watermark-alignment.allow-unaligned-source-splits":
        Boolean, Some("false"), Harmless,
        "Whether splits may run ahead of each other.";
    "pipeline.vertex-description-mode": OneOf(&["TREE", "CASCADING"]), Some("TREE"), Harmless,
        "How plans are described.";
    "rest.address": Text, Some("localhost"), Implemented,
        "The host of the cluster's REST interface.";
    "rest.port": Integer, Some("8081"), Implemented,
        "The port of the cluster's REST interface.";
    "rest.bind-port": Text, None, Harmless,
        "The ports the REST interface may listen on.";
    "jobmanager.rpc.address": Text, None, Harmless,
        "The host of the job manager.";
    "jobmanager.rpc.port": Integer, Some("6123"), Harmless,
        "The port of the job manager.";
    "taskmanager.numberOfTaskSlots": Integer, Some("1"), Implemented,
        "Slots of a task manager, also of the embedded one.";
    "taskmanager.memory.process.size": Memory, None, Harmless,
        "Memory of a task manager.";
    "taskmanager.memory.managed.size": Memory, None, Harmless,
        "Memory for state and batch operators.";
    "taskmanager.memory.managed.fraction": Double, Some("0.4"), Harmless,
        "Share of memory for state and batch operators.";
    "taskmanager.memory.network.max": Memory, None, Harmless,
        "Most memory for exchanges.";
    "restart-strategy.type":
        OneOf(&["none", "off", "disable", "fixed-delay", "fixeddelay", "failure-rate",
         "failurerate", "exponential-delay", "exponentialdelay"]),
        Some("exponential-delay"), Implemented,
        "How a failed job is restarted.";
    "restart-strategy.fixed-delay.attempts": Integer, Some("1"), Implemented,
        "How often a failed job is restarted.";
    "restart-strategy.fixed-delay.delay": Duration, Some("1 s"), Implemented,
        "Time before a restart.";
    "restart-strategy.failure-rate.max-failures-per-interval": Integer, Some("1"), Implemented,
        "Failures in the interval before a job is given up.";
    "restart-strategy.failure-rate.failure-rate-interval": Duration, Some("1 min"), Implemented,
        "The interval failures are counted in.";
    "restart-strategy.failure-rate.delay": Duration, Some("1 s"), Implemented,
        "Time before a restart.";
    "restart-strategy.exponential-delay.initial-backoff": Duration, Some("1 s"), Implemented,
        "Time before the first restart.";
    "restart-strategy.exponential-delay.max-backoff": Duration, Some("1 min"), Implemented,
        "The longest time before a restart.";
    "restart-strategy.exponential-delay.backoff-multiplier": Double, Some("1.5"), Implemented,
        "How many times as long the time before the next restart is.";
    "restart-strategy.exponential-delay.reset-backoff-threshold": Duration, Some("1 h"), Implemented,
        "After so long without a failure the next restart is taken for the first.";
    "restart-strategy.exponential-delay.jitter-factor": Double, Some("0.1"), Implemented,
        "The share of the time before a restart by which it is moved at random.";
    "restart-strategy.exponential-delay.attempts-before-reset-backoff": Integer, None, Implemented,
        "How often a job is restarted in a row; unset: without end.";
    "jobmanager.execution.failover-strategy": OneOf(&["region", "full"]), Some("region"),
        Implemented, "What starts again when a task fails: its region, or the whole job.";
    "state.backend.type": OneOf(&["hashmap", "rocksdb", "forst"]), Some("hashmap"), DefaultOnly,
        "Where keyed state lives.";
    "state.backend": OneOf(&["hashmap", "rocksdb", "forst"]), Some("hashmap"), DefaultOnly,
        "Older name of `state.backend.type`.";
    "state.backend.incremental": Boolean, Some("false"), Implemented,
        "Older name of `execution.checkpointing.incremental`.";
    "state.backend.rocksdb.memory.managed": Boolean, Some("true"), Harmless,
        "Whether the state store lives within managed memory.";
    "state.backend.local-recovery": Boolean, Some("false"), Harmless,
        "Older name of `execution.state-recovery.from-local`.";
    "sql-client.execution.result-mode":
        OneOf(&["table", "changelog", "tableau"]), Some("table"), Implemented,
        "How the prompt shows the rows of a query.";
    "sql-client.execution.max-table-result.rows": Integer, Some("1000000"), Harmless,
        "Rows the prompt keeps in table mode.";
    "sql-client.display.max-column-width": Integer, Some("30"), Harmless,
        "Widest column of the prompt in streaming mode.";
    "sql-client.display.color-schema": Text, Some("default"), Harmless,
        "Colours of the prompt.";
    "sql-client.display.print-time-cost": Boolean, Some("true"), Harmless,
        "Whether the prompt prints how long a query took.";
    "sql-client.display.show-line-numbers": Boolean, Some("false"), Harmless,
        "Whether the prompt numbers lines.";
    "sql-client.prompt": Text, None, Harmless,
        "The prompt's text.";
    "sql-client.verbose": Boolean, Some("false"), Harmless,
        "Whether errors print their causes.";
}

//! Drives sources by hand in tests.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{FieldRef, Schema};
use arrow::util::pretty::pretty_format_batches;
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::{ScanRequest, TableConnector, TableSpec};
use thalweg_core::container::downcast;
use thalweg_core::error::Result;
use thalweg_core::host::Waker;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, OutputElement, Outputs, Setup, SubtaskInfo};
use thalweg_core::source::{Poll, SourceFactory, SourceReader};
use thalweg_core::state::{StateRegistry, StateSnapshot, redistribute};
use thalweg_core::time::ProcessingTime;

/// A table `t` of these columns and options.
pub fn table(fields: Vec<FieldRef>, options: &[(&str, &str)]) -> TableSpec {
    TableSpec {
        name: "t".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        metadata: Vec::new(),
        options: options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
    }
}

/// A source of all columns.
pub fn source(connector: &dyn TableConnector, table: &TableSpec) -> Result<Arc<dyn SourceFactory>> {
    source_of(connector, table, (0..table.schema.fields().len()).collect())
}

/// A source of some columns.
pub fn source_of(
    connector: &dyn TableConnector,
    table: &TableSpec,
    projection: Vec<usize>,
) -> Result<Arc<dyn SourceFactory>> {
    for key in table.options.keys() {
        let known = connector.options().iter().any(|option| {
            let prefix = option.key.strip_suffix('*');
            prefix.map_or(option.key == key, |prefix| key.starts_with(prefix))
        });
        assert!(known, "option `{key}` is not declared");
    }
    let scan = ScanRequest {
        projection,
        metadata: Vec::new(),
        batch_rows: 4096,
    };
    connector.source(table, &scan)
}

/// The message of a source that cannot be made.
pub fn error(connector: &dyn TableConnector, table: &TableSpec) -> String {
    match source(connector, table) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// An instance of a source and its world.
pub struct Instance {
    ctx: Context,
    reader: Box<dyn SourceReader>,
    out: Outputs,
}

impl Instance {
    /// A new or restored instance, opened.
    pub fn new(
        source: &dyn SourceFactory,
        (index, parallelism): (u32, u32),
        batch_rows: usize,
        snapshot: Option<&StateSnapshot>,
        waker: Waker,
    ) -> Self {
        let info = SubtaskInfo {
            operator: "source".to_owned(),
            index,
            parallelism,
            max_parallelism: 128,
        };
        let mut states = StateRegistry::default();
        let metrics = OperatorMetrics::default();
        let reader = source.create(&mut Setup {
            states: &mut states,
            info: &info,
            waker,
            batch_rows,
            metrics: metrics.clone(),
        });
        let mut ctx = Context::new(states, info, metrics);
        if let Some(snapshot) = snapshot {
            ctx.restore(snapshot).unwrap();
        }
        let mut reader = reader.unwrap();
        reader.open(&mut ctx).unwrap();
        Instance {
            ctx,
            reader,
            out: Outputs::new(batch_rows, Vec::new()),
        }
    }

    /// What is in its state.
    pub fn snapshot(&mut self) -> StateSnapshot {
        let snapshot = self.ctx.snapshot();
        snapshot.expect("state in memory can be written")
    }

    /// One poll at a time.
    pub fn poll(&mut self, now: i64) -> Result<(Poll, Vec<RecordBatch>)> {
        self.ctx.set_now(ProcessingTime(now));
        let poll = self.reader.poll(&mut self.ctx, &mut self.out)?;
        let mut batches = Vec::new();
        while let Some(element) = self.out.pop() {
            if let OutputElement::Main(payload) = element {
                let batch = downcast::<ColumnBatch>(payload).unwrap();
                assert!(batch.kinds().is_none());
                assert!(batch.num_rows() <= self.out.rows_max());
                for column in batch.records().columns() {
                    column.to_data().validate_full().unwrap();
                }
                batches.push(batch.records().clone());
            }
        }
        Ok((poll, batches))
    }

    /// All batches until the end or `rows_max` rows; the clock moves to where the source waits.
    pub fn run(&mut self, rows_max: usize) -> Vec<RecordBatch> {
        let (mut batches, mut rows, mut now) = (Vec::new(), 0, 0);
        while rows < rows_max {
            let (poll, some) = self.poll(now).unwrap();
            rows += some.iter().map(RecordBatch::num_rows).sum::<usize>();
            batches.extend(some);
            match poll {
                Poll::Ready => {}
                Poll::Idle { until } => now = until.unwrap().millis(),
                Poll::End => break,
            }
        }
        batches
    }
}

/// A new instance that nobody needs to wake.
pub fn instance(source: &dyn SourceFactory, index: u32, parallelism: u32) -> Instance {
    Instance::new(source, (index, parallelism), 4096, None, Waker::none())
}

/// All rows that `parallelism` instances make, in batches of some size.
pub fn run(source: &dyn SourceFactory, parallelism: u32, batch_rows: usize) -> Vec<RecordBatch> {
    let run = |index| {
        let of = (index, parallelism);
        Instance::new(source, of, batch_rows, None, Waker::none()).run(usize::MAX)
    };
    (0..parallelism).flat_map(run).collect()
}

/// All rows of a run that is stopped after about `rows` rows an instance and goes on with another
/// parallelism.
pub fn run_with_restore(
    source: &dyn SourceFactory,
    (before, after): (u32, u32),
    rows: usize,
) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    let mut snapshots = Vec::new();
    for index in 0..before {
        let of = (index, before);
        let mut instance = Instance::new(source, of, 1000, None, Waker::none());
        batches.extend(instance.run(rows));
        snapshots.push(instance.snapshot());
    }
    let dealt = redistribute(&snapshots, after, 128);
    for (index, snapshot) in (0..after).zip(&dealt) {
        let of = (index, after);
        let mut instance = Instance::new(source, of, 700, Some(snapshot), Waker::none());
        batches.extend(instance.run(usize::MAX));
    }
    batches
}

/// One batch of several.
pub fn whole(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&batches[0].schema(), batches).unwrap()
}

/// Rows as lines of text.
pub fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(&[whole(batches)])
        .unwrap()
        .to_string();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        cells[1..cells.len() - 1].join(" | ")
    };
    let lines: Vec<&str> = text.lines().collect();
    lines[3..lines.len() - 1]
        .iter()
        .map(|line| cells(line))
        .collect()
}

/// Rows as sorted lines of text.
pub fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = lines(batches);
    lines.sort_unstable();
    lines
}

//! The sink without an engine: barriers, commits, kills and starts by hand.

mod guarantees;
mod lives;
mod partitions;
mod recovery;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::{TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::host::Waker;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, Setup, SubtaskInfo};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::state::{StateRegistry, StateSnapshot, redistribute};
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::Watermark;

use super::names;
use crate::filesystem::FileSystem;
use crate::testing;

/// A directory of output that is gone when the test is.
struct Output(PathBuf);

impl Output {
    fn new() -> Self {
        let name = format!("thalweg-file-sink-{}", names::unique());
        Output(std::env::temp_dir().join(name))
    }

    /// A table of `id`, `day` and `hour`.
    fn table(&self, options: &[(&str, &str)]) -> TableSpec {
        let path = self.0.display().to_string();
        let mut all = vec![("path", &*path), ("format", "csv")];
        all.extend_from_slice(options);
        let field = |name, data_type| FieldRef::new(Field::new(name, data_type, true));
        let fields = vec![
            field("id", DataType::Int64),
            field("day", DataType::Utf8),
            field("hour", DataType::Int64),
        ];
        testing::table(fields, &all)
    }

    fn partitioned(&self, options: &[(&str, &str)]) -> TableSpec {
        let mut table = self.table(options);
        table.partition_keys = vec!["day".to_owned(), "hour".to_owned()];
        table
    }

    /// All files, as paths below the directory, sorted.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(&self.0, &mut files);
        let mut names: Vec<String> = files
            .iter()
            .map(|path| path.strip_prefix(&self.0).unwrap().display().to_string())
            .collect();
        names.sort_unstable();
        names
    }

    fn hidden(&self) -> Vec<String> {
        let mut hidden = self.files();
        hidden.retain(|file| file.rsplit('/').next().unwrap().starts_with('.'));
        hidden
    }

    /// The ids in visible files, sorted.
    fn ids(&self) -> Vec<i64> {
        let mut ids = Vec::new();
        for file in self.files() {
            if file.rsplit('/').next().unwrap().starts_with("part-") {
                let text = std::fs::read_to_string(self.0.join(file)).unwrap();
                let id = |line: &str| line.split(',').next().unwrap().parse::<i64>().unwrap();
                ids.extend(text.lines().map(id));
            }
        }
        ids.sort_unstable();
        ids
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Rows of ids, all of one hour.
fn rows(ids: impl IntoIterator<Item = i64>, day: &str, hour: i64) -> RecordBatch {
    let ids: Vec<i64> = ids.into_iter().collect();
    let (days, hours) = (vec![day; ids.len()], vec![hour; ids.len()]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(ids))),
        ("day", Arc::new(StringArray::from(days))),
        ("hour", Arc::new(Int64Array::from(hours))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

struct Instance {
    ctx: Context,
    writer: Box<dyn SinkWriter>,
    committer: Box<dyn Committer>,
    waiting: Vec<Vec<u8>>,
}

/// What a checkpoint or savepoint holds.
#[derive(Clone, Default)]
struct Checkpoint {
    snapshots: Vec<StateSnapshot>,
    committables: Vec<Vec<u8>>,
}

/// The instances of one attempt. Dropping it ends them where they are.
struct Job {
    instances: Vec<Instance>,
    now: i64,
}

impl Job {
    fn new(table: &TableSpec, parallelism: u32) -> Self {
        Self::start(table, parallelism, None).unwrap()
    }

    fn restored(table: &TableSpec, parallelism: u32, from: &Checkpoint) -> Self {
        Self::start(table, parallelism, Some(from)).unwrap()
    }

    fn start(table: &TableSpec, parallelism: u32, from: Option<&Checkpoint>) -> Result<Self> {
        let factory = FileSystem.sink(table)?;
        let dealt = from.map(|from| redistribute(&from.snapshots, parallelism, 128));
        let mut instances: Vec<Instance> = Vec::new();
        for index in 0..parallelism {
            let dealt = dealt.as_ref().map(|dealt| &dealt[index as usize]);
            instances.push(Self::instance(&*factory, index, parallelism, dealt)?);
        }
        for (place, instance) in instances.iter_mut().enumerate() {
            let committables = from.map_or(&[][..], |from| &from.committables);
            let own = committables
                .iter()
                .skip(place)
                .step_by(parallelism as usize);
            let own: Vec<Vec<u8>> = own.cloned().collect();
            instance.committer.commit(&own)?;
            instance.writer.open(&mut instance.ctx)?;
        }
        Ok(Job { instances, now: 0 })
    }

    fn instance(
        factory: &dyn SinkFactory,
        index: u32,
        parallelism: u32,
        snapshot: Option<&StateSnapshot>,
    ) -> Result<Instance> {
        let info = SubtaskInfo {
            operator: "sink".to_owned(),
            index,
            parallelism,
            max_parallelism: 128,
        };
        let mut states = StateRegistry::default();
        let metrics = OperatorMetrics::default();
        let writer = factory.create(&mut Setup {
            states: &mut states,
            info: &info,
            waker: Waker::none(),
            batch_rows: 4096,
            metrics: metrics.clone(),
        })?;
        let mut ctx = Context::new(states, info, metrics);
        ctx.set_now(ProcessingTime(0));
        if let Some(snapshot) = snapshot {
            ctx.restore(snapshot)?;
        }
        Ok(Instance {
            ctx,
            writer,
            committer: factory.committer()?.unwrap(),
            waiting: Vec::new(),
        })
    }

    fn write(&mut self, index: usize, ids: impl IntoIterator<Item = i64>) {
        self.write_rows(index, rows(ids, "2026-01-01", 7));
    }

    fn write_rows(&mut self, index: usize, rows: RecordBatch) {
        let instance = &mut self.instances[index];
        let batch = Box::new(ColumnBatch::insertions(rows));
        instance.writer.write(batch, &mut instance.ctx).unwrap();
    }

    /// The clock moves, and timers fire.
    fn advance(&mut self, now: i64) {
        self.now = now;
        for instance in &mut self.instances {
            instance.ctx.set_now(ProcessingTime(now));
            while let Some(at) = instance.ctx.pop_processing_timer().unwrap() {
                let fired = instance.writer.on_processing_timer(at, &mut instance.ctx);
                fired.unwrap();
            }
        }
    }

    fn watermark(&mut self, index: usize, millis: i64) {
        let instance = &mut self.instances[index];
        instance.ctx.set_watermark(Watermark(millis));
    }

    fn cut(
        &mut self,
        flush: impl Fn(&mut dyn SinkWriter, &mut Context) -> Result<()>,
    ) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        for instance in &mut self.instances {
            flush(&mut *instance.writer, &mut instance.ctx).unwrap();
            let committables = instance.writer.prepare_commit(&mut instance.ctx);
            instance.waiting.extend(committables.unwrap());
            checkpoint.committables.extend(instance.waiting.clone());
            checkpoint.snapshots.push(instance.ctx.snapshot().unwrap());
        }
        checkpoint
    }

    /// A barrier passes all instances.
    fn barrier(&mut self) -> Checkpoint {
        self.cut(|writer, ctx| writer.flush(ctx))
    }

    fn savepoint(&mut self) -> Checkpoint {
        self.cut(|writer, ctx| writer.flush_for_savepoint(ctx))
    }

    /// The input ends.
    fn finish(&mut self) -> Checkpoint {
        self.cut(|writer, ctx| writer.finish(ctx))
    }

    /// The input of one instance ends; what its last snapshot is.
    fn finish_at(&mut self, index: usize) -> StateSnapshot {
        let instance = &mut self.instances[index];
        instance.writer.finish(&mut instance.ctx).unwrap();
        instance.ctx.snapshot().unwrap()
    }

    /// What the last barrier left is durable.
    fn commit(&mut self) {
        for index in 0..self.instances.len() {
            self.commit_at(index);
        }
    }

    fn commit_at(&mut self, index: usize) {
        let instance = &mut self.instances[index];
        let waiting = std::mem::take(&mut instance.waiting);
        instance.committer.commit(&waiting).unwrap();
    }

    fn checkpoint(&mut self) -> Checkpoint {
        let checkpoint = self.barrier();
        self.commit();
        checkpoint
    }

    fn end(mut self) {
        self.finish();
        self.commit();
    }
}

//! One instance of the sink: the parts it has open, and what it leaves to checkpoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{DeliveryGuarantee, SinkWriter};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::WatermarkStatus;

use super::commit::{Committable, PartFile};
use super::leftovers::{Earlier, Written};
use super::names;
use super::owner::{self, Owner};
use super::part::{Part, create_directories, failing};
use super::partition::pending::Pending;
use super::{FileSink, Shared};

/// What cuts the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Checkpoint,
    Savepoint,
    End,
}

/// The writer.
pub(super) struct FileWriter {
    shared: Arc<Shared>,
    index: u32,
    /// What the names of all files of this job begin with.
    run: String,
    generation: u64,
    attempt: String,
    /// The number of the next file.
    next: u64,
    /// Open parts by partition; there is one partition, `""`, in a table without partitions.
    parts: BTreeMap<String, Part>,
    /// Files that are not in a checkpoint yet.
    closed: Vec<PartFile>,
    /// Files of earlier attempts that this one commits.
    adopted: Vec<String>,
    /// When open parts are looked at next.
    check: Option<ProcessingTime>,
    pending: Pending,
    written: OperatorListState<Written>,
    /// Parts that were open when a checkpoint cut the stream.
    open: OperatorListState<PartFile>,
    /// The last to be dropped: what parts have buffered reaches their files under the lock.
    owner: Option<Owner>,
}

impl FileWriter {
    pub(super) fn new(sink: &FileSink, setup: &mut Setup<'_>) -> Self {
        let info = setup.info;
        let attempt = names::attempt(0);
        sink.board.register(info.index, info.parallelism, &attempt);
        FileWriter {
            shared: sink.shared.clone(),
            index: info.index,
            run: names::unique(),
            generation: 0,
            next: 0,
            parts: BTreeMap::new(),
            closed: Vec::new(),
            adopted: Vec::new(),
            check: None,
            pending: Pending::new(
                setup.states,
                sink.board.clone(),
                (info.index, attempt.clone()),
            ),
            attempt,
            written: setup.states.operator_list("writers", Redistribution::Union),
            open: setup
                .states
                .operator_list("open parts", Redistribution::Split),
            owner: None,
        }
    }

    fn root(&self) -> &PathBuf {
        &self.shared.directory
    }

    /// Begins a part of a partition.
    fn begin(&mut self, partition: &str, ctx: &mut Context) -> Result<Part> {
        if self.owner.is_none() {
            let root = self.root();
            create_directories(root).map_err(failing(root))?;
            let lock = root.join(names::lock(&self.run, &self.attempt));
            self.owner = Some(Owner::lock(lock.clone()).map_err(failing(&lock))?);
        }
        let shared = self.shared.clone();
        let (run, attempt) = (&self.run, &self.attempt);
        let name = names::visible(run, attempt, self.index, self.next, &shared.format.name);
        self.next += 1;
        self.pending.touch(partition, ctx);
        self.watch(ctx);
        Part::begin(
            shared.directory.join(partition),
            name,
            &shared.format,
            ctx.now(),
        )
    }

    /// Sees to it that open parts are looked at.
    fn watch(&mut self, ctx: &mut Context) {
        if self.check.is_none() {
            let at = ctx.now().millis();
            let at = ProcessingTime(at.saturating_add(self.shared.rolling.check_ms));
            ctx.register_processing_timer(at);
            self.check = Some(at);
        }
    }

    fn write_part(&mut self, partition: &str, rows: &RecordBatch, ctx: &mut Context) -> Result<()> {
        let mut part = match self.parts.remove(partition) {
            Some(part) => part,
            None => self.begin(partition, ctx)?,
        };
        part.write(rows, ctx.now())?;
        if self.shared.rolling.is_full(part.progress()) {
            return self.finish_part(part);
        }
        self.parts.insert(partition.to_owned(), part);
        Ok(())
    }

    /// Finishes a part: it waits for a checkpoint, or appears at once.
    fn finish_part(&mut self, part: Part) -> Result<()> {
        match self.shared.guarantee {
            DeliveryGuarantee::ExactlyOnce => {
                let file = part.close()?;
                self.closed.push(file);
                Ok(())
            }
            DeliveryGuarantee::AtLeastOnce => part.publish(true),
            DeliveryGuarantee::None => part.publish(false),
        }
    }

    /// Finishes the parts that `ends` says end.
    fn finish_parts(&mut self, ends: impl Fn(&Self, &str, &Part) -> bool) -> Result<()> {
        for partition in self.parts.keys().cloned().collect::<Vec<_>>() {
            let part = self.parts.get(&partition);
            if part.is_some_and(|part| ends(self, &partition, part))
                && let Some(part) = self.parts.remove(&partition)
            {
                self.finish_part(part)?;
            }
        }
        Ok(())
    }

    /// Leaves to a checkpoint what it is to hold.
    fn cut(&mut self, cut: Cut, ctx: &mut Context) -> Result<()> {
        let now = ctx.now();
        let all = cut != Cut::Checkpoint;
        self.finish_parts(|writer, partition, part| {
            all || writer.shared.rolling.ends_at_barrier(part.progress(), now)
                || writer.pending.is_due(partition)
        })?;
        let mut open = Vec::new();
        if self.shared.guarantee != DeliveryGuarantee::None {
            for part in self.parts.values_mut() {
                open.push(part.hold()?);
            }
        }
        *self.open.get_mut(ctx.states_mut()) = open;
        let written = Written {
            run: self.run.clone(),
            attempt: self.attempt.clone(),
            generation: self.generation,
            next: self.next,
            adopted: self.adopted.clone(),
            savepoint: cut == Cut::Savepoint,
            ended: cut == Cut::End,
        };
        *self.written.get_mut(ctx.states_mut()) = vec![written];
        self.pending.store(ctx);
        Ok(())
    }

    /// Takes over the parts that were open in the checkpoint: what it holds of them is whole, and
    /// is committed with the next one.
    fn adopt(&mut self, ctx: &mut Context) -> Result<()> {
        let open = std::mem::take(self.open.get_mut(ctx.states_mut()));
        for part in &open {
            let hidden = names::pending(&part.name);
            let Some(name) = names::parse(&hidden) else {
                return Err(Error::corrupt(format!(
                    "`{}` is no name of a part",
                    part.name
                )));
            };
            let lock = names::lock(name.run, name.attempt);
            let locks = owner::places(self.root(), Path::new(&part.directory));
            if let Some(lock) = locks
                .map(|place| place.join(&lock))
                .find(|lock| owner::lives(lock))
            {
                let message = format!(
                    "`{}/{hidden}` is being written by a job that lives, which holds `{}`: stop \
                     it, or start from a savepoint instead of its checkpoint",
                    part.directory,
                    lock.display()
                );
                return Err(Error::new(ErrorKind::Retryable, message));
            }
            part.check(&self.shared.shown)?;
        }
        self.adopted = open.iter().map(|part| part.name.clone()).collect();
        self.closed = open;
        Ok(())
    }
}

impl SinkWriter for FileWriter {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let earlier = std::mem::take(self.written.get_mut(ctx.states_mut()));
        let ended = !earlier.is_empty() && earlier.iter().all(|written| written.ended);
        let earlier = Earlier(&earlier);
        let parallelism = ctx.info().parallelism;
        let behind = earlier.clear(self.root(), self.index, parallelism)?;
        if behind > 0 && self.index == 0 {
            eprintln!(
                "warning: `{}` has {behind} files that were committed behind the checkpoint: \
                 their rows come again",
                self.root().display()
            );
        }
        if let Some((run, generation)) = earlier.goes_on() {
            self.attempt = names::attempt(generation);
            (self.run, self.generation) = (run, generation);
        }
        self.adopt(ctx)?;
        self.pending.open(ended, ctx)
    }

    fn write(&mut self, batch: Payload, ctx: &mut Context) -> Result<()> {
        let batch = downcast::<ColumnBatch>(batch)?;
        if batch.kinds().is_some() {
            return Err(Error::user(format!(
                "table `{}`: the filesystem sink takes insertions only, not updates",
                self.shared.table
            )));
        }
        let shared = self.shared.clone();
        let Some(partitions) = &shared.partitions else {
            return self.write_part("", batch.records(), ctx);
        };
        for (partition, rows) in partitions.split(batch.records())? {
            self.write_part(&partition, &rows, ctx)?;
        }
        Ok(())
    }

    fn write_status(&mut self, status: WatermarkStatus, _: &mut Context) -> Result<()> {
        self.pending.set_idle(status == WatermarkStatus::Idle);
        Ok(())
    }

    fn on_processing_timer(&mut self, at: ProcessingTime, ctx: &mut Context) -> Result<()> {
        // One of the attempt before comes as well.
        if self.check.is_some_and(|check| at < check) {
            return Ok(());
        }
        self.check = None;
        let now = ctx.now();
        self.finish_parts(|writer, _, part| writer.shared.rolling.is_old(part.progress(), now))?;
        if !self.parts.is_empty() {
            self.watch(ctx);
        }
        Ok(())
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<()> {
        self.pending.forget_committed(&self.parts);
        self.pending.mark(ctx)?;
        self.cut(Cut::Checkpoint, ctx)
    }

    fn flush_for_savepoint(&mut self, ctx: &mut Context) -> Result<()> {
        self.pending.forget_committed(&self.parts);
        self.pending.mark(ctx)?;
        self.cut(Cut::Savepoint, ctx)
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        let closed = self.closed.drain(..).map(Committable::Part);
        let mark = self.pending.take_mark().map(Committable::Mark);
        Ok(closed.chain(mark).map(|one| one.to_bytes()).collect())
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        self.pending.forget_committed(&self.parts);
        self.pending.mark_end();
        self.cut(Cut::End, ctx)
    }
}

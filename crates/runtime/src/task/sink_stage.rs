//! A sink in its stage: the writer, and what it has written but not committed.
//!
//! Committables are operator state: they are in the checkpoint that makes them due, and a restore
//! finds them there.

use thalweg_core::container::Payload;
use thalweg_core::element::{Barrier, BarrierKind};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

const COMMITTABLES: &str = "_committables";
// Stands for the job's end, where no checkpoint is durable before it.
const LAST: u64 = u64::MAX;

/// One instance of a sink.
pub struct SinkStage {
    writer: Box<dyn SinkWriter>,
    commits: Option<Commits>,
}

struct Commits {
    committer: Box<dyn Committer>,
    /// In order of the checkpoints that they wait for.
    waiting: OperatorListState<(u64, Vec<u8>)>,
}

impl SinkStage {
    /// Builds writer and committer, which declare their state.
    ///
    /// # Errors
    /// What the sink's factory fails with.
    pub fn new(factory: &dyn SinkFactory, setup: &mut Setup<'_>) -> Result<Self> {
        let writer = factory.create(setup)?;
        let committer = factory.committer()?;
        let commits = committer.map(|committer| Commits {
            committer,
            waiting: setup
                .states
                .operator_list(COMMITTABLES, Redistribution::Split),
        });
        Ok(SinkStage { writer, commits })
    }

    /// Commits once more what the checkpoint restored from held, then opens the writer.
    ///
    /// # Errors
    /// What the writer or the committer fails with.
    pub fn open(&mut self, ctx: &mut Context) -> Result<()> {
        // All of it was durable when the job stopped.
        self.commit(Some(LAST), ctx)?;
        self.writer.open(ctx)
    }

    /// Whether a batch can be taken now.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn is_ready(&mut self, ctx: &mut Context) -> Result<bool> {
        self.writer.is_ready(ctx)
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write(&mut self, batch: Payload, ctx: &mut Context) -> Result<()> {
        self.writer.write(batch, ctx)
    }

    /// Passes a watermark.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write_watermark(&mut self, watermark: Watermark, ctx: &mut Context) -> Result<()> {
        self.writer.write_watermark(watermark, ctx)
    }

    /// Passes a status.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write_status(&mut self, status: WatermarkStatus, ctx: &mut Context) -> Result<()> {
        self.writer.write_status(status, ctx)
    }

    /// Fires a timer of the writer.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn on_processing_timer(&mut self, time: ProcessingTime, ctx: &mut Context) -> Result<()> {
        self.writer.on_processing_timer(time, ctx)
    }

    /// A checkpoint or savepoint cuts the stream here.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn pass_barrier(&mut self, barrier: Barrier, ctx: &mut Context) -> Result<()> {
        match barrier.kind {
            BarrierKind::Checkpoint => self.writer.flush(ctx)?,
            BarrierKind::Savepoint | BarrierKind::Suspend => {
                self.writer.flush_for_savepoint(ctx)?;
            }
        }
        self.prepare(barrier.checkpoint, ctx)
    }

    /// The stream ends here, behind the barrier `passed`; `durable` as its listener says. What is
    /// left is committed with the next checkpoint, which holds it: others may go on for ever.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn finish(&mut self, passed: u64, durable: Option<u64>, ctx: &mut Context) -> Result<()> {
        self.writer.finish(ctx)?;
        // An instance that was restored has passed no barrier yet, but what it was restored from
        // is durable.
        let next = durable.map_or(LAST, |durable| durable.max(passed).saturating_add(1));
        self.prepare(next, ctx)
    }

    fn prepare(&mut self, checkpoint: u64, ctx: &mut Context) -> Result<()> {
        let Some(commits) = &mut self.commits else {
            return Ok(());
        };
        let committables = self.writer.prepare_commit(ctx)?;
        let waiting = commits.waiting.get_mut(ctx.states_mut());
        waiting.extend(committables.into_iter().map(|bytes| (checkpoint, bytes)));
        Ok(())
    }

    /// Whether something waits to be committed.
    pub fn waits(&self, ctx: &Context) -> bool {
        let commits = self.commits.as_ref();
        commits.is_some_and(|commits| !commits.waiting.get(ctx.states()).is_empty())
    }

    /// Whether something may be committed now.
    pub fn is_due(&self, ctx: &Context, durable: Option<u64>) -> bool {
        let Some(commits) = &self.commits else {
            return false;
        };
        due(commits.waiting.get(ctx.states()), durable) > 0
    }

    /// Commits what is due.
    ///
    /// # Errors
    /// What the committer fails with; nothing is forgotten then.
    pub fn commit(&mut self, durable: Option<u64>, ctx: &mut Context) -> Result<()> {
        let Some(commits) = &mut self.commits else {
            return Ok(());
        };
        let waiting = commits.waiting.get_mut(ctx.states_mut());
        let due = due(waiting, durable);
        if due == 0 {
            return Ok(());
        }
        let committables: Vec<Vec<u8>> = waiting[..due].iter().map(|(_, c)| c.clone()).collect();
        commits.committer.commit(&committables)?;
        waiting.drain(..due);
        Ok(())
    }
}

/// How many may be committed. Where no checkpoints are stored, all are due at the end.
fn due(waiting: &[(u64, Vec<u8>)], durable: Option<u64>) -> usize {
    match durable {
        Some(durable) => waiting.iter().take_while(|(c, _)| *c <= durable).count(),
        None if waiting.last().is_some_and(|(c, _)| *c == LAST) => waiting.len(),
        None => 0,
    }
}

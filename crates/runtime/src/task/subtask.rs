//! A tasklet: one instance of a chain, with its input and its outputs.
//!
//! `step` does a bounded amount of work and says whether there may be more. Stages run from the
//! tail to the head, so a batch is carried through to the outputs before the next is read, and a
//! blocked output stops the reading.

use std::sync::Arc;
use std::time::Duration;

use thalweg_core::container::Payload;
use thalweg_core::element::BarrierKind;
use thalweg_core::error::Result;
use thalweg_core::graph::ChainTarget;
use thalweg_core::source::Poll;
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::Watermark;

use super::links::{StageLinks, hand_over};
use super::passed::Passed;
use super::stage::{Emission, Incoming, Stage};
use super::suspension::Suspension;
use crate::checkpoint::{CheckpointRequest, Moment, SharedListener};
use crate::input::{GateEvent, InputGate};
use crate::output::{Control, ResultPartition};

// Moves of one step, so that tasks of one thread take turns.
const MOVES_PER_STEP_MAX: usize = 64;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something moved; call again.
    Worked,
    /// Nothing can move until the waker is called or, if known, until a time.
    Idle {
        /// The next timer, or the next time the source wants to be polled.
        until: Option<ProcessingTime>,
    },
    /// The subtask has ended.
    Finished,
}

/// What a subtask is built from.
pub struct SubtaskSpec {
    /// The chain's name, for errors.
    pub name: String,
    /// Its number in the job.
    pub number: usize,
    /// The stages with their outputs.
    pub stages: Vec<(Stage, StageLinks)>,
    /// The input; none for sources.
    pub gate: Option<InputGate>,
    /// The outputs.
    pub partitions: Vec<ResultPartition>,
    /// Who hears of barriers.
    pub listener: SharedListener,
    /// Who asks for them.
    pub request: Arc<CheckpointRequest>,
    /// How long after its start a barrier may overtake records; `None` if it never may.
    pub overtakes_after: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    /// The source or the last channel has ended; the stages still work.
    Ended,
}

/// One instance of a chain.
pub struct Subtask {
    name: String,
    pub(super) number: usize,
    pub(super) stages: Vec<Stage>,
    pub(super) links: Vec<StageLinks>,
    pub(super) gate: Option<InputGate>,
    pub(super) partitions: Vec<ResultPartition>,
    pub(super) listener: SharedListener,
    pub(super) request: Arc<CheckpointRequest>,
    pub(super) overtakes_after: Option<Duration>,
    pub(super) last_barrier: u64,
    // When a barrier on its way may overtake, as of the last time nothing could move.
    barrier_until: Option<ProcessingTime>,
    // A barrier has pushed out more than there is room for.
    pub(super) overdrawn: bool,
    // The savepoint behind which nothing moves: until it comes to nothing, or the job has stopped.
    pub(super) suspended: Option<u64>,
    passed: Passed,
    opened: bool,
    input: Input,
    idle_until: Option<ProcessingTime>,
    // Whether something moved since the stages were last told that there is nothing more.
    unflushed: bool,
    // Whether a partition may hold a batch that is not full.
    open_batches: bool,
}

impl Subtask {
    /// Builds a subtask.
    pub fn new(spec: SubtaskSpec) -> Self {
        let (stages, links) = spec.stages.into_iter().unzip();
        let latest = spec.request.latest().checkpoint;
        Subtask {
            name: spec.name,
            number: spec.number,
            stages,
            links,
            gate: spec.gate,
            partitions: spec.partitions,
            listener: spec.listener,
            request: spec.request,
            overtakes_after: spec.overtakes_after,
            // What was asked for before it was there is not meant for it.
            last_barrier: latest,
            suspended: None,
            barrier_until: None,
            overdrawn: false,
            passed: Passed::default(),
            opened: false,
            input: Input::Open,
            idle_until: None,
            unflushed: false,
            open_batches: false,
        }
    }

    /// The chain's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number in the job.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Does a bounded amount of work.
    ///
    /// # Errors
    /// What an operator fails with, with the chain's name.
    pub fn step(&mut self, now: ProcessingTime) -> Result<Step> {
        let step = self
            .try_step(now)
            .map_err(|error| error.context(format!("task `{}`", self.name)))?;
        let mut moved = self.gate.as_mut().is_some_and(InputGate::take_taken);
        for partition in &mut self.partitions {
            moved |= partition.take_sent();
        }
        // An element that waited for room, or made some, may be all that moved.
        Ok(match step {
            Step::Idle { .. } if moved => Step::Worked,
            step => step,
        })
    }

    fn try_step(&mut self, now: ProcessingTime) -> Result<Step> {
        if !self.opened {
            for stage in &mut self.stages {
                stage.open(now)?;
            }
            self.opened = true;
        }
        let durable = self.listener.durable();
        let mut moved = false;
        for stage in &mut self.stages {
            if stage.has_commit(durable) {
                stage.commit(durable, &self.listener)?;
                moved = true;
            }
        }
        match self.after_suspension(durable) {
            Some(Suspension::Over) => {
                self.suspended = None;
                self.stages.iter_mut().for_each(Stage::go_on);
                moved = true;
            }
            // All that the savepoint holds is committed above.
            Some(Suspension::Final) => return Ok(Step::Finished),
            None => {}
        }
        // What waited for room in a channel leaves even if nothing else comes to push it.
        self.partitions_ready();
        if self.overtakes_after.is_some() {
            moved |= self.attend(now)?;
            let was_overdrawn = self.overdrawn;
            if self.is_overdrawn()? {
                return Ok(if moved { Step::Worked } else { self.idle(now) });
            }
            // Senders that were held may send again.
            moved |= was_overdrawn;
        }
        for _ in 0..MOVES_PER_STEP_MAX {
            let (worked, blocked) = self.run_stages(now)?;
            if worked {
                moved = true;
                continue;
            }
            if blocked {
                return Ok(if moved { Step::Worked } else { self.idle(now) });
            }
            if self.input == Input::Ended {
                let committed = !self.stages.iter().any(Stage::waits_for_commit);
                return Ok(if self.partitions_ready() && committed {
                    Step::Finished
                } else if moved {
                    // What was written last may be due at once.
                    Step::Worked
                } else {
                    self.idle(now)
                });
            }
            if !self.pull(now)? {
                return Ok(if moved { Step::Worked } else { self.idle(now) });
            }
            moved = true;
        }
        Ok(Step::Worked)
    }

    /// Whether a step would find nothing to do: asked once more before a thread sleeps. A source
    /// that has something new says so through its waker.
    pub fn is_idle(&mut self, now: ProcessingTime) -> bool {
        let durable = self.listener.durable();
        if self.stages.iter().any(|stage| stage.has_commit(durable)) {
            return false;
        }
        if self.overtakes_after.is_some() {
            // One that was announced since the last step has a time that nobody waits for yet.
            let unheard = self.barrier_time(now) != self.barrier_until;
            if unheard || self.has_barrier_work(now) {
                return false;
            }
            if self.overdrawn && !self.partitions_ready() {
                return true;
            }
        }
        // Its waker is called when the sink can go on.
        if self.stages.iter().any(Stage::is_sink_with_input) {
            return true;
        }
        let mut stages = self.stages.iter_mut();
        if stages.any(|stage| !stage.emitted().is_empty()) {
            return !self.partitions_ready();
        }
        if self.input == Input::Ended {
            return !self.partitions_ready() || self.stages.iter().any(Stage::waits_for_commit);
        }
        if self.suspended.is_some() {
            self.partitions_ready();
            return self.after_suspension(durable).is_none();
        }
        // Room may have come up since the last step, before the sleep was announced.
        self.partitions_ready();
        let source = self.gate.is_none();
        self.idle_time().is_none_or(|at| at > now)
            && self.gate.as_ref().is_none_or(InputGate::is_empty)
            && !(source && self.request.latest().checkpoint > self.last_barrier)
            && !(source && self.request.is_drained())
    }

    fn idle(&mut self, now: ProcessingTime) -> Step {
        self.barrier_until = self.barrier_time(now);
        let times = self.idle_time().into_iter();
        Step::Idle {
            until: times.chain(self.barrier_until).min(),
        }
    }

    fn idle_time(&self) -> Option<ProcessingTime> {
        let timers = self.stages.iter().filter_map(Stage::next_timer);
        timers.chain(self.idle_until).min()
    }

    pub(super) fn partitions_ready(&mut self) -> bool {
        let mut ready = true;
        for partition in &mut self.partitions {
            ready &= partition.is_ready();
        }
        ready
    }

    /// Runs the last stage that can run; says whether one did, and whether an output is blocked.
    fn run_stages(&mut self, now: ProcessingTime) -> Result<(bool, bool)> {
        let mut blocked = false;
        for index in (0..self.stages.len()).rev() {
            let delivered = self.deliver(index)?;
            if !self.stages[index].emitted().is_empty() {
                blocked = true;
                continue;
            }
            if delivered {
                // What was delivered inside the chain should be carried on first.
                return Ok((true, blocked));
            }
            if self.stages[index].is_blocked()? {
                blocked = true;
                continue;
            }
            if self.stages[index].has_work(now) {
                self.stages[index].step(now, &self.listener)?;
                self.deliver(index)?;
                return Ok((true, blocked));
            }
        }
        Ok((false, blocked))
    }

    /// Hands on what a stage has emitted, as far as its targets take it.
    fn deliver(&mut self, index: usize) -> Result<bool> {
        let mut delivered = false;
        while let Some(emission) = self.stages[index].emitted().pop_front() {
            if !self.targets_accept(index, &emission) {
                self.stages[index].emitted().push_front(emission);
                break;
            }
            delivered = true;
            match emission {
                Emission::Main(batch) => self.send(index, None, batch)?,
                Emission::Side(side, batch) => self.send(index, Some(side), batch)?,
                Emission::Control(control) => self.control(index, control),
            }
        }
        Ok(delivered)
    }

    fn targets_accept(&mut self, index: usize, emission: &Emission) -> bool {
        let links = &self.links[index];
        let (stages, partitions) = (&self.stages, &mut self.partitions);
        let mut accepts = |targets: &[ChainTarget]| {
            targets.iter().all(|target| match target {
                ChainTarget::Chained(stage) => stages[*stage].accepts(),
                ChainTarget::Edge(edge) => partitions[*edge].is_ready(),
            })
        };
        match emission {
            Emission::Main(_) => accepts(&links.main),
            Emission::Side(side, _) => accepts(&links.sides[*side]),
            Emission::Control(_) => {
                accepts(&links.main) && links.sides.iter().all(|targets| accepts(targets))
            }
        }
    }

    pub(super) fn send(&mut self, index: usize, side: Option<usize>, batch: Payload) -> Result<()> {
        let links = &self.links[index];
        let targets = side.map_or(&links.main, |side| &links.sides[side]);
        let Some((last, others)) = targets.split_last() else {
            return Ok(());
        };
        self.open_batches |= !self.partitions.is_empty();
        for target in others {
            hand_over(
                &mut self.stages,
                &mut self.partitions,
                target,
                batch.boxed_clone(),
            )?;
        }
        hand_over(&mut self.stages, &mut self.partitions, last, batch)
    }

    pub(super) fn control(&mut self, index: usize, control: Control) {
        let links = &self.links[index];
        for target in links.main.iter().chain(links.sides.iter().flatten()) {
            match target {
                ChainTarget::Chained(stage) => {
                    self.stages[*stage].push(Incoming::Control(control));
                }
                ChainTarget::Edge(edge) => self.partitions[*edge].control(control),
            }
        }
        let moment = match control {
            Control::Barrier(barrier) => Moment::Barrier(barrier.checkpoint),
            Control::EndOfInput => Moment::End,
            Control::Watermark(_) | Control::Status(_) => return,
        };
        if self.passed.is_last(moment, self.stages.len()) {
            self.listener.on_subtask(moment, self.number);
        }
    }

    /// Takes the next thing from the input. False if there is nothing for now.
    fn pull(&mut self, now: ProcessingTime) -> Result<bool> {
        if self.suspended.is_some() {
            return Ok(false);
        }
        let found = match self.gate {
            Some(_) => self.pull_gate(now)?,
            None => self.poll_source(now)?,
        };
        if found {
            self.unflushed = true;
            return Ok(true);
        }
        if self.unflushed {
            self.unflushed = false;
            for stage in &mut self.stages {
                if !stage.is_source() {
                    stage.push(Incoming::Flush);
                }
            }
            return Ok(true);
        }
        if self.open_batches {
            self.open_batches = false;
            for partition in &mut self.partitions {
                partition.flush();
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn pull_gate(&mut self, now: ProcessingTime) -> Result<bool> {
        let event = match &mut self.gate {
            Some(gate) => gate.poll()?,
            None => None,
        };
        let Some(event) = event else {
            return Ok(false);
        };
        self.take_event(event, now)?;
        Ok(true)
    }

    pub(super) fn take_event(&mut self, event: GateEvent, now: ProcessingTime) -> Result<()> {
        let incoming = match event {
            GateEvent::Batch(port, batch) => Incoming::Batch(port, batch),
            GateEvent::Watermark(watermark) => Incoming::Control(Control::Watermark(watermark)),
            GateEvent::Status(status) => Incoming::Control(Control::Status(status)),
            GateEvent::Barrier(barrier) if barrier.overtakes_from.is_some() => {
                return self.overtake(barrier, now);
            }
            GateEvent::Barrier(barrier) => {
                self.suspend_at(barrier);
                Incoming::Control(Control::Barrier(barrier))
            }
            GateEvent::EndOfPort(port) => Incoming::EndOfPort(port),
            GateEvent::EndOfInput => {
                self.input = Input::Ended;
                Incoming::Control(Control::EndOfInput)
            }
        };
        self.stages[0].push(incoming);
        Ok(())
    }

    fn poll_source(&mut self, now: ProcessingTime) -> Result<bool> {
        let requested = self.request.latest();
        // One that may overtake passes by itself: see `Subtask::attend`.
        let waits = self.overtakes_after.is_none() || requested.kind != BarrierKind::Checkpoint;
        if requested.checkpoint > self.last_barrier && waits {
            self.last_barrier = requested.checkpoint;
            self.suspend_at(requested);
            self.stages[0].push(Incoming::Control(Control::Barrier(requested)));
            return Ok(true);
        }
        if self.idle_until.is_some_and(|until| until > now) {
            // A waker may have been called, so the source is asked all the same.
            self.idle_until = None;
        }
        let poll = if self.stages[0].is_finished() || self.request.is_drained() {
            Poll::End
        } else {
            self.stages[0].poll(now)?
        };
        match poll {
            Poll::Ready => {
                self.idle_until = None;
                Ok(true)
            }
            Poll::Idle { until } => {
                self.idle_until = until;
                Ok(!self.stages[0].emitted().is_empty())
            }
            Poll::End => {
                self.input = Input::Ended;
                self.idle_until = None;
                let last = Control::Watermark(Watermark::MAX);
                self.stages[0].push(Incoming::Control(last));
                self.stages[0].push(Incoming::Control(Control::EndOfInput));
                Ok(true)
            }
        }
    }
}

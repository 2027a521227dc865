//! How a barrier passes a subtask without waiting for the records in front of it.
//!
//! ```text
//!   announced ─▶ due ─▶ channels that stay aligned are read up to it, through the operators
//!                         ─▶ each stage in order: finishes its call and its inbox, is snapshotted,
//!                            passes the barrier on
//!                              ─▶ the other channels are emptied and written down
//!                                    ─▶ the subtask acknowledges
//! ```
//!
//! Until the stages have finished, their outputs take more than there is room for: at most what a
//! call of each emits, and what the channels that stay aligned held. Behind it nothing runs until
//! the outputs have room again, so that a second checkpoint finds nothing new to push out.

use thalweg_core::element::{Barrier, BarrierKind};
use thalweg_core::error::Result;
use thalweg_core::graph::ChainTarget;
use thalweg_core::time::ProcessingTime;

use super::stage::{Emission, Hurry, Stage};
use super::subtask::Subtask;
use crate::checkpoint::Moment;
use crate::checkpoint::in_flight::InFlightLog;
use crate::output::Control;

// Elements of channels that stay aligned, in one step.
const ALIGNED_PER_STEP_MAX: usize = 64;
// Behind so many rows of timers a barrier overtakes what is in the chain.
const TIMER_CALLS: u64 = 1;

impl Subtask {
    /// Sees to barriers, whatever else is blocked. Whether something moved.
    pub(super) fn attend(&mut self, now: ProcessingTime) -> Result<bool> {
        let mut moved = false;
        if let Some(barrier) = self.due_barrier(now) {
            moved = self.read_aligned(barrier, now)?;
            // It may have passed with the last of them.
            if barrier.checkpoint > self.last_barrier && !self.awaits(barrier) {
                self.overtake(barrier, now)?;
                moved = true;
            }
        }
        if let Some(gate) = &mut self.gate
            && gate.is_capturing()
        {
            moved |= gate.has_captures();
            self.finish_capture()?;
        }
        Ok(moved)
    }

    /// Whether [`Subtask::attend`] would find something.
    pub(super) fn has_barrier_work(&self, now: ProcessingTime) -> bool {
        let gate = self.gate.as_ref();
        if gate.is_some_and(|gate| gate.has_captures()) {
            return true;
        }
        self.due_barrier(now).is_some_and(|barrier| {
            !self.awaits(barrier) || gate.is_some_and(|gate| gate.has_aligned())
        })
    }

    /// When a barrier that is on its way may overtake.
    pub(super) fn barrier_time(&self, now: ProcessingTime) -> Option<ProcessingTime> {
        let announced = self.gate.as_ref()?.announced()?;
        announced.overtakes_from.filter(|from| *from > now)
    }

    fn awaits(&self, barrier: Barrier) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.awaits(barrier))
    }

    /// The barrier that may pass now.
    fn due_barrier(&self, now: ProcessingTime) -> Option<Barrier> {
        let gate = self.gate.as_ref();
        if let Some(barrier) = gate.and_then(|gate| gate.announced()) {
            let due = barrier.overtakes_from.is_some_and(|from| from <= now);
            return due.then_some(barrier);
        }
        // Barriers start at sources, and behind senders that have ended and send none.
        let starts = gate.is_none_or(|gate| gate.ends());
        let requested = self.request.latest();
        let wanted = starts
            && requested.checkpoint > self.last_barrier
            && requested.kind == BarrierKind::Checkpoint;
        let left = self.stages.iter().any(|stage| !stage.has_ended());
        let after = self.overtakes_after.filter(|_| wanted && left)?;
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        Some(Barrier {
            checkpoint: requested.checkpoint,
            kind: requested.kind,
            overtakes_from: Some(ProcessingTime(now.millis().saturating_add(after))),
        })
    }

    /// Reads the channels that stay aligned, through all stages, as far as the barrier.
    fn read_aligned(&mut self, barrier: Barrier, now: ProcessingTime) -> Result<bool> {
        let mut moved = false;
        for _ in 0..ALIGNED_PER_STEP_MAX {
            let waits = barrier.checkpoint > self.last_barrier && self.awaits(barrier);
            let Some(gate) = self.gate.as_mut().filter(|_| waits) else {
                break;
            };
            gate.hold_aligned(barrier);
            let Some(event) = gate.poll_aligned()? else {
                break;
            };
            self.take_event(event, now)?;
            for index in 0..self.stages.len() {
                // What stays aligned must not be overtaken inside of the chain either.
                let hurry = Hurry::Inbox {
                    timer_calls: u64::MAX,
                };
                self.exhaust(index, now, hurry)?;
            }
            moved = true;
        }
        Ok(moved)
    }

    /// Lets a barrier pass: all stages at once.
    pub(super) fn overtake(&mut self, barrier: Barrier, now: ProcessingTime) -> Result<()> {
        self.last_barrier = barrier.checkpoint;
        let mut head = None;
        for index in 0..self.stages.len() {
            self.exhaust(index, now, self.hurry(index))?;
            let stage = &mut self.stages[index];
            // Its last snapshot stands for it, and its targets have heard of the end.
            if stage.has_ended() {
                continue;
            }
            stage.snapshot(barrier, &self.listener)?;
            let log = stage.write_down()?;
            if index == 0 && self.gate.is_some() {
                head = Some(log);
            } else {
                self.hand_over(index, barrier.checkpoint, log);
            }
            self.pass_on(index, barrier);
        }
        if let Some(gate) = &mut self.gate {
            gate.overtake(barrier, head.unwrap_or_default())?;
            self.finish_capture()?;
        } else {
            self.acknowledge(barrier.checkpoint);
        }
        self.overdrawn = true;
        self.is_overdrawn().map(|_| ())
    }

    /// Whether the outputs, or a sink, have no room for what barriers have pushed out.
    pub(super) fn is_overdrawn(&mut self) -> Result<bool> {
        if !self.overdrawn {
            return Ok(false);
        }
        let mut full = !self.partitions_ready();
        for stage in &mut self.stages {
            full = full || stage.is_blocked()?;
        }
        if !full {
            self.overdrawn = false;
            if let Some(gate) = &self.gate {
                gate.release_aligned();
            }
        }
        Ok(full)
    }

    fn finish_capture(&mut self) -> Result<()> {
        let captured = match &mut self.gate {
            Some(gate) => gate.capture()?,
            None => None,
        };
        if let Some((checkpoint, log)) = captured {
            self.hand_over(0, checkpoint, log);
            self.acknowledge(checkpoint);
        }
        Ok(())
    }

    fn acknowledge(&self, checkpoint: u64) {
        // One that has ended meanwhile has said so, and stands in every checkpoint.
        if self.stages.iter().any(|stage| !stage.has_ended()) {
            let moment = Moment::Barrier(checkpoint);
            self.listener.on_subtask(moment, self.number);
        }
    }

    fn hand_over(&self, index: usize, checkpoint: u64, log: InFlightLog) {
        let stage: &Stage = &self.stages[index];
        if let Some((uid, records)) = stage.in_flight(log) {
            let info = stage.context().info();
            self.listener.on_in_flight(checkpoint, uid, info, records);
        }
    }

    /// What a stage must do before the barrier passes. Records in front of a head can go on their
    /// way anew after a restore, whatever the parallelism; those inside of a chain, and those of
    /// channels that stay aligned, belong to where they are.
    fn hurry(&self, index: usize) -> Hurry {
        match &self.gate {
            Some(gate) if index == 0 && !gate.stays_aligned() => Hurry::Call,
            _ => Hurry::Inbox {
                timer_calls: TIMER_CALLS,
            },
        }
    }

    /// Lets a stage do all that a barrier must not overtake, whether its targets have room or not.
    fn exhaust(&mut self, index: usize, now: ProcessingTime, mut hurry: Hurry) -> Result<()> {
        loop {
            while let Some(emission) = self.stages[index].emitted().pop_front() {
                match emission {
                    Emission::Main(batch) => self.send(index, None, batch)?,
                    Emission::Side(side, batch) => self.send(index, Some(side), batch)?,
                    Emission::Control(control) => self.control(index, control),
                }
            }
            if !self.stages[index].hurry(now, &self.listener, &mut hurry)? {
                return Ok(());
            }
        }
    }

    fn pass_on(&mut self, index: usize, barrier: Barrier) {
        let links = &self.links[index];
        for target in links.main.iter().chain(links.sides.iter().flatten()) {
            if let ChainTarget::Edge(edge) = target {
                self.partitions[*edge].control(Control::Barrier(barrier));
            }
        }
    }
}

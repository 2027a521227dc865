//! What an operator may ask while it runs: its key, its state, its timers, what time it is.

use crate::config::RuntimeMode;
use crate::data::Key;
use crate::error::{Error, Result};
use crate::metrics::OperatorMetrics;
use crate::state::{
    Cleaning, FrozenState, KeyedState, PagingSpec, Slot, StateRegistry, StateSnapshot,
    StoreSnapshot,
};
use crate::time::{EventTime, ProcessingTime};
use crate::timers::TimerQueue;
use crate::watermark::Watermark;

use super::batch::SubtaskInfo;

const EVENT_TIMERS: &str = "_event_timers";
const PROCESSING_TIMERS: &str = "_processing_timers";

/// The world as one operator instance sees it.
pub struct Context {
    states: StateRegistry,
    slot: Slot,
    watermark: Watermark,
    now: ProcessingTime,
    event_timers: TimerQueue,
    processing_timers: TimerQueue,
    info: SubtaskInfo,
    metrics: OperatorMetrics,
    restored: bool,
    mode: RuntimeMode,
}

impl Context {
    /// The context of an instance whose factory has declared `states`. For runtimes.
    pub fn new(states: StateRegistry, info: SubtaskInfo, metrics: OperatorMetrics) -> Self {
        Context {
            states,
            slot: Slot::NONE,
            watermark: Watermark::MIN,
            now: ProcessingTime(0),
            event_timers: TimerQueue::default(),
            processing_timers: TimerQueue::default(),
            info,
            metrics,
            restored: false,
            mode: RuntimeMode::Streaming,
        }
    }

    /// The watermark this instance has reached.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The processing time of this call; it does not move during a call.
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// Which instance this is.
    pub fn info(&self) -> &SubtaskInfo {
        &self.info
    }

    /// The instance's counters.
    pub fn metrics(&self) -> &OperatorMetrics {
        &self.metrics
    }

    /// Whether the job started from a snapshot: an instance without a share of it must not begin
    /// anew.
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// Whether results are wanted as records arrive or once, when all input is read.
    pub fn mode(&self) -> RuntimeMode {
        self.mode
    }

    /// Sets the mode, before `open`. For runtimes.
    pub fn set_mode(&mut self, mode: RuntimeMode) {
        self.mode = mode;
    }

    /// The current key.
    ///
    /// # Errors
    /// `Internal` if there is no current key or it has another type.
    pub fn key<K: Key>(&self) -> Result<&K> {
        self.states
            .key(self.slot)
            .ok_or_else(|| Error::internal("there is no current key of this type"))
    }

    /// Registers an event-time timer for the current key: fires once when the watermark reaches
    /// `time`. Registering it twice is registering it once; one at or before the watermark fires
    /// at the next advance.
    pub fn register_event_timer(&mut self, time: EventTime) {
        if self.event_timers.register(time.0, self.slot) && self.slot != Slot::NONE {
            self.states.hold(self.slot);
        }
    }

    /// Deletes an event-time timer of the current key, if there is one.
    pub fn delete_event_timer(&mut self, time: EventTime) {
        if self.event_timers.delete(time.0, self.slot) && self.slot != Slot::NONE {
            self.states.let_go(self.slot);
        }
    }

    /// Registers a processing-time timer for the current key.
    pub fn register_processing_timer(&mut self, time: ProcessingTime) {
        if self.processing_timers.register(time.0, self.slot) && self.slot != Slot::NONE {
            self.states.hold(self.slot);
        }
    }

    /// Deletes a processing-time timer of the current key, if there is one.
    pub fn delete_processing_timer(&mut self, time: ProcessingTime) {
        if self.processing_timers.delete(time.0, self.slot) && self.slot != Slot::NONE {
            self.states.let_go(self.slot);
        }
    }

    /// The declared state. State handles use it; operators rarely need to.
    #[inline]
    pub fn states(&self) -> &StateRegistry {
        &self.states
    }

    /// The declared state, for writing.
    #[inline]
    pub fn states_mut(&mut self) -> &mut StateRegistry {
        &mut self.states
    }

    /// The current key's slot; [`Slot::NONE`] without a key.
    #[inline]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The current key's slot.
    ///
    /// # Errors
    /// `User` if there is no current key: keyed state was used in an operator without keys.
    #[inline]
    pub fn keyed_slot(&self) -> Result<Slot> {
        if self.slot == Slot::NONE {
            return Err(Error::user(
                "keyed state needs a current key: call `key_by` first",
            ));
        }
        Ok(self.slot)
    }

    /// Moves to a key. For keyed adapters and runtimes.
    #[inline]
    pub fn set_slot(&mut self, slot: Slot) {
        self.slot = slot;
    }

    /// Sets the clock for the calls that follow. For runtimes.
    pub fn set_now(&mut self, now: ProcessingTime) {
        self.now = now;
    }

    /// Sets the watermark for the calls that follow. For runtimes.
    pub fn set_watermark(&mut self, watermark: Watermark) {
        self.watermark = watermark;
    }

    /// Takes the next due event timer and moves to its key. For runtimes.
    ///
    /// # Errors
    /// What the state's store fails with.
    pub fn pop_event_timer(&mut self) -> Result<Option<EventTime>> {
        let Some((time, slot)) = self.event_timers.pop_due(self.watermark.0) else {
            return Ok(None);
        };
        self.fire(slot)?;
        Ok(Some(EventTime(time)))
    }

    /// Takes the next due processing timer and moves to its key. For runtimes.
    ///
    /// # Errors
    /// What the state's store fails with.
    pub fn pop_processing_timer(&mut self) -> Result<Option<ProcessingTime>> {
        let Some((time, slot)) = self.processing_timers.pop_due(self.now.0) else {
            return Ok(None);
        };
        self.fire(slot)?;
        Ok(Some(ProcessingTime(time)))
    }

    fn fire(&mut self, slot: Slot) -> Result<()> {
        self.slot = slot;
        if slot == Slot::NONE {
            return Ok(());
        }
        self.states.let_go(slot);
        self.states.touch(slot);
        self.states.fetch()
    }

    /// When the next processing timer is due. For runtimes.
    pub fn next_processing_timer(&self) -> Option<ProcessingTime> {
        self.processing_timers.next().map(ProcessingTime)
    }

    /// When the next event timer is due. For runtimes.
    pub fn next_event_timer(&self) -> Option<EventTime> {
        self.event_timers.next().map(EventTime)
    }

    /// Calls a function at each key that has something in a state. Leaves no current key.
    pub(super) fn for_each_key(
        &mut self,
        state: &impl KeyedState,
        mut function: impl FnMut(&mut Context) -> Result<()>,
    ) -> Result<()> {
        let mut visit = self.states.visit_keys(state)?;
        loop {
            let slots = self.states.next_keys(&mut visit)?;
            if slots.is_empty() {
                break;
            }
            for slot in slots {
                self.slot = slot;
                function(self)?;
            }
        }
        self.slot = Slot::NONE;
        Ok(())
    }

    /// Gives back what nothing holds any more, between two batches. For keyed adapters.
    pub(super) fn sweep(&mut self) -> Result<()> {
        self.states.clean_up(self.now, Cleaning::Part);
        self.states.sweep()
    }

    /// All state and timers as they are now. For runtimes.
    ///
    /// # Errors
    /// What the state's store fails with.
    pub fn freeze(&mut self) -> Result<FrozenState> {
        self.states.clean_up(self.now, Cleaning::Barrier);
        let timers = vec![
            (EVENT_TIMERS, self.event_timers.by_instant()),
            (PROCESSING_TIMERS, self.processing_timers.by_instant()),
        ];
        let max_parallelism = self.info.max_parallelism;
        self.states.freeze(max_parallelism, self.now, timers)
    }

    /// All state and timers, encoded.
    ///
    /// # Errors
    /// As [`Context::freeze`].
    pub fn snapshot(&mut self) -> Result<StateSnapshot> {
        self.freeze()?.whole().encode()
    }

    /// Keeps keyed state in a store, before it is restored. For runtimes.
    ///
    /// # Errors
    /// As [`StateRegistry::page`].
    pub fn page(&mut self, spec: PagingSpec, stores: &[StoreSnapshot]) -> Result<()> {
        self.states.page(spec, stores)
    }

    /// Notes what changes from one freezing to the next. For runtimes, behind [`Context::page`].
    pub fn track_changes(&mut self) {
        self.states.track_changes(self.info.max_parallelism);
    }

    /// Takes a snapshot back, before `open`. For runtimes.
    ///
    /// # Errors
    /// As [`StateRegistry::restore`].
    pub fn restore(&mut self, snapshot: &StateSnapshot) -> Result<()> {
        self.restored = true;
        for (domain, time, slot) in self.states.restore(snapshot)? {
            let queue = match domain.as_str() {
                EVENT_TIMERS => &mut self.event_timers,
                PROCESSING_TIMERS => &mut self.processing_timers,
                other => return Err(Error::corrupt(format!("unknown timer domain `{other}`"))),
            };
            queue.register(time, slot);
        }
        Ok(())
    }
}

//! Groups the records of a key into windows.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | keyed, any order                                                            |
//! | Output   | what the window function emits, timestamps at the window's last instant     |
//! | State    | `windows`: ValueState, a list of open windows a key; until cleanup          |
//! | Timers   | one a key and window at its end or cleanup, and what a trigger registers    |
//! | Late     | a record whose windows are all past their cleanup is dropped and counted, or |
//! |          | goes to the late output                                                     |
//! | Cost     | one state read a record; state and timers are written when a window opens   |
//! | Source   | Flink `WindowOperator`, `EvictingWindowOperator`                            |

use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Operator, Output, OutputTag};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

use super::assigner::WindowAssigner;
use super::contents::Contents;
use super::few::Few;
use super::pane::{Changes, Pane, PaneTimers, delete, register};
use super::time_window::Window;
use super::trigger::{Trigger, TriggerContext, TriggerResult};

/// The window operator.
pub(crate) struct WindowOperator<T, O, A, Tr, C>
where
    T: Data,
    O: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: Contents<T, O, A::Window>,
{
    pub(super) panes: PanesState<T, O, A, Tr, C>,
    assigner: A,
    pub(super) trigger: Tr,
    pub(super) contents: C,
    pub(super) lateness_ms: i64,
    late: Option<OutputTag<T>>,
    // Scratch: the windows of one record but the first.
    others: Vec<A::Window>,
    pub(super) changes: Changes,
}

pub(super) type PaneOf<T, O, A, Tr, C> = Pane<
    <A as WindowAssigner<T>>::Window,
    <C as Contents<T, O, <A as WindowAssigner<T>>::Window>>::Stored,
    <Tr as Trigger<T, <A as WindowAssigner<T>>::Window>>::State,
>;

/// The panes of a key.
pub(super) type Panes<T, O, A, Tr, C> = Few<PaneOf<T, O, A, Tr, C>>;

pub(super) type PanesState<T, O, A, Tr, C> = ValueState<Panes<T, O, A, Tr, C>>;

/// What a window operator is built from.
pub(crate) struct WindowSettings<T, A, Tr> {
    pub assigner: A,
    pub trigger: Tr,
    pub lateness_ms: i64,
    pub late: Option<OutputTag<T>>,
}

impl<T, O, A, Tr, C> WindowOperator<T, O, A, Tr, C>
where
    T: Data,
    O: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: Contents<T, O, A::Window>,
{
    pub(crate) fn new(
        panes: PanesState<T, O, A, Tr, C>,
        settings: WindowSettings<T, A, Tr>,
        contents: C,
    ) -> Self {
        WindowOperator {
            panes,
            assigner: settings.assigner,
            trigger: settings.trigger,
            contents,
            lateness_ms: settings.lateness_ms,
            late: settings.late,
            others: Vec::new(),
            changes: Changes::default(),
        }
    }

    #[inline]
    fn cleanup(&self, window: &A::Window) -> Option<i64> {
        cleanup::<A, T>(window, self.lateness_ms)
    }

    /// A record that no open window takes.
    #[cold]
    pub(super) fn skip(&self, value: T, time: EventTime, ctx: &Context, out: &mut Output<O>) {
        let limit = EventTime(time.0.saturating_add(self.lateness_ms));
        if !A::EVENT_TIME || !ctx.watermark().has_passed(limit) {
            return;
        }
        match &self.late {
            Some(tag) => out.side(tag, Record::new(value, time)),
            None => ctx.metrics().late_dropped.add(1),
        }
    }

    #[inline]
    fn add(
        &mut self,
        window: A::Window,
        value: T,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        if A::MERGES {
            self.add_merging(window, value, time, ctx, out)
        } else {
            self.add_to_one(window, value, time, ctx, out)
        }
    }

    /// Adds a record to one window.
    #[inline]
    fn add_to_one(
        &mut self,
        window: A::Window,
        value: T,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let (watermark, now) = (ctx.watermark(), ctx.now());
        let panes = self.panes.get_or_insert_with(ctx, Few::default)?;
        let index = match panes.iter().rposition(|pane| pane.window == window) {
            Some(index) => index,
            None => {
                panes.push(Pane {
                    window,
                    contents: None,
                    state: Tr::State::default(),
                    timers: PaneTimers::new(),
                });
                self.changes.rearm = true;
                panes.len() - 1
            }
        };
        let pane = &mut panes[index];
        let mut asked = TriggerContext {
            watermark,
            now,
            event_time: A::EVENT_TIME,
            end: pane.window.max_timestamp().0,
            timers: &mut pane.timers,
            changes: &mut self.changes,
        };
        let result =
            self.trigger
                .on_element(&value, time, &pane.window, &mut pane.state, &mut asked);
        self.contents.add(&mut pane.contents, value, time);
        if self.changes.any() || result != TriggerResult::Continue {
            let mut panes = self.panes.take(ctx)?.unwrap_or_default();
            self.act(&mut panes, index, result, ctx, out)?;
            self.put_back(panes, ctx)?;
        }
        Ok(())
    }

    /// Does what a trigger decided for a pane, and tells the runtime of changed timers.
    pub(super) fn act(
        &mut self,
        panes: &mut Panes<T, O, A, Tr, C>,
        index: usize,
        result: TriggerResult,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.emit(&mut panes[index], result, ctx, out)?;
        let pane = &mut panes[index];
        if std::mem::take(&mut self.changes.rearm) {
            self.arm(pane, ctx);
        }
        if result.is_purge() && self.is_forgettable(pane) {
            panes.remove(index);
        }
        self.tell(panes, ctx);
        Ok(())
    }

    fn emit(
        &mut self,
        pane: &mut PaneOf<T, O, A, Tr, C>,
        result: TriggerResult,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        if result.is_fire()
            && let Some(stored) = &mut pane.contents
        {
            self.contents.fire(stored, &pane.window, ctx, out)?;
        }
        if result.is_purge() {
            pane.contents = None;
        }
        Ok(())
    }

    fn arm(&self, pane: &mut PaneOf<T, O, A, Tr, C>, ctx: &mut Context) {
        let end = pane.window.max_timestamp().0;
        if let Some(at) = pane.timers.arm(end, self.cleanup(&pane.window)) {
            register(ctx, A::EVENT_TIME, at);
        }
    }

    /// Whether an empty pane that is never cleaned up can go: nothing could tell it from a new one.
    fn is_forgettable(&self, pane: &PaneOf<T, O, A, Tr, C>) -> bool {
        pane.contents.is_none()
            && pane.timers.is_empty()
            && self.trigger.is_clear(&pane.state)
            && self.cleanup(&pane.window).is_none()
    }

    /// Tells the runtime of timers that triggers registered or deleted.
    fn tell(&mut self, panes: &[PaneOf<T, O, A, Tr, C>], ctx: &mut Context) {
        for (event_time, time) in self.changes.delete.drain(..) {
            let own = event_time == A::EVENT_TIME;
            let needed = |pane: &PaneOf<T, O, A, Tr, C>| pane.timers.needs(own, event_time, time);
            if !panes.iter().any(needed) {
                delete(ctx, event_time, time);
            }
        }
        // Those deleted again in the same call would only fire for nobody.
        for (event_time, time) in self.changes.register.drain(..) {
            register(ctx, event_time, time);
        }
    }

    pub(super) fn put_back(&self, panes: Panes<T, O, A, Tr, C>, ctx: &mut Context) -> Result<()> {
        if panes.is_empty() {
            return Ok(());
        }
        self.panes.set(ctx, panes)
    }

    /// A timer of the key has fired: finds the panes it is for.
    fn on_timer(
        &mut self,
        event_time: bool,
        time: i64,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let Some(mut panes) = self.panes.take(ctx)? else {
            return Ok(());
        };
        let mut index = 0;
        while index < panes.len() {
            if self.on_pane_timer(&mut panes[index], event_time, time, ctx, out)? {
                index += 1;
            } else {
                panes.remove(index);
            }
        }
        self.tell(&panes, ctx);
        self.put_back(panes, ctx)
    }

    /// A timer of the key has fired: false if the pane is gone.
    fn on_pane_timer(
        &mut self,
        pane: &mut PaneOf<T, O, A, Tr, C>,
        event_time: bool,
        time: i64,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<bool> {
        let own = event_time == A::EVENT_TIME;
        let end = pane.window.max_timestamp().0;
        let mut due = pane.timers.take(event_time, time);
        let armed = own && pane.timers.fired(time);
        if own && end == time {
            due |= std::mem::take(&mut pane.timers.at_end);
        }
        if due {
            let mut asked = asked::<A, T>(ctx, &pane.window, &mut pane.timers, &mut self.changes);
            let (window, state) = (&pane.window, &mut pane.state);
            let result = if event_time {
                let time = EventTime(time);
                self.trigger.on_event_time(time, window, state, &mut asked)
            } else {
                let time = ProcessingTime(time);
                self.trigger
                    .on_processing_time(time, window, state, &mut asked)
            };
            self.emit(pane, result, ctx, out)?;
            if result.is_purge() && self.is_forgettable(pane) {
                return Ok(false);
            }
        }
        if own && self.cleanup(&pane.window) == Some(time) {
            let mut asked = asked::<A, T>(ctx, &pane.window, &mut pane.timers, &mut self.changes);
            self.trigger
                .clear(&pane.window, &mut pane.state, &mut asked);
            self.contents.clear(&pane.window, ctx)?;
            pane.timers.take_all(&mut self.changes);
            return Ok(false);
        }
        if std::mem::take(&mut self.changes.rearm) || armed {
            self.arm(pane, ctx);
        }
        Ok(true)
    }
}

/// When a window is forgotten; never, if that lies behind the end of time.
#[inline]
fn cleanup<A: WindowAssigner<T>, T: Data>(window: &A::Window, lateness_ms: i64) -> Option<i64> {
    let end = window.max_timestamp().0;
    let lateness = if A::EVENT_TIME { lateness_ms } else { 0 };
    end.checked_add(lateness).filter(|at| *at < i64::MAX)
}

#[inline]
pub(super) fn is_past<A: WindowAssigner<T>, T: Data>(
    window: &A::Window,
    lateness_ms: i64,
    watermark: Watermark,
) -> bool {
    A::EVENT_TIME
        && cleanup::<A, T>(window, lateness_ms)
            .is_some_and(|at| watermark.has_passed(EventTime(at)))
}

/// What a trigger of a pane is given.
pub(super) fn asked<'a, A: WindowAssigner<T>, T: Data>(
    ctx: &Context,
    window: &A::Window,
    timers: &'a mut PaneTimers,
    changes: &'a mut Changes,
) -> TriggerContext<'a> {
    TriggerContext {
        watermark: ctx.watermark(),
        now: ctx.now(),
        event_time: A::EVENT_TIME,
        end: window.max_timestamp().0,
        timers,
        changes,
    }
}

impl<T, O, A, Tr, C> Operator<T, O> for WindowOperator<T, O, A, Tr, C>
where
    T: Data,
    O: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: Contents<T, O, A::Window>,
{
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if A::MERGES && !self.trigger.can_merge() {
            return Err(Error::user(
                "this trigger cannot be used with windows that merge",
            ));
        }
        self.assigner.open(ctx.info())
    }

    #[inline]
    fn process(&mut self, record: Record<T>, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        let Record { value, time } = record;
        let watermark = ctx.watermark();
        // Most records have one window, which need not go through the list.
        let mut first = None;
        let mut others = std::mem::take(&mut self.others);
        let lateness_ms = self.lateness_ms;
        let mut keep = |window: A::Window| {
            if !A::MERGES && is_past::<A, T>(&window, lateness_ms, watermark) {
                return;
            }
            if first.is_none() {
                first = Some(window);
            } else {
                others.push(window);
            }
        };
        self.assigner.assign(&value, time, ctx.now(), &mut keep)?;
        let Some(first) = first else {
            self.others = others;
            self.skip(value, time, ctx, out);
            return Ok(());
        };
        if let Some(last) = others.pop() {
            self.add(first, value.clone(), time, ctx, out)?;
            for window in others.drain(..) {
                self.add(window, value.clone(), time, ctx, out)?;
            }
            self.add(last, value, time, ctx, out)?;
        } else {
            self.add(first, value, time, ctx, out)?;
        }
        self.others = others;
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.on_timer(true, time.0, ctx, out)
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.on_timer(false, time.0, ctx, out)
    }
}

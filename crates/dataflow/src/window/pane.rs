//! A pane: what is stored of one key and one window.
//!
//! Timers of the runtime belong to a key; a pane knows which of them are its own. Almost all panes
//! wait for one instant only, their window's end, so that one is a flag ([`PaneTimers::at_end`])
//! and not a list entry, and the runtime's timer for it is set once ([`PaneTimers::armed`]): for a
//! session whose end moves with every record it stays where it was and is set again when it fires.

use thalweg_core::operator::Context;
use thalweg_core::time::{EventTime, ProcessingTime};

/// A timer in the past of everything stands for none.
const NONE: i64 = i64::MIN;

/// One key's share of a window.
#[derive(Clone, thalweg_core::Data)]
pub(crate) struct Pane<W, C, S> {
    pub window: W,
    /// Nothing until the first record, and after a purge.
    pub contents: Option<C>,
    /// The trigger's.
    pub state: S,
    pub timers: PaneTimers,
}

/// The timers of a pane.
///
/// INVARIANT: while the pane has to do something at its window's end or its cleanup, the runtime
/// has a timer of its key at `armed`, at or before that.
#[derive(Clone, thalweg_core::Data)]
pub(crate) struct PaneTimers {
    /// The trigger waits for the window's last instant.
    pub at_end: bool,
    armed: i64,
    others: Option<Box<OtherTimers>>,
}

/// The instants a trigger waits for besides the window's last.
#[derive(Clone, Default, thalweg_core::Data)]
struct OtherTimers {
    event: Vec<i64>,
    processing: Vec<i64>,
}

impl OtherTimers {
    fn of(&mut self, event_time: bool) -> &mut Vec<i64> {
        if event_time {
            &mut self.event
        } else {
            &mut self.processing
        }
    }
}

impl PaneTimers {
    pub(crate) fn new() -> Self {
        PaneTimers {
            at_end: false,
            armed: NONE,
            others: None,
        }
    }

    /// Adds an instant; false if it is there already.
    pub(crate) fn add(&mut self, event_time: bool, time: i64) -> bool {
        let times = self.others.get_or_insert_default().of(event_time);
        let new = !times.contains(&time);
        if new {
            times.push(time);
        }
        new
    }

    /// Removes an instant; false if it is not there.
    pub(crate) fn take(&mut self, event_time: bool, time: i64) -> bool {
        let Some(others) = &mut self.others else {
            return false;
        };
        let times = others.of(event_time);
        let before = times.len();
        times.retain(|other| *other != time);
        let found = times.len() < before;
        if others.event.is_empty() && others.processing.is_empty() {
            self.others = None;
        }
        found
    }

    /// Removes all instants but the runtime's own timer, and notes them as deleted.
    pub(crate) fn take_all(&mut self, changes: &mut Changes) {
        self.at_end = false;
        if let Some(others) = self.others.take() {
            let deleted = others.event.into_iter().map(|time| (true, time));
            changes.delete.extend(deleted);
            let deleted = others.processing.into_iter().map(|time| (false, time));
            changes.delete.extend(deleted);
        }
    }

    /// Notes the runtime's own timer as deleted.
    pub(crate) fn disarm(&mut self, event_time: bool, changes: &mut Changes) {
        if self.armed != NONE {
            changes.delete.push((event_time, self.armed));
            self.armed = NONE;
        }
    }

    /// The runtime's timer at `time` has fired.
    pub(crate) fn fired(&mut self, time: i64) -> bool {
        let own = self.armed == time;
        if own {
            self.armed = NONE;
        }
        own
    }

    /// Sets the runtime's timer no later than the window's end, if the trigger waits for it, and
    /// the cleanup, if there is one. Returns the instant to register, if it is a new one.
    pub(crate) fn arm(&mut self, end: i64, cleanup: Option<i64>) -> Option<i64> {
        let wanted = if self.at_end {
            end.min(cleanup.unwrap_or(end))
        } else {
            cleanup?
        };
        if self.armed != NONE && self.armed <= wanted {
            return None;
        }
        self.armed = wanted;
        Some(wanted)
    }

    /// Whether the runtime's timer at `time` is needed by this pane.
    pub(crate) fn needs(&self, own_timescale: bool, event_time: bool, time: i64) -> bool {
        let other = |others: &OtherTimers| {
            let times = if event_time {
                &others.event
            } else {
                &others.processing
            };
            times.contains(&time)
        };
        (own_timescale && self.armed == time) || self.others.as_deref().is_some_and(other)
    }

    /// Whether it waits for nothing that a trigger asked for.
    pub(crate) fn is_empty(&self) -> bool {
        !self.at_end && self.others.is_none()
    }
}

/// What triggers have changed during a call and the runtime has not yet heard of: pairs of "in
/// event time" and an instant.
#[derive(Default)]
pub(crate) struct Changes {
    /// A pane's [`PaneTimers::arm`] has to be asked again.
    pub rearm: bool,
    pub register: Vec<(bool, i64)>,
    pub delete: Vec<(bool, i64)>,
}

impl Changes {
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.rearm || !self.register.is_empty() || !self.delete.is_empty()
    }
}

pub(crate) fn register(ctx: &mut Context, event_time: bool, time: i64) {
    if event_time {
        ctx.register_event_timer(EventTime(time));
    } else {
        ctx.register_processing_timer(ProcessingTime(time));
    }
}

pub(crate) fn delete(ctx: &mut Context, event_time: bool, time: i64) {
    if event_time {
        ctx.delete_event_timer(EventTime(time));
    } else {
        ctx.delete_processing_timer(ProcessingTime(time));
    }
}

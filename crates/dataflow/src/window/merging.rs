//! Windows that merge: what happens when a record's window touches others of its key.
//!
//! ```text
//!   open      [0, 10)            [20, 30)         two panes of the key
//!   record         [ 8 ────────────── 21 )        touches both
//!   after     [0 ──────────────────────── 30)     the first pane, with the contents, the trigger
//!                                                 state and the timers of both
//! ```
//! The open panes of a key never touch each other, so what a new window touches becomes one pane
//! and the others need not be looked at again. The record is late only if it touches none and its
//! own window is past its cleanup.

use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Output};
use thalweg_core::time::EventTime;

use super::assigner::WindowAssigner;
use super::contents::Contents;
use super::operator::{PaneOf, Panes, WindowOperator, asked, is_past};
use super::pane::{Pane, PaneTimers};
use super::time_window::Window;
use super::trigger::Trigger;

impl<T, O, A, Tr, C> WindowOperator<T, O, A, Tr, C>
where
    T: Data,
    O: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: Contents<T, O, A::Window>,
{
    /// Adds a record to a window that merges with those it touches.
    pub(super) fn add_merging(
        &mut self,
        window: A::Window,
        value: T,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let mut panes = self.panes.take(ctx)?.unwrap_or_default();
        let touched: Vec<usize> = (0..panes.len())
            .filter(|i| panes[*i].window.merge(&window).is_some())
            .collect();
        let index = match touched.split_first() {
            // Only a window of its own can be past: those it could touch are still open.
            None if is_past::<A, T>(&window, self.lateness_ms, ctx.watermark()) => {
                self.skip(value, time, ctx, out);
                return self.put_back(panes, ctx);
            }
            None => {
                panes.push(Pane {
                    window,
                    contents: None,
                    state: Tr::State::default(),
                    timers: PaneTimers::new(),
                });
                panes.len() - 1
            }
            Some((first, others)) => {
                self.merge(&mut panes, *first, others, &window, ctx)?;
                *first
            }
        };
        self.changes.rearm = true;
        let pane = &mut panes[index];
        let mut asked = asked::<A, T>(ctx, &pane.window, &mut pane.timers, &mut self.changes);
        let result =
            self.trigger
                .on_element(&value, time, &pane.window, &mut pane.state, &mut asked);
        self.contents.add(&mut pane.contents, value, time);
        self.act(&mut panes, index, result, ctx, out)?;
        self.put_back(panes, ctx)
    }

    /// Merges the panes at `others`, which lie behind `first`, and `window` into the pane at
    /// `first`.
    fn merge(
        &mut self,
        panes: &mut Panes<T, O, A, Tr, C>,
        first: usize,
        others: &[usize],
        window: &A::Window,
        ctx: &mut Context,
    ) -> Result<()> {
        let mut cover = panes[first].window.merge(window);
        for other in others {
            cover = cover.and_then(|cover| cover.merge(&panes[*other].window));
        }
        let cover = cover.ok_or_else(|| Error::internal("windows that touch do not merge"))?;
        if others.is_empty() && cover == panes[first].window {
            return Ok(());
        }
        let mut states = Vec::with_capacity(others.len());
        let mut stored = panes[first].contents.take();
        let mut gone: Vec<PaneOf<T, O, A, Tr, C>> = others
            .iter()
            .rev()
            .filter_map(|other| panes.remove(*other))
            .collect();
        for mut pane in gone.drain(..).rev() {
            stored = match (stored, pane.contents.take()) {
                (Some(first), Some(second)) => Some(self.contents.merge(first, second)),
                (first, second) => first.or(second),
            };
            self.contents.clear(&pane.window, ctx)?;
            pane.timers.take_all(&mut self.changes);
            pane.timers.disarm(A::EVENT_TIME, &mut self.changes);
            states.push(pane.state);
        }
        let pane = &mut panes[first];
        pane.contents = stored;
        pane.timers.take_all(&mut self.changes);
        pane.window = cover;
        let mut asked = asked::<A, T>(ctx, &pane.window, &mut pane.timers, &mut self.changes);
        self.trigger
            .on_merge(&pane.window, &mut pane.state, states, &mut asked);
        Ok(())
    }
}

//! Window functions that see a whole window, and what they are given.

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Output, OutputTag};
use thalweg_core::rows::Record;
use thalweg_core::state::MapState;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

/// Called when a window fires: `I` is `[T]`, all its records, or what they were folded into.
///
/// State that it declares is the key's, shared by all its windows; [`WindowContext::state`] narrows
/// a map to the window.
///
/// # Source
/// Flink `ProcessWindowFunction`.
pub trait ProcessWindowFunction<K, I: ?Sized, O: Data, W>: Send + 'static {
    /// The window fires. May be called several times for one window, as late records come.
    ///
    /// # Errors
    /// Fails the task.
    fn process(
        &mut self,
        key: &K,
        window: &mut WindowContext<'_, W>,
        input: &I,
        out: &mut Collector<'_, O>,
    ) -> Result<()>;

    /// The window is cleaned up: the place to clear state of the window.
    ///
    /// # Errors
    /// Fails the task.
    fn clear(&mut self, _key: &K, _window: &mut WindowContext<'_, W>) -> Result<()> {
        Ok(())
    }
}

/// What a window function may ask.
pub struct WindowContext<'a, W> {
    window: &'a W,
    ctx: &'a mut Context,
}

impl<'a, W> WindowContext<'a, W> {
    pub(crate) fn new(window: &'a W, ctx: &'a mut Context) -> Self {
        WindowContext { window, ctx }
    }

    /// The window that fires.
    pub fn window(&self) -> &W {
        self.window
    }

    /// The watermark the operator has reached.
    pub fn watermark(&self) -> Watermark {
        self.ctx.watermark()
    }

    /// The processing time of this call.
    pub fn now(&self) -> ProcessingTime {
        self.ctx.now()
    }

    /// The context that state handles take: state of the key. Timers belong to the windows.
    pub fn context(&mut self) -> &mut Context {
        self.ctx
    }
}

impl<W: Key> WindowContext<'_, W> {
    /// State of this key and window, kept in a map by window.
    ///
    /// # Errors
    /// As [`MapState::get`].
    pub fn state<S: Data>(&self, states: &MapState<W, S>) -> Result<Option<&S>> {
        states.get(self.ctx, self.window)
    }

    /// Sets state of this key and window.
    ///
    /// # Errors
    /// As [`MapState::insert`].
    pub fn set_state<S: Data>(&mut self, states: &MapState<W, S>, value: S) -> Result<()> {
        states
            .insert(self.ctx, self.window.clone(), value)
            .map(drop)
    }

    /// Removes state of this key and window.
    ///
    /// # Errors
    /// As [`MapState::remove`].
    pub fn clear_state<S: Data>(&mut self, states: &MapState<W, S>) -> Result<()> {
        states.remove(self.ctx, self.window).map(drop)
    }
}

/// Takes the results of a window: their timestamp is the window's last instant.
pub struct Collector<'a, O> {
    out: &'a mut Output<O>,
    time: EventTime,
}

impl<'a, O: Data> Collector<'a, O> {
    pub(crate) fn new(out: &'a mut Output<O>, time: EventTime) -> Self {
        Collector { out, time }
    }

    /// Emits a result.
    pub fn collect(&mut self, value: O) {
        self.out.emit(value, self.time);
    }

    /// Emits to a side output.
    pub fn side<S: Data>(&mut self, tag: &OutputTag<S>, value: S) {
        self.out.side(tag, Record::new(value, self.time));
    }
}

/// A closure as a window function.
pub struct Closure<F>(pub F);

impl<K, I, O, W, F> ProcessWindowFunction<K, I, O, W> for Closure<F>
where
    I: ?Sized,
    O: Data,
    F: Fn(&K, &mut WindowContext<'_, W>, &I, &mut Collector<'_, O>) -> Result<()> + Send + 'static,
{
    fn process(
        &mut self,
        key: &K,
        window: &mut WindowContext<'_, W>,
        input: &I,
        out: &mut Collector<'_, O>,
    ) -> Result<()> {
        (self.0)(key, window, input, out)
    }
}

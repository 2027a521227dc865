//! What a window keeps of its records, and what it emits when it fires.
//!
//! | Contents      | Keeps            | Emits                                                    |
//! |---------------|------------------|----------------------------------------------------------|
//! | [`Fold`]      | one accumulator  | the result of the [`Folding`]                            |
//! | [`Processed`] | as it wraps      | what the window function makes of the wrapped result     |
//! | [`Gather`]    | all records      | to its window function: the records                      |
//! | [`Evicting`]  | all records      | what its function makes of those the evictor left        |

use std::marker::PhantomData;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{AggregateFunction, Context, Output};
use thalweg_core::time::EventTime;

use super::evictor::{Elements, Evictor, EvictorContext};
use super::function::{Collector, ProcessWindowFunction, WindowContext};
use super::time_window::Window;

/// What a window keeps and emits.
pub trait Contents<T: Data, O: Data, W: Window>: Send + 'static {
    /// What is stored.
    type Stored: Data;

    /// Adds a record; `None` is a window without records.
    fn add(&self, stored: &mut Option<Self::Stored>, value: T, time: EventTime);

    /// The contents of two windows that became one.
    fn merge(&self, first: Self::Stored, second: Self::Stored) -> Self::Stored;

    /// The window fires.
    fn fire(
        &mut self,
        stored: &mut Self::Stored,
        window: &W,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()>;

    /// The window is cleaned up.
    fn clear(&mut self, _window: &W, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }
}

/// How records are folded into an accumulator.
pub trait Folding<T: Data>: Clone + Send + Sync + 'static {
    type Accumulator: Data;
    type Result: Data;

    fn add(&self, accumulator: &mut Option<Self::Accumulator>, value: T);
    fn merge(&self, first: Self::Accumulator, second: Self::Accumulator) -> Self::Accumulator;
    fn result(&self, accumulator: &Self::Accumulator) -> Self::Result;
}

/// Folds by a function of two values.
#[derive(Clone)]
pub struct Reducing<F>(pub F);

impl<T: Data, F: Fn(T, T) -> T + Clone + Send + Sync + 'static> Folding<T> for Reducing<F> {
    type Accumulator = T;
    type Result = T;

    #[inline]
    fn add(&self, accumulator: &mut Option<T>, value: T) {
        *accumulator = Some(match accumulator.take() {
            Some(before) => (self.0)(before, value),
            None => value,
        });
    }

    fn merge(&self, first: T, second: T) -> T {
        (self.0)(first, second)
    }

    fn result(&self, accumulator: &T) -> T {
        accumulator.clone()
    }
}

/// Folds by an aggregate function.
#[derive(Clone)]
pub struct Aggregating<A>(pub A);

impl<A: AggregateFunction> Folding<A::Input> for Aggregating<A> {
    type Accumulator = A::Accumulator;
    type Result = A::Output;

    #[inline]
    fn add(&self, accumulator: &mut Option<A::Accumulator>, value: A::Input) {
        let accumulator = accumulator.get_or_insert_with(|| self.0.create_accumulator());
        self.0.add(accumulator, value);
    }

    fn merge(&self, first: A::Accumulator, second: A::Accumulator) -> A::Accumulator {
        self.0.merge(first, second)
    }

    fn result(&self, accumulator: &A::Accumulator) -> A::Output {
        self.0.result(accumulator)
    }
}

/// Keeps an accumulator and emits its result.
pub struct Fold<F>(pub F);

impl<T: Data, W: Window, F: Folding<T>> Contents<T, F::Result, W> for Fold<F> {
    type Stored = F::Accumulator;

    #[inline]
    fn add(&self, stored: &mut Option<F::Accumulator>, value: T, _: EventTime) {
        self.0.add(stored, value);
    }

    fn merge(&self, first: F::Accumulator, second: F::Accumulator) -> F::Accumulator {
        self.0.merge(first, second)
    }

    fn fire(
        &mut self,
        stored: &mut F::Accumulator,
        window: &W,
        _: &mut Context,
        out: &mut Output<F::Result>,
    ) -> Result<()> {
        out.emit(self.0.result(stored), window.max_timestamp());
        Ok(())
    }
}

/// Keeps an accumulator and gives its result to a window function.
pub struct Processed<K, F, P> {
    pub folding: F,
    pub function: P,
    pub marker: PhantomData<fn(K)>,
}

impl<K, T, O, W, F, P> Contents<T, O, W> for Processed<K, F, P>
where
    K: Key,
    T: Data,
    O: Data,
    W: Window,
    F: Folding<T>,
    P: ProcessWindowFunction<K, F::Result, O, W>,
{
    type Stored = F::Accumulator;

    #[inline]
    fn add(&self, stored: &mut Option<F::Accumulator>, value: T, _: EventTime) {
        self.folding.add(stored, value);
    }

    fn merge(&self, first: F::Accumulator, second: F::Accumulator) -> F::Accumulator {
        self.folding.merge(first, second)
    }

    fn fire(
        &mut self,
        stored: &mut F::Accumulator,
        window: &W,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let result = self.folding.result(stored);
        call::<K, _, _, _, _>(&mut self.function, &result, window, ctx, out)
    }

    fn clear(&mut self, window: &W, ctx: &mut Context) -> Result<()> {
        let key = ctx.key::<K>()?.clone();
        self.function
            .clear(&key, &mut WindowContext::new(window, ctx))
    }
}

fn call<K: Key, I: ?Sized, O: Data, W: Window, P: ProcessWindowFunction<K, I, O, W>>(
    function: &mut P,
    input: &I,
    window: &W,
    ctx: &mut Context,
    out: &mut Output<O>,
) -> Result<()> {
    let key = ctx.key::<K>()?.clone();
    let mut out = Collector::new(out, window.max_timestamp());
    function.process(&key, &mut WindowContext::new(window, ctx), input, &mut out)
}

/// Keeps all records and gives them to a window function.
pub struct Gather<K, P> {
    pub function: P,
    pub marker: PhantomData<fn(K)>,
}

impl<K, T, O, W, P> Contents<T, O, W> for Gather<K, P>
where
    K: Key,
    T: Data,
    O: Data,
    W: Window,
    P: ProcessWindowFunction<K, [T], O, W>,
{
    type Stored = Vec<T>;

    fn add(&self, stored: &mut Option<Vec<T>>, value: T, _: EventTime) {
        stored.get_or_insert_default().push(value);
    }

    fn merge(&self, mut first: Vec<T>, mut second: Vec<T>) -> Vec<T> {
        first.append(&mut second);
        first
    }

    fn fire(
        &mut self,
        stored: &mut Vec<T>,
        window: &W,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        call::<K, [T], _, _, _>(&mut self.function, stored, window, ctx, out)
    }

    fn clear(&mut self, window: &W, ctx: &mut Context) -> Result<()> {
        let key = ctx.key::<K>()?.clone();
        self.function
            .clear(&key, &mut WindowContext::new(window, ctx))
    }
}

/// Keeps all records with their timestamps, and folds those that an evictor leaves.
pub struct Evicting<E, C> {
    pub evictor: E,
    pub contents: C,
}

impl<T, O, W, E, C> Contents<T, O, W> for Evicting<E, C>
where
    T: Data,
    O: Data,
    W: Window,
    E: Evictor<T, W>,
    C: Contents<T, O, W>,
{
    type Stored = Elements<T>;

    fn add(&self, stored: &mut Option<Elements<T>>, value: T, time: EventTime) {
        stored.get_or_insert_with(Elements::new).push(value, time);
    }

    fn merge(&self, mut first: Elements<T>, second: Elements<T>) -> Elements<T> {
        first.append(second);
        first
    }

    fn fire(
        &mut self,
        stored: &mut Elements<T>,
        window: &W,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let asked = EvictorContext {
            watermark: ctx.watermark(),
            now: ctx.now(),
        };
        self.evictor.evict_before(stored, window, asked);
        let mut left = None;
        for (value, time) in stored.values().iter().zip(stored.times()) {
            self.contents
                .add(&mut left, value.clone(), EventTime(*time));
        }
        if let Some(left) = &mut left {
            self.contents.fire(left, window, ctx, out)?;
        }
        self.evictor.evict_after(stored, window, asked);
        Ok(())
    }

    fn clear(&mut self, window: &W, ctx: &mut Context) -> Result<()> {
        self.contents.clear(window, ctx)
    }
}

/// Whether a window keeps an accumulator or, for an evictor, all its records.
pub trait Eviction<T: Data, W: Window>: Clone + Send + Sync + 'static {
    /// The contents with the evictor in front.
    type Wrapped<O: Data, C: Contents<T, O, W>>: Contents<T, O, W>;

    /// Puts the evictor in front.
    fn wrap<O: Data, C: Contents<T, O, W>>(&self, contents: C) -> Self::Wrapped<O, C>;
}

/// No evictor.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvictor;

impl<T: Data, W: Window> Eviction<T, W> for NoEvictor {
    type Wrapped<O: Data, C: Contents<T, O, W>> = C;

    fn wrap<O: Data, C: Contents<T, O, W>>(&self, contents: C) -> C {
        contents
    }
}

/// An evictor.
#[derive(Clone, Copy, Debug)]
pub struct Evicted<E>(pub E);

impl<T: Data, W: Window, E: Evictor<T, W>> Eviction<T, W> for Evicted<E> {
    type Wrapped<O: Data, C: Contents<T, O, W>> = Evicting<E, C>;

    fn wrap<O: Data, C: Contents<T, O, W>>(&self, contents: C) -> Evicting<E, C> {
        Evicting {
            evictor: self.0.clone(),
            contents,
        }
    }
}

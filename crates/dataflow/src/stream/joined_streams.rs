//! Two streams that meet by key and window: `join` and `co_group`.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | two, any order                                                              |
//! | Output   | join: a call a pair of one key and window; co_group: a call a key and       |
//! |          | window with records of either side. Timestamps: the window's last instant   |
//! | State    | all records of open windows                                                 |
//! | Timers   | as the window operator                                                      |
//! | Source   | Flink `DataStream.join`, `coGroup`: both sides in one window, told apart    |

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;

use super::data_stream::DataStream;
use super::windowed_stream::WindowedStream;
use crate::window::contents::{Evicted, Eviction, NoEvictor};
use crate::window::{Collector, Evictor, Trigger, WindowAssigner};

/// A record of one of two streams.
#[derive(Clone, Debug, PartialEq, thalweg_core::Data)]
pub enum Either<A, B> {
    /// Of the first.
    First(A),
    /// Of the second.
    Second(B),
}

/// Asks for every pair of records.
#[derive(Clone, Copy, Debug)]
pub struct Pairs;

/// Asks for all records of both sides together.
#[derive(Clone, Copy, Debug)]
pub struct Groups;

impl<A: Data> DataStream<A> {
    /// Joins the records of two streams that have equal keys and share a window.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::window::GlobalWindows;
    ///
    /// let names = env.from_collection([(1, "ann".to_owned()), (2, "bob".to_owned())]);
    /// let ages = env.from_collection([(1, 30), (3, 50)]);
    /// let joined = names
    ///     .join(&ages)
    ///     .where_key(|name| name.0)
    ///     .equal_to(|age| age.0)
    ///     .window(GlobalWindows::with_end_of_stream_trigger())
    ///     .apply(|name, age| format!("{}: {}", name.1, age.1))
    ///     .execute_and_collect()?;
    /// assert_eq!(joined, ["ann: 30"]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `DataStream.join`.
    pub fn join<B: Data>(&self, other: &DataStream<B>) -> JoinedStreams<A, B, Pairs> {
        JoinedStreams {
            first: self.clone(),
            second: other.clone(),
            marker: PhantomData,
        }
    }

    /// Groups the records of two streams that have equal keys and share a window; a side may be
    /// empty.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::window::GlobalWindows;
    ///
    /// let left = env.from_collection([1, 1, 2]);
    /// let right = env.from_collection([1, 3]);
    /// let mut counts = left
    ///     .co_group(&right)
    ///     .where_key(|n| *n)
    ///     .equal_to(|n| *n)
    ///     .window(GlobalWindows::with_end_of_stream_trigger())
    ///     .apply(|left: &[i32], right: &[i32], out| {
    ///         out.collect((left.len() as u64, right.len() as u64));
    ///         Ok(())
    ///     })
    ///     .execute_and_collect()?;
    /// counts.sort();
    /// assert_eq!(counts, [(0, 1), (1, 0), (2, 1)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `DataStream.coGroup`.
    pub fn co_group<B: Data>(&self, other: &DataStream<B>) -> JoinedStreams<A, B, Groups> {
        JoinedStreams {
            first: self.clone(),
            second: other.clone(),
            marker: PhantomData,
        }
    }
}

/// Two streams, still without keys.
pub struct JoinedStreams<A, B, M> {
    first: DataStream<A>,
    second: DataStream<B>,
    marker: PhantomData<M>,
}

type Selector<T, K> = Arc<dyn Fn(&T) -> K + Send + Sync>;

/// Two streams, the first with its key.
pub struct HalfKeyedStreams<K, A, B, M> {
    streams: JoinedStreams<A, B, M>,
    key: Selector<A, K>,
}

/// Two streams with their keys.
pub struct KeyedJoinedStreams<K, A, B, M> {
    streams: JoinedStreams<A, B, M>,
    first: Selector<A, K>,
    second: Selector<B, K>,
}

impl<A: Data, B: Data, M> JoinedStreams<A, B, M> {
    /// The key of the first stream's records.
    pub fn where_key<K: Key>(
        self,
        key: impl Fn(&A) -> K + Send + Sync + 'static,
    ) -> HalfKeyedStreams<K, A, B, M> {
        HalfKeyedStreams {
            streams: self,
            key: Arc::new(key),
        }
    }
}

impl<K: Key, A: Data, B: Data, M> HalfKeyedStreams<K, A, B, M> {
    /// The key of the second stream's records.
    pub fn equal_to(
        self,
        key: impl Fn(&B) -> K + Send + Sync + 'static,
    ) -> KeyedJoinedStreams<K, A, B, M> {
        KeyedJoinedStreams {
            streams: self.streams,
            first: self.key,
            second: Arc::new(key),
        }
    }
}

impl<K: Key, A: Data, B: Data, M> KeyedJoinedStreams<K, A, B, M> {
    /// The windows that both streams share.
    pub fn window<W: WindowAssigner<Either<A, B>>>(
        self,
        assigner: W,
    ) -> JoinedWindow<M, K, A, B, W, W::Trigger, NoEvictor> {
        let (first, second) = (self.first, self.second);
        let streams = self.streams;
        let both = streams
            .first
            .map(Either::First)
            .union(&[streams.second.map(Either::Second)]);
        let keyed = both.key_by(move |record: &Either<A, B>| match record {
            Either::First(value) => first(value),
            Either::Second(value) => second(value),
        });
        JoinedWindow {
            windowed: keyed.window(assigner),
            marker: PhantomData,
        }
    }
}

/// Two streams in one window.
pub struct JoinedWindow<M, K, A, B, W, Tr, E> {
    windowed: WindowedStream<K, Either<A, B>, W, Tr, E>,
    marker: PhantomData<M>,
}

impl<M, K, A, B, W, Tr, E> JoinedWindow<M, K, A, B, W, Tr, E>
where
    K: Key,
    A: Data,
    B: Data,
    W: WindowAssigner<Either<A, B>>,
    Tr: Trigger<Either<A, B>, W::Window>,
    E: Eviction<Either<A, B>, W::Window>,
{
    /// Replaces the trigger.
    pub fn trigger<New: Trigger<Either<A, B>, W::Window>>(
        self,
        trigger: New,
    ) -> JoinedWindow<M, K, A, B, W, New, E> {
        JoinedWindow {
            windowed: self.windowed.trigger(trigger),
            marker: PhantomData,
        }
    }

    /// Sets an evictor, which sees the records of both sides.
    pub fn evictor<New: Evictor<Either<A, B>, W::Window>>(
        self,
        evictor: New,
    ) -> JoinedWindow<M, K, A, B, W, Tr, Evicted<New>> {
        JoinedWindow {
            windowed: self.windowed.evictor(evictor),
            marker: PhantomData,
        }
    }

    /// As [`WindowedStream::allowed_lateness`].
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.windowed = self.windowed.allowed_lateness(lateness);
        self
    }

    fn grouped<O: Data>(
        &self,
        function: impl Fn(&[A], &[B], &mut Collector<'_, O>) -> Result<()>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> DataStream<O> {
        self.windowed.process(move |_, _, records, out| {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for record in records {
                match record.clone() {
                    Either::First(value) => first.push(value),
                    Either::Second(value) => second.push(value),
                }
            }
            function(&first, &second, out)
        })
    }
}

impl<K, A, B, W, Tr, E> JoinedWindow<Pairs, K, A, B, W, Tr, E>
where
    K: Key,
    A: Data,
    B: Data,
    W: WindowAssigner<Either<A, B>>,
    Tr: Trigger<Either<A, B>, W::Window>,
    E: Eviction<Either<A, B>, W::Window>,
{
    /// Makes one record of every pair.
    pub fn apply<O: Data>(
        &self,
        function: impl Fn(&A, &B) -> O + Clone + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.grouped(move |first, second, out| {
            for a in first {
                for b in second {
                    out.collect(function(a, b));
                }
            }
            Ok(())
        })
    }
}

impl<K, A, B, W, Tr, E> JoinedWindow<Groups, K, A, B, W, Tr, E>
where
    K: Key,
    A: Data,
    B: Data,
    W: WindowAssigner<Either<A, B>>,
    Tr: Trigger<Either<A, B>, W::Window>,
    E: Eviction<Either<A, B>, W::Window>,
{
    /// Calls a function with the records of both sides, either of which may be empty.
    pub fn apply<O: Data>(
        &self,
        function: impl Fn(&[A], &[B], &mut Collector<'_, O>) -> Result<()>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> DataStream<O> {
        self.grouped(function)
    }
}

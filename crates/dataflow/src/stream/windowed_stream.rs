//! A keyed stream on its way into windows.

use std::marker::PhantomData;
use std::ops::AddAssign;
use std::time::Duration;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{AggregateFunction, OutputTag};
use thalweg_core::state::StateRegistry;
use thalweg_core::time::duration_millis;

use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;
use crate::operators::max::{max_by_of, max_of};
use crate::operators::min::{min_by_of, min_of};
use crate::operators::sum::sum_of;
use crate::window::contents::{
    Aggregating, Contents, Evicted, Eviction, Fold, Folding, Gather, NoEvictor, Processed, Reducing,
};
use crate::window::function::Closure;
use crate::window::operator::{WindowOperator, WindowSettings};
use crate::window::{
    Collector, Evictor, ProcessWindowFunction, Trigger, WindowAssigner, WindowContext,
};

/// A stream whose records are grouped into the windows of `A`, which fire by `Tr`.
///
/// | Setting                   | Default                                                         |
/// |---------------------------|-----------------------------------------------------------------|
/// | `trigger`                 | the assigner's                                                  |
/// | `evictor`                 | none: windows keep accumulators, not records                    |
/// | `allowed_lateness`        | zero                                                            |
/// | `side_output_late_data`   | none: late records are dropped and counted                      |
///
/// # Event time
/// A window `[start, end)` fires when the watermark reaches `end - 1`, which is also the timestamp
/// of its results. A record is late when all its windows are past `end - 1` plus the allowed
/// lateness.
///
/// # Source
/// Flink `WindowedStream`, `AllWindowedStream`.
#[derive(Clone)]
pub struct WindowedStream<K, T, A, Tr, E = NoEvictor> {
    stream: KeyedStream<K, T>,
    assigner: A,
    trigger: Tr,
    evictor: E,
    lateness_ms: i64,
    late: Option<OutputTag<T>>,
    // All records have one key: the operator has one instance.
    all: bool,
}

impl<K: Key, T: Data, A: WindowAssigner<T>> WindowedStream<K, T, A, A::Trigger> {
    pub(crate) fn of(stream: KeyedStream<K, T>, assigner: A, all: bool) -> Self {
        WindowedStream {
            stream,
            trigger: assigner.default_trigger(),
            assigner,
            evictor: NoEvictor,
            lateness_ms: 0,
            late: None,
            all,
        }
    }
}

impl<K, T, A, Tr, E> WindowedStream<K, T, A, Tr, E>
where
    K: Key,
    T: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    E: Eviction<T, A::Window>,
{
    /// Replaces the trigger.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::window::{CountTrigger, GlobalWindows, PurgingTrigger};
    ///
    /// let pairs = env
    ///     .from_collection([1, 2, 3, 4, 5])
    ///     .key_by(|_| ())
    ///     .window(GlobalWindows::create())
    ///     .trigger(PurgingTrigger::of(CountTrigger::of(2)))
    ///     .reduce(|a, b| a + b)
    ///     .execute_and_collect()?;
    /// assert_eq!(pairs, [3, 7]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn trigger<New: Trigger<T, A::Window>>(
        self,
        trigger: New,
    ) -> WindowedStream<K, T, A, New, E> {
        WindowedStream {
            stream: self.stream,
            assigner: self.assigner,
            trigger,
            evictor: self.evictor,
            lateness_ms: self.lateness_ms,
            late: self.late,
            all: self.all,
        }
    }

    /// Sets an evictor. The windows then keep all their records.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::window::{CountEvictor, CountTrigger, GlobalWindows};
    ///
    /// let last_two = env
    ///     .from_collection([1, 2, 3])
    ///     .key_by(|_| ())
    ///     .window(GlobalWindows::create())
    ///     .trigger(CountTrigger::of(1))
    ///     .evictor(CountEvictor::of(2))
    ///     .reduce(|a, b| a + b)
    ///     .execute_and_collect()?;
    /// assert_eq!(last_two, [1, 3, 5]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn evictor<New: Evictor<T, A::Window>>(
        self,
        evictor: New,
    ) -> WindowedStream<K, T, A, Tr, Evicted<New>> {
        WindowedStream {
            stream: self.stream,
            assigner: self.assigner,
            trigger: self.trigger,
            evictor: Evicted(evictor),
            lateness_ms: self.lateness_ms,
            late: self.late,
            all: self.all,
        }
    }

    /// Keeps windows for so long after the watermark has passed their end: each late record of that
    /// time makes its window fire again. Without effect on windows that follow the clock.
    #[must_use]
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.lateness_ms = duration_millis(lateness);
        self
    }

    /// Sends records whose windows are all gone to a side output of the result, instead of dropping
    /// them.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::operator::OutputTag;
    /// use thalweg_dataflow::window::TumblingEventTimeWindows;
    ///
    /// let late = OutputTag::<(String, i64)>::new("late");
    /// let sums = env
    ///     .from_collection(Vec::<(String, i64)>::new())
    ///     .key_by(|(word, _)| word.clone())
    ///     .window(TumblingEventTimeWindows::of(Duration::from_secs(60)))
    ///     .side_output_late_data(&late)
    ///     .sum(|(_, n)| n);
    /// let too_late = sums.side_output(&late);
    /// # assert!(too_late.execute_and_collect()?.is_empty());
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    #[must_use]
    pub fn side_output_late_data(mut self, tag: &OutputTag<T>) -> Self {
        self.late = Some(tag.clone());
        self
    }

    /// Folds the records of a window by a function of two; emits one record each time the window
    /// fires.
    ///
    /// # State
    /// One record a window; all records with an evictor.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
    /// use thalweg_dataflow::window::TumblingEventTimeWindows;
    ///
    /// let strategy = WatermarkStrategy::for_monotonous_timestamps()
    ///     .with_timestamp_assigner(|(_, millis): &(char, i64)| *millis);
    /// let last = env
    ///     .from_collection([('a', 1), ('a', 9), ('a', 10)])
    ///     .assign_timestamps_and_watermarks(strategy)
    ///     .key_by(|(key, _)| *key)
    ///     .window(TumblingEventTimeWindows::of(Duration::from_millis(10)))
    ///     .reduce(|_, later| later)
    ///     .execute_and_collect()?;
    /// assert_eq!(last, [('a', 9), ('a', 10)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `WindowedStream.reduce`.
    pub fn reduce(
        &self,
        function: impl Fn(T, T) -> T + Clone + Send + Sync + 'static,
    ) -> DataStream<T> {
        self.fold("WindowReduce", Reducing(function))
    }

    /// Adds each record of a window to an accumulator; emits the accumulator's result each time the
    /// window fires.
    ///
    /// # State
    /// One accumulator a window; all records with an evictor.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::operator::AggregateFunction;
    ///
    /// #[derive(Clone)]
    /// struct Count;
    ///
    /// impl AggregateFunction for Count {
    ///     type Input = i64;
    ///     type Accumulator = u64;
    ///     type Output = u64;
    ///     fn create_accumulator(&self) -> u64 { 0 }
    ///     fn add(&self, count: &mut u64, _: i64) { *count += 1; }
    ///     fn result(&self, count: &u64) -> u64 { *count }
    ///     fn merge(&self, a: u64, b: u64) -> u64 { a + b }
    /// }
    ///
    /// let counts = env.from_collection([7i64, 8, 9]).key_by(|_| ()).count_window(3).aggregate(Count);
    /// assert_eq!(counts.execute_and_collect()?, [3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    ///
    /// # Source
    /// Flink `WindowedStream.aggregate`.
    pub fn aggregate<F>(&self, function: F) -> DataStream<F::Output>
    where
        F: AggregateFunction<Input = T>,
    {
        self.fold("WindowAggregate", Aggregating(function))
    }

    /// Gives all records of a window to a function each time the window fires: key, window,
    /// records in order of arrival, results.
    ///
    /// # State
    /// All records of every open window.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let counts = env
    ///     .from_collection(["a", "b", "a"].map(String::from))
    ///     .key_by(Clone::clone)
    ///     .count_window(2)
    ///     .process(|word, _, words, out| {
    ///         out.collect(format!("{word}: {}", words.len()));
    ///         Ok(())
    ///     })
    ///     .execute_and_collect()?;
    /// assert_eq!(counts, ["a: 2"]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `WindowedStream.process`, `apply`.
    pub fn process<O, F>(&self, function: F) -> DataStream<O>
    where
        O: Data,
        F: Fn(&K, &mut WindowContext<'_, A::Window>, &[T], &mut Collector<'_, O>) -> Result<()>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.process_with(move |_| Closure(function.clone()))
    }

    /// Like [`WindowedStream::process`], with a function that has state: `declare` is called once
    /// an instance, to build it and to declare its keyed state.
    pub fn process_with<O: Data, P: ProcessWindowFunction<K, [T], O, A::Window>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> P + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.run("WindowProcess", move |states| Gather {
            function: declare(states),
            marker: PhantomData::<fn(K)>,
        })
    }

    /// Folds as [`WindowedStream::reduce`] does and gives the result to a function each time the
    /// window fires: the cheap way to know the window of a sum.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let sums = env
    ///     .from_collection([1, 2, 3, 4])
    ///     .key_by(|n| n % 2)
    ///     .count_window(2)
    ///     .reduce_and_process(|a, b| a + b, |key, _, sum, out| {
    ///         out.collect((*key, *sum));
    ///         Ok(())
    ///     })
    ///     .execute_and_collect()?;
    /// assert_eq!(sums, [(1, 4), (0, 6)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    ///
    /// # Source
    /// Flink `WindowedStream.reduce(ReduceFunction, ProcessWindowFunction)`.
    pub fn reduce_and_process<O, F>(
        &self,
        reduce: impl Fn(T, T) -> T + Clone + Send + Sync + 'static,
        function: F,
    ) -> DataStream<O>
    where
        O: Data,
        F: Fn(&K, &mut WindowContext<'_, A::Window>, &T, &mut Collector<'_, O>) -> Result<()>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.processed("WindowReduce", Reducing(reduce), move |_| {
            Closure(function.clone())
        })
    }

    /// Aggregates as [`WindowedStream::aggregate`] does and gives the result to a function each time
    /// the window fires.
    ///
    /// # Source
    /// Flink `WindowedStream.aggregate(AggregateFunction, ProcessWindowFunction)`.
    pub fn aggregate_and_process<O, G, F>(&self, aggregate: G, function: F) -> DataStream<O>
    where
        O: Data,
        G: AggregateFunction<Input = T>,
        F: Fn(
                &K,
                &mut WindowContext<'_, A::Window>,
                &G::Output,
                &mut Collector<'_, O>,
            ) -> Result<()>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.processed("WindowAggregate", Aggregating(aggregate), move |_| {
            Closure(function.clone())
        })
    }

    /// Like [`WindowedStream::aggregate_and_process`], with a function that has state.
    pub fn aggregate_and_process_with<O: Data, G, P>(
        &self,
        aggregate: G,
        declare: impl Fn(&mut StateRegistry) -> P + Send + Sync + 'static,
    ) -> DataStream<O>
    where
        G: AggregateFunction<Input = T>,
        P: ProcessWindowFunction<K, G::Output, O, A::Window>,
    {
        self.processed("WindowAggregate", Aggregating(aggregate), declare)
    }

    /// The window's first record with a field summed up; see [`KeyedStream::sum`].
    pub fn sum<N, F>(&self, field: F) -> DataStream<T>
    where
        N: AddAssign + Clone,
        F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
    {
        self.fold("WindowSum", Reducing(sum_of(field)))
    }

    /// The window's first record with a field at its lowest; see [`KeyedStream::min`].
    pub fn min<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
    {
        self.fold("WindowMin", Reducing(min_of(field)))
    }

    /// The window's first record with a field at its highest; see [`KeyedStream::max`].
    pub fn max<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
    {
        self.fold("WindowMax", Reducing(max_of(field)))
    }

    /// The window's record with the lowest field; see [`KeyedStream::min_by`].
    pub fn min_by<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        self.fold("WindowMinBy", Reducing(min_by_of(field)))
    }

    /// The window's record with the highest field; see [`KeyedStream::max_by`].
    pub fn max_by<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        self.fold("WindowMaxBy", Reducing(max_by_of(field)))
    }

    fn fold<F: Folding<T>>(&self, name: &str, folding: F) -> DataStream<F::Result> {
        self.run(name, move |_| Fold(folding.clone()))
    }

    fn processed<O, F, P>(
        &self,
        name: &str,
        folding: F,
        declare: impl Fn(&mut StateRegistry) -> P + Send + Sync + 'static,
    ) -> DataStream<O>
    where
        O: Data,
        F: Folding<T>,
        P: ProcessWindowFunction<K, F::Result, O, A::Window>,
    {
        self.run(name, move |states| Processed {
            folding: folding.clone(),
            function: declare(states),
            marker: PhantomData::<fn(K)>,
        })
    }

    fn run<O: Data, C: Contents<T, O, A::Window>>(
        &self,
        name: &str,
        contents: impl Fn(&mut StateRegistry) -> C + Send + Sync + 'static,
    ) -> DataStream<O> {
        let (assigner, trigger) = (self.assigner.clone(), self.trigger.clone());
        let (evictor, late, lateness_ms) =
            (self.evictor.clone(), self.late.clone(), self.lateness_ms);
        let stream = self.stream.apply(name, move |states| {
            let settings = WindowSettings {
                assigner: assigner.clone(),
                trigger: trigger.clone(),
                lateness_ms,
                late: late.clone(),
            };
            let contents = evictor.wrap(contents(states));
            WindowOperator::new(states.value("windows"), settings, contents)
        });
        if self.all {
            stream.set_parallelism(1).set_max_parallelism(1)
        } else {
            stream
        }
    }
}

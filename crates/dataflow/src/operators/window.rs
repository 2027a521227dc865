//! Where a stream enters windows: `window`, `count_window`, `window_all`.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | any order; keyed, but for the `_all` forms, which have one instance         |
//! | Output   | see [`WindowedStream`]                                                      |
//! | State    | see [`crate::window`]                                                       |
//! | Source   | Flink `KeyedStream.window`, `countWindow`, `DataStream.windowAll`           |

use thalweg_core::data::{Data, Key};

use crate::stream::{DataStream, KeyedStream, WindowedStream};
use crate::window::contents::Evicted;
use crate::window::{CountEvictor, CountTrigger, GlobalWindows, PurgingTrigger, WindowAssigner};

/// A stream in windows of so many records.
pub type CountWindowedStream<K, T> =
    WindowedStream<K, T, GlobalWindows, PurgingTrigger<CountTrigger>>;

/// A stream in windows of the last so many records.
pub type SlidingCountWindowedStream<K, T> =
    WindowedStream<K, T, GlobalWindows, CountTrigger, Evicted<CountEvictor>>;

impl<K: Key, T: Data> KeyedStream<K, T> {
    /// Groups the records of each key into windows.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
    /// use thalweg_dataflow::window::EventTimeSessionWindows;
    ///
    /// let strategy = WatermarkStrategy::for_monotonous_timestamps()
    ///     .with_timestamp_assigner(|(_, _, millis): &(char, u32, i64)| *millis);
    /// let clicks = env
    ///     .from_collection([('a', 1, 0), ('a', 1, 5), ('a', 1, 100)])
    ///     .assign_timestamps_and_watermarks(strategy)
    ///     .key_by(|(user, _, _)| *user)
    ///     .window(EventTimeSessionWindows::with_gap(Duration::from_millis(10)))
    ///     .sum(|(_, clicks, _)| clicks)
    ///     .execute_and_collect()?;
    /// assert_eq!(clicks, [('a', 2, 0), ('a', 1, 100)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.window`.
    pub fn window<A: WindowAssigner<T>>(&self, assigner: A) -> WindowedStream<K, T, A, A::Trigger> {
        WindowedStream::of(self.clone(), assigner, false)
    }

    /// Groups every `size` records of a key. What is left over never fires.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let sums = env
    ///     .from_collection([1, 2, 3, 4, 5])
    ///     .key_by(|_| ())
    ///     .count_window(2)
    ///     .reduce(|a, b| a + b)
    ///     .execute_and_collect()?;
    /// assert_eq!(sums, [3, 7]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.countWindow(size)`.
    pub fn count_window(&self, size: u64) -> CountWindowedStream<K, T> {
        self.window(GlobalWindows::create())
            .trigger(PurgingTrigger::of(CountTrigger::of(size)))
    }

    /// Groups the last `size` records of a key, after every `slide` records.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let sums = env
    ///     .from_collection([1, 2, 3, 4])
    ///     .key_by(|_| ())
    ///     .sliding_count_window(3, 2)
    ///     .reduce(|a, b| a + b)
    ///     .execute_and_collect()?;
    /// assert_eq!(sums, [3, 9]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.countWindow(size, slide)`.
    pub fn sliding_count_window(
        &self,
        size: usize,
        slide: u64,
    ) -> SlidingCountWindowedStream<K, T> {
        self.window(GlobalWindows::create())
            .trigger(CountTrigger::of(slide))
            .evictor(CountEvictor::of(size))
    }
}

impl<T: Data> DataStream<T> {
    /// Groups all records into windows, in one instance whatever the job's parallelism.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::window::GlobalWindows;
    ///
    /// let total = env
    ///     .from_collection([1, 2, 3])
    ///     .window_all(GlobalWindows::with_end_of_stream_trigger())
    ///     .reduce(|a, b| a + b)
    ///     .execute_and_collect()?;
    /// assert_eq!(total, [6]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `DataStream.windowAll`.
    pub fn window_all<A: WindowAssigner<T>>(
        &self,
        assigner: A,
    ) -> WindowedStream<(), T, A, A::Trigger> {
        WindowedStream::of(self.key_by(|_| ()), assigner, true)
    }

    /// Groups every `size` records, in one instance; see [`KeyedStream::count_window`].
    pub fn count_window_all(&self, size: u64) -> CountWindowedStream<(), T> {
        self.window_all(GlobalWindows::create())
            .trigger(PurgingTrigger::of(CountTrigger::of(size)))
    }

    /// Groups the last `size` records after every `slide` records, in one instance; see
    /// [`KeyedStream::sliding_count_window`].
    pub fn sliding_count_window_all(
        &self,
        size: usize,
        slide: u64,
    ) -> SlidingCountWindowedStream<(), T> {
        self.window_all(GlobalWindows::create())
            .trigger(CountTrigger::of(slide))
            .evictor(CountEvictor::of(size))
    }
}

//! The broadcast state pattern: rules for all instances beside records for one.
//!
//! | Contract |                                                                         |
//! |----------|-------------------------------------------------------------------------|
//! | Input    | a stream, keyed or not, and one of which every instance gets all        |
//! | Output   | whatever the operator emits                                             |
//! | State    | what the operator declares; broadcast state has a copy an instance      |
//! | Timers   | keyed streams only; the watermark is the minimum over both inputs       |
//! | Source   | Flink `BroadcastProcessFunction`, `KeyedBroadcastProcessFunction`       |

use thalweg_core::data::{Data, Key};
use thalweg_core::operator::BroadcastOperator;
use thalweg_core::state::StateRegistry;

use crate::stream::{
    BroadcastConnectedStream, BroadcastStream, DataStream, KeyedBroadcastConnectedStream,
};

impl<B: Data> DataStream<B> {
    /// The stream as one that is broadcast to an operator with
    /// [broadcast state](thalweg_core::state::BroadcastState), whatever partitioning it had.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::Result;
    /// use thalweg_core::operator::{BroadcastContext, BroadcastOperator, Context, Output};
    /// use thalweg_core::rows::Record;
    /// use thalweg_core::state::BroadcastState;
    ///
    /// struct Limits(BroadcastState<(), i64>);
    ///
    /// impl BroadcastOperator<i64, i64, i64> for Limits {
    ///     fn process(&mut self, r: Record<i64>, ctx: &mut Context, out: &mut Output<i64>) -> Result {
    ///         if self.0.get(ctx, &()).is_none_or(|limit| r.value <= *limit) {
    ///             out.push(r);
    ///         }
    ///         Ok(())
    ///     }
    ///     fn process_broadcast(
    ///         &mut self,
    ///         limit: Record<i64>,
    ///         ctx: &mut BroadcastContext<'_>,
    ///         _: &mut Output<i64>,
    ///     ) -> Result {
    ///         self.0.insert(ctx, (), limit.value);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let limits = env.from_collection(Vec::<i64>::new()).broadcast_stream();
    /// let passed = env.from_collection([1i64, 2]).connect(&limits)
    ///     .process(|states| Limits(states.broadcast("limits")));
    /// assert_eq!(passed.execute_and_collect()?, [1, 2]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    ///
    /// # Source
    /// Flink `DataStream.broadcast(MapStateDescriptor...)`.
    pub fn broadcast_stream(&self) -> BroadcastStream<B> {
        BroadcastStream::of(self.clone())
    }
}

impl<T: Data, B: Data> BroadcastConnectedStream<T, B> {
    /// Runs an operator of your own. `declare` is called once an instance, to build it and to
    /// declare its broadcast and operator state.
    pub fn process<O: Data, Op: BroadcastOperator<T, B, O>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("BroadcastProcess", declare)
    }
}

impl<K: Key, T: Data, B: Data> KeyedBroadcastConnectedStream<K, T, B> {
    /// Runs an operator of your own over each key. `declare` is called once an instance, to build
    /// it and to declare its broadcast and keyed state.
    pub fn process<O: Data, Op: BroadcastOperator<T, B, O>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("KeyedBroadcastProcess", declare)
    }
}

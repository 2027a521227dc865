//! Process functions: the whole operator contract in the hands of the user.
//!
//! | Contract |                                                                   |
//! |----------|-------------------------------------------------------------------|
//! | Input    | any order                                                         |
//! | Output   | whatever the operator emits, to the main and to side outputs      |
//! | State    | what the operator declares; keyed if the stream is                |
//! | Timers   | what the operator registers; keyed streams only                   |
//! | Source   | Flink `ProcessFunction`, `KeyedProcessFunction`                   |

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::StateRegistry;

use crate::stream::{DataStream, KeyedStream};

impl<T: Data> DataStream<T> {
    /// Runs an operator of your own. `declare` is called once an instance, to build it and to
    /// declare its operator state.
    pub fn process<O: Data, Op: Operator<T, O>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("Process", declare)
    }

    /// Runs a stateless function with access to the context and to side outputs.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::operator::Output;
    ///
    /// let doubled = env
    ///     .from_collection([1, 2])
    ///     .process_each(|record, _, out: &mut Output<i32>| {
    ///         out.emit(record.value, record.time);
    ///         out.emit(record.value, record.time);
    ///         Ok(())
    ///     })
    ///     .execute_and_collect()?;
    /// assert_eq!(doubled, [1, 1, 2, 2]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn process_each<O: Data>(
        &self,
        function: impl Fn(Record<T>, &mut Context, &mut Output<O>) -> Result<()>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> DataStream<O> {
        self.apply("Process", move |_| Each(function.clone()))
    }
}

impl<K: Key, T: Data> KeyedStream<K, T> {
    /// Runs an operator of your own over each key. `declare` is called once an instance, to build
    /// it and to declare its keyed state.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::Result;
    /// use thalweg_core::operator::{Context, Operator, Output};
    /// use thalweg_core::rows::Record;
    /// use thalweg_core::state::ValueState;
    ///
    /// struct Distinct(ValueState<bool>);
    ///
    /// impl Operator<i64, i64> for Distinct {
    ///     fn process(&mut self, r: Record<i64>, ctx: &mut Context, out: &mut Output<i64>) -> Result {
    ///         if self.0.get(ctx)?.is_none() {
    ///             self.0.set(ctx, true)?;
    ///             out.push(r);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let keyed = env.from_collection([1i64, 2, 1]).key_by(|n| *n);
    /// let distinct = keyed.process(|states| Distinct(states.value("seen")));
    /// assert_eq!(distinct.execute_and_collect()?, [1, 2]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn process<O: Data, Op: Operator<T, O>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("KeyedProcess", declare)
    }
}

struct Each<F>(F);

impl<T, O, F> Operator<T, O> for Each<F>
where
    T: Data,
    O: Data,
    F: Fn(Record<T>, &mut Context, &mut Output<O>) -> Result<()> + Send + 'static,
{
    fn process(&mut self, record: Record<T>, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        (self.0)(record, ctx, out)
    }
}

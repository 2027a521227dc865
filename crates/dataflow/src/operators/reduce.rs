//! Folds the records of a key into one of their own type.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | keyed, any order                                                            |
//! | Output   | streaming: one record a record, its timestamp kept; batch: one record a key |
//! |          | at the end of the input, without a timestamp                                |
//! | State    | `value`: ValueState, one entry a key, for ever                              |
//! | Timers   | batch only: event time, one a key, at the end of the input                  |
//! | Late     | treated as on time                                                          |
//! | Cost     | one state read and write, one call and one clone a record                   |
//! | Source   | Flink `KeyedStream.reduce`, `StreamGroupedReduceOperator`                   |

use thalweg_core::config::RuntimeMode;
use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::time::EventTime;

use crate::stream::{DataStream, KeyedStream};

impl<K: Key, T: Data> KeyedStream<K, T> {
    /// Folds each record into what its key has so far, and emits the result.
    ///
    /// Emits one record a record; in batch mode one record a key, when the input has ended.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let sums = env
    ///     .from_collection([("a".to_owned(), 1), ("b".to_owned(), 5), ("a".to_owned(), 2)])
    ///     .key_by(|(word, _)| word.clone())
    ///     .reduce(|(word, a), (_, b)| (word, a + b))
    ///     .execute_and_collect()?;
    /// assert_eq!(sums, [("a".to_owned(), 1), ("b".to_owned(), 5), ("a".to_owned(), 3)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.reduce`.
    pub fn reduce(
        &self,
        function: impl Fn(T, T) -> T + Clone + Send + Sync + 'static,
    ) -> DataStream<T> {
        self.rolling("Reduce", function)
    }

    pub(crate) fn rolling(
        &self,
        name: &str,
        fold: impl Fn(T, T) -> T + Clone + Send + Sync + 'static,
    ) -> DataStream<T> {
        self.apply(name, move |states| Rolling {
            value: states.value("value"),
            fold: fold.clone(),
        })
    }
}

struct Rolling<T, F> {
    value: ValueState<T>,
    fold: F,
}

impl<T: Data, F: Fn(T, T) -> T + Send + 'static> Operator<T, T> for Rolling<T, F> {
    fn process(&mut self, record: Record<T>, ctx: &mut Context, out: &mut Output<T>) -> Result<()> {
        let batch = ctx.mode() == RuntimeMode::Batch;
        let folded = match self.value.take(ctx)? {
            Some(before) => (self.fold)(before, record.value),
            None => {
                if batch {
                    // Fires with the last watermark, once the whole input is read.
                    ctx.register_event_timer(EventTime(i64::MAX));
                }
                record.value
            }
        };
        if batch {
            self.value.set(ctx, folded)
        } else {
            self.value.set(ctx, folded.clone())?;
            out.emit(folded, record.time);
            Ok(())
        }
    }

    fn on_event_timer(
        &mut self,
        _: EventTime,
        ctx: &mut Context,
        out: &mut Output<T>,
    ) -> Result<()> {
        if let Some(value) = self.value.take(ctx)? {
            out.emit(value, EventTime::NONE);
        }
        Ok(())
    }
}

//! The sum of a field so far, for each key.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | keyed, any order                                                            |
//! | Output   | as `reduce`                                                                 |
//! | State    | `value`: ValueState, one record a key, for ever                             |
//! | Late     | treated as on time                                                          |
//! | Cost     | as `reduce`                                                                 |
//! | Source   | Flink `KeyedStream.sum`, `SumAggregator`                                    |

use std::ops::AddAssign;

use thalweg_core::data::{Data, Key};

use crate::stream::{DataStream, KeyedStream};

impl<K: Key, T: Data> KeyedStream<K, T> {
    /// Emits the key's first record with the field at its sum so far: the other fields stay those
    /// of the first record. A sum overflows as `+=` of its type does.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let sums = env
    ///     .from_collection([(1, 'x', 4), (1, 'y', 3)])
    ///     .key_by(|(key, _, _)| *key)
    ///     .sum(|(_, _, n)| n)
    ///     .execute_and_collect()?;
    /// assert_eq!(sums, [(1, 'x', 4), (1, 'x', 7)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.sum`.
    pub fn sum<N, F>(&self, field: F) -> DataStream<T>
    where
        N: AddAssign + Clone,
        F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
    {
        self.rolling("Sum", sum_of(field))
    }
}

/// Adds to the first record.
pub(crate) fn sum_of<T, N, F>(field: F) -> impl Fn(T, T) -> T + Clone + Send + Sync + 'static
where
    N: AddAssign + Clone,
    F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
{
    move |mut before, mut value| {
        *field(&mut before) += field(&mut value).clone();
        before
    }
}

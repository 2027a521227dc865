//! The highest of a field so far, for each key.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | keyed, any order                                                            |
//! | Output   | as `reduce`                                                                 |
//! | State    | `value`: ValueState, one record a key, for ever                             |
//! | Late     | treated as on time                                                          |
//! | Cost     | as `reduce`                                                                 |
//! | Source   | Flink `KeyedStream.max`, `maxBy`, `ComparableAggregator`                      |

use thalweg_core::data::{Data, Key};

use crate::stream::{DataStream, KeyedStream};

impl<K: Key, T: Data> KeyedStream<K, T> {
    /// Emits the key's first record with the field at its highest so far: the other fields stay those of
    /// the first record. [`KeyedStream::max_by`] takes the whole record.
    ///
    /// A value that compares with none, such as NaN, never replaces another.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let max = env
    ///     .from_collection([(1, 'x', 6), (1, 'y', 7), (1, 'z', 5)])
    ///     .key_by(|(key, _, _)| *key)
    ///     .max(|(_, _, n)| n)
    ///     .execute_and_collect()?;
    /// assert_eq!(max, [(1, 'x', 6), (1, 'x', 7), (1, 'x', 7)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.max`.
    pub fn max<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
    {
        self.rolling("Max", max_of(field))
    }

    /// Emits the key's record with the highest so far; the first of several equal ones stays.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let max = env
    ///     .from_collection([(1, 'x', 6), (1, 'y', 7), (1, 'z', 7)])
    ///     .key_by(|(key, _, _)| *key)
    ///     .max_by(|(_, _, n)| *n)
    ///     .execute_and_collect()?;
    /// assert_eq!(max, [(1, 'x', 6), (1, 'y', 7), (1, 'y', 7)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.maxBy`.
    pub fn max_by<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        self.rolling("MaxBy", max_by_of(field))
    }
}

/// Folds into the first record.
pub(crate) fn max_of<T, N, F>(field: F) -> impl Fn(T, T) -> T + Clone + Send + Sync + 'static
where
    N: PartialOrd,
    F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
{
    move |mut before, mut value| {
        let (kept, new) = (field(&mut before), field(&mut value));
        if *new > *kept {
            std::mem::swap(kept, new);
        }
        before
    }
}

/// Chooses one of two records.
pub(crate) fn max_by_of<T, N, F>(field: F) -> impl Fn(T, T) -> T + Clone + Send + Sync + 'static
where
    N: PartialOrd,
    F: Fn(&T) -> N + Clone + Send + Sync + 'static,
{
    move |before, value| {
        if field(&value) > field(&before) {
            value
        } else {
            before
        }
    }
}

//! The lowest of a field so far, for each key.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | keyed, any order                                                            |
//! | Output   | as `reduce`                                                                 |
//! | State    | `value`: ValueState, one record a key, for ever                             |
//! | Late     | treated as on time                                                          |
//! | Cost     | as `reduce`                                                                 |
//! | Source   | Flink `KeyedStream.min`, `minBy`, `ComparableAggregator`                      |

use thalweg_core::data::{Data, Key};

use crate::stream::{DataStream, KeyedStream};

impl<K: Key, T: Data> KeyedStream<K, T> {
    /// Emits the key's first record with the field at its lowest so far: the other fields stay those of
    /// the first record. [`KeyedStream::min_by`] takes the whole record.
    ///
    /// A value that compares with none, such as NaN, never replaces another.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let min = env
    ///     .from_collection([(1, 'x', 4), (1, 'y', 3), (1, 'z', 5)])
    ///     .key_by(|(key, _, _)| *key)
    ///     .min(|(_, _, n)| n)
    ///     .execute_and_collect()?;
    /// assert_eq!(min, [(1, 'x', 4), (1, 'x', 3), (1, 'x', 3)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.min`.
    pub fn min<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
    {
        self.rolling("Min", min_of(field))
    }

    /// Emits the key's record with the lowest so far; the first of several equal ones stays.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let min = env
    ///     .from_collection([(1, 'x', 4), (1, 'y', 3), (1, 'z', 3)])
    ///     .key_by(|(key, _, _)| *key)
    ///     .min_by(|(_, _, n)| *n)
    ///     .execute_and_collect()?;
    /// assert_eq!(min, [(1, 'x', 4), (1, 'y', 3), (1, 'y', 3)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.minBy`.
    pub fn min_by<N, F>(&self, field: F) -> DataStream<T>
    where
        N: PartialOrd,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        self.rolling("MinBy", min_by_of(field))
    }
}

/// Folds into the first record.
pub(crate) fn min_of<T, N, F>(field: F) -> impl Fn(T, T) -> T + Clone + Send + Sync + 'static
where
    N: PartialOrd,
    F: Fn(&mut T) -> &mut N + Clone + Send + Sync + 'static,
{
    move |mut before, mut value| {
        let (kept, new) = (field(&mut before), field(&mut value));
        if *new < *kept {
            std::mem::swap(kept, new);
        }
        before
    }
}

/// Chooses one of two records.
pub(crate) fn min_by_of<T, N, F>(field: F) -> impl Fn(T, T) -> T + Clone + Send + Sync + 'static
where
    N: PartialOrd,
    F: Fn(&T) -> N + Clone + Send + Sync + 'static,
{
    move |before, value| {
        if field(&value) < field(&before) {
            value
        } else {
            before
        }
    }
}

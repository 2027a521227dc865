//! Turns every record into one other.
//!
//! | Contract |                                              |
//! |----------|----------------------------------------------|
//! | Input    | any order                                    |
//! | Output   | one record a record; order and timestamps kept |
//! | State    | none                                         |
//! | Cost     | one call a record                            |
//! | Source   | Flink `DataStream.map`                       |

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;

use crate::stream::DataStream;

impl<T: Data> DataStream<T> {
    /// Turns every record into one other; timestamps are kept.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let squares = env.from_collection([1i64, 2, 3]).map(|n| n * n).execute_and_collect()?;
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `DataStream.map`.
    pub fn map<O: Data>(
        &self,
        function: impl Fn(T) -> O + Clone + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("Map", move |_| Map(function.clone()))
    }

    /// Like [`DataStream::map`], with a function that can fail; its error fails the job.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env
    ///     .from_collection(["1", "x"].map(String::from))
    ///     .try_map(|text| text.parse::<i64>().map_err(|_| thalweg_core::Error::user("no number")));
    /// assert!(numbers.execute_and_collect().is_err());
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn try_map<O: Data>(
        &self,
        function: impl Fn(T) -> Result<O> + Clone + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("Map", move |_| TryMap(function.clone()))
    }
}

struct Map<F>(F);

impl<T: Data, O: Data, F: Fn(T) -> O + Send + 'static> Operator<T, O> for Map<F> {
    #[inline]
    fn process(&mut self, record: Record<T>, _: &mut Context, out: &mut Output<O>) -> Result<()> {
        out.emit((self.0)(record.value), record.time);
        Ok(())
    }
}

struct TryMap<F>(F);

impl<T: Data, O: Data, F: Fn(T) -> Result<O> + Send + 'static> Operator<T, O> for TryMap<F> {
    #[inline]
    fn process(&mut self, record: Record<T>, _: &mut Context, out: &mut Output<O>) -> Result<()> {
        out.emit((self.0)(record.value)?, record.time);
        Ok(())
    }
}

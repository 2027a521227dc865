//! Passes the records that meet a condition.
//!
//! | Contract |                                                     |
//! |----------|-----------------------------------------------------|
//! | Input    | any order                                           |
//! | Output   | a subset of the input; order and timestamps kept    |
//! | State    | none                                                |
//! | Cost     | one call a record                                   |
//! | Source   | Flink `DataStream.filter`                           |

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;

use crate::stream::DataStream;

impl<T: Data> DataStream<T> {
    /// Passes the records for which `condition` holds.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let even = env.from_collection(0..6i64).filter(|n| n % 2 == 0).execute_and_collect()?;
    /// assert_eq!(even, [0, 2, 4]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn filter(
        &self,
        condition: impl Fn(&T) -> bool + Clone + Send + Sync + 'static,
    ) -> DataStream<T> {
        self.apply("Filter", move |_| Filter(condition.clone()))
    }
}

struct Filter<F>(F);

impl<T: Data, F: Fn(&T) -> bool + Send + 'static> Operator<T, T> for Filter<F> {
    #[inline]
    fn process(&mut self, record: Record<T>, _: &mut Context, out: &mut Output<T>) -> Result<()> {
        if (self.0)(&record.value) {
            out.push(record);
        }
        Ok(())
    }
}

//! Turns every record into none, one or many.
//!
//! | Contract |                                                                       |
//! |----------|-----------------------------------------------------------------------|
//! | Input    | any order                                                             |
//! | Output   | the function's values in order, with the timestamp of their record    |
//! | State    | none; a long iterator is drained across calls, as the output has room |
//! | Cost     | one call a record and one `next` a value                              |
//! | Source   | Flink `DataStream.flatMap`                                            |

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::time::EventTime;

use crate::stream::DataStream;

impl<T: Data> DataStream<T> {
    /// Turns every record into the values of an iterator. The iterator may be long: it is drained
    /// only as far as the output has room.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let twice = env.from_collection([1i64, 2]).flat_map(|n| [n, n]).execute_and_collect()?;
    /// assert_eq!(twice, [1, 1, 2, 2]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn flat_map<O: Data, I>(
        &self,
        function: impl Fn(T) -> I + Clone + Send + Sync + 'static,
    ) -> DataStream<O>
    where
        I: IntoIterator<Item = O> + 'static,
        I::IntoIter: Send + 'static,
    {
        self.apply("FlatMap", move |_| FlatMap {
            function: function.clone(),
            rest: None,
        })
    }
}

struct FlatMap<F, I> {
    function: F,
    rest: Option<(I, EventTime)>,
}

impl<T, O, F, I> Operator<T, O> for FlatMap<F, I::IntoIter>
where
    T: Data,
    O: Data,
    F: Fn(T) -> I + Send + 'static,
    I: IntoIterator<Item = O>,
    I::IntoIter: Send + 'static,
{
    fn process(&mut self, record: Record<T>, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        self.rest = Some(((self.function)(record.value).into_iter(), record.time));
        <Self as Operator<T, O>>::resume(self, ctx, out)
    }

    fn resume(&mut self, _: &mut Context, out: &mut Output<O>) -> Result<()> {
        let Some((values, time)) = &mut self.rest else {
            return Ok(());
        };
        for value in values.by_ref() {
            out.emit(value, *time);
            if out.is_full() {
                out.pause();
                return Ok(());
            }
        }
        self.rest = None;
        Ok(())
    }
}

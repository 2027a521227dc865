//! How a stream's records spread over the instances of the next operator.

use std::sync::Arc;

use thalweg_core::container::Container;
use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{ChannelSelector, Partitioning};
use thalweg_core::rows::Rows;

use super::data_stream::DataStream;

impl<T: Data> DataStream<T> {
    /// Instance i to instance i; an error where parallelism differs.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection(0..4i64);
    /// let mut same = numbers.forward().map(|n| n).execute_and_collect()?;
    /// same.sort();
    /// assert_eq!(same, [0, 1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn forward(&self) -> DataStream<T> {
        self.with_partitioning(Partitioning::Forward)
    }

    /// In turn to every instance.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection(0..4i64);
    /// let mut same = numbers.rebalance().map(|n| n).execute_and_collect()?;
    /// same.sort();
    /// assert_eq!(same, [0, 1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn rebalance(&self) -> DataStream<T> {
        self.with_partitioning(Partitioning::Rebalance)
    }

    /// In turn to the instances of the own share, without crossing all with all.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection(0..4i64);
    /// let mut same = numbers.rescale().map(|n| n).execute_and_collect()?;
    /// same.sort();
    /// assert_eq!(same, [0, 1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn rescale(&self) -> DataStream<T> {
        self.with_partitioning(Partitioning::Rescale)
    }

    /// At random, from a fixed seed.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection(0..4i64);
    /// let mut same = numbers.shuffle().map(|n| n).execute_and_collect()?;
    /// same.sort();
    /// assert_eq!(same, [0, 1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn shuffle(&self) -> DataStream<T> {
        self.with_partitioning(Partitioning::Shuffle)
    }

    /// Every record to every instance.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection([7]).broadcast();
    /// let everywhere = numbers.map(|n| n).set_parallelism(3).execute_and_collect()?;
    /// assert_eq!(everywhere, [7, 7, 7]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn broadcast(&self) -> DataStream<T> {
        self.with_partitioning(Partitioning::Broadcast)
    }

    /// Every record to the first instance.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection(0..4i64);
    /// let mut same = numbers.global().map(|n| n).execute_and_collect()?;
    /// same.sort();
    /// assert_eq!(same, [0, 1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn global(&self) -> DataStream<T> {
        self.with_partitioning(Partitioning::Global)
    }

    /// By a function of the record and the number of instances, which returns an instance.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection(0..4i64);
    /// let by_value = numbers.partition_custom(|n, instances| (*n as u32) % instances);
    /// let mut same = by_value.map(|n| n).set_parallelism(2).execute_and_collect()?;
    /// same.sort();
    /// assert_eq!(same, [0, 1, 2, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn partition_custom(
        &self,
        partitioner: impl Fn(&T, u32) -> u32 + Send + Sync + 'static,
    ) -> DataStream<T> {
        let selector = Custom {
            partitioner,
            marker: std::marker::PhantomData,
        };
        self.with_partitioning(Partitioning::Custom(Arc::new(selector)))
    }
}

struct Custom<T, F> {
    partitioner: F,
    marker: std::marker::PhantomData<fn(T)>,
}

impl<T: Data, F: Fn(&T, u32) -> u32 + Send + Sync> ChannelSelector for Custom<T, F> {
    fn channels(&self, batch: &dyn Container, channels: u32, targets: &mut Vec<u32>) -> Result<()> {
        let rows = batch.as_any().downcast_ref::<Rows<T>>().ok_or_else(|| {
            Error::internal(format!(
                "a partitioned edge met a batch of `{}`",
                batch.type_name()
            ))
        })?;
        targets.extend(
            rows.values
                .iter()
                .map(|value| (self.partitioner)(value, channels)),
        );
        Ok(())
    }
}

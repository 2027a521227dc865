//! A stream partitioned by key.

use std::sync::Arc;

use thalweg_core::container::Container;
use thalweg_core::data::{Data, Key};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{KeyHasher, NodeKind, Partitioning, StreamNode};
use thalweg_core::operator::{BatchOperator, KeySelector, KeyedRowsOperator, Operator, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::state::StateRegistry;

use super::connect::Connect;
use super::data_stream::DataStream;

/// A stream whose records with equal keys meet in one instance.
#[derive(Clone)]
pub struct KeyedStream<K, T> {
    stream: DataStream<T>,
    selector: Arc<dyn KeySelector<T, K>>,
}

impl<K: Key, T: Data> KeyedStream<K, T> {
    pub(crate) fn of(stream: DataStream<T>, selector: Arc<dyn KeySelector<T, K>>) -> Self {
        KeyedStream { stream, selector }
    }

    /// The stream before it was keyed.
    pub fn stream(&self) -> &DataStream<T> {
        &self.stream
    }

    /// How keys are taken.
    pub fn selector(&self) -> Arc<dyn KeySelector<T, K>> {
        self.selector.clone()
    }

    pub(crate) fn partitioning(&self) -> Partitioning {
        Partitioning::Hash(Arc::new(RowsHasher {
            selector: self.selector.clone(),
        }))
    }

    /// Runs an operator over each key: what every operator file calls.
    pub fn apply<O: Data, Op: Operator<T, O>>(
        &self,
        name: &str,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        let selector = self.selector.clone();
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            let operator = declare(setup.states);
            let keyed: KeyedRowsOperator<T, K, O, Op> =
                KeyedRowsOperator::new(operator, selector.clone(), setup);
            Ok(Box::new(keyed))
        };
        let node = StreamNode::new(name, NodeKind::Operator(Arc::new(factory)));
        let id = self.stream.connect_node(node, self.partitioning(), 0);
        DataStream::of(self.stream.environment().clone(), id)
    }

    /// Joins this stream with another into one operator: one keyed by the same type, with which it
    /// shares state a key, or a [broadcast](DataStream::broadcast_stream) one.
    pub fn connect<S: Connect<KeyedStream<K, T>>>(&self, other: &S) -> S::Connected {
        other.behind(self)
    }
}

struct RowsHasher<T, K> {
    selector: Arc<dyn KeySelector<T, K>>,
}

impl<T: Data, K: Key> KeyHasher for RowsHasher<T, K> {
    fn hashes(&self, batch: &dyn Container, hashes: &mut Vec<u64>) -> Result<()> {
        let rows = batch.as_any().downcast_ref::<Rows<T>>().ok_or_else(|| {
            Error::internal(format!(
                "a keyed edge met a batch of `{}`",
                batch.type_name()
            ))
        })?;
        let mut keys = Vec::with_capacity(rows.len());
        self.selector.select(&rows.values, &mut keys);
        let mut scratch = Vec::new();
        hashes.extend(keys.iter().map(|key| key.stable_hash(&mut scratch)));
        Ok(())
    }
}

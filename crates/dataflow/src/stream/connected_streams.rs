//! Two streams on their way into one operator.

use std::sync::Arc;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::graph::{NodeKind, Partitioning, StreamNode};
use thalweg_core::operator::{
    BatchOperator, KeyedTwoInputRowsOperator, OperatorFactory, Setup, TwoInputOperator,
    TwoInputRowsOperator,
};
use thalweg_core::state::StateRegistry;

use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;

/// Two streams without keys.
#[derive(Clone)]
pub struct ConnectedStreams<A, B> {
    first: DataStream<A>,
    second: DataStream<B>,
}

impl<A: Data, B: Data> ConnectedStreams<A, B> {
    pub(crate) fn of(first: DataStream<A>, second: DataStream<B>) -> Self {
        ConnectedStreams { first, second }
    }

    /// Keys both streams by one type.
    pub fn key_by<K: Key>(
        &self,
        first: impl Fn(&A) -> K + Send + Sync + 'static,
        second: impl Fn(&B) -> K + Send + Sync + 'static,
    ) -> KeyedConnectedStreams<K, A, B> {
        KeyedConnectedStreams::of(self.first.key_by(first), self.second.key_by(second))
    }

    /// Runs an operator over both streams.
    pub fn apply<O: Data, Op: TwoInputOperator<A, B, O>>(
        &self,
        name: &str,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            let operator = declare(setup.states);
            Ok(Box::new(TwoInputRowsOperator::<A, B, O, Op>::new(
                operator, setup,
            )))
        };
        let node = two_inputs(name, Arc::new(factory));
        let id = self.first.connect_node(node, Partitioning::Unspecified, 0);
        self.second.connect_to(id, &Partitioning::Unspecified, 1);
        DataStream::of(self.first.environment().clone(), id)
    }
}

/// Two streams keyed by one type.
#[derive(Clone)]
pub struct KeyedConnectedStreams<K, A, B> {
    first: KeyedStream<K, A>,
    second: KeyedStream<K, B>,
}

impl<K: Key, A: Data, B: Data> KeyedConnectedStreams<K, A, B> {
    pub(crate) fn of(first: KeyedStream<K, A>, second: KeyedStream<K, B>) -> Self {
        KeyedConnectedStreams { first, second }
    }

    /// Runs an operator over each key of both streams.
    pub fn apply<O: Data, Op: TwoInputOperator<A, B, O>>(
        &self,
        name: &str,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        let (first, second) = (self.first.selector(), self.second.selector());
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            let operator = declare(setup.states);
            let keyed: KeyedTwoInputRowsOperator<A, B, K, O, Op> =
                KeyedTwoInputRowsOperator::new(operator, first.clone(), second.clone(), setup);
            Ok(Box::new(keyed))
        };
        let node = two_inputs(name, Arc::new(factory));
        let id = self
            .first
            .stream()
            .connect_node(node, self.first.partitioning(), 0);
        self.second
            .stream()
            .connect_to(id, &self.second.partitioning(), 1);
        DataStream::of(self.first.stream().environment().clone(), id)
    }
}

pub(super) fn two_inputs(name: &str, factory: Arc<dyn OperatorFactory>) -> StreamNode {
    let mut node = StreamNode::new(name, NodeKind::Operator(factory));
    node.ports = 2;
    node
}

//! A stream whose records go to every instance of the next operator, which keeps state of them.

use std::sync::Arc;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::graph::Partitioning;
use thalweg_core::operator::{
    BatchOperator, BroadcastOperator, Broadcasting, KeyedBroadcastRowsOperator, Setup,
    TwoInputRowsOperator,
};
use thalweg_core::state::StateRegistry;

use super::connected_streams::two_inputs;
use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;

/// A stream whose records go to every instance of the operator that it is connected to.
#[derive(Clone)]
pub struct BroadcastStream<B>(DataStream<B>);

impl<B: Data> BroadcastStream<B> {
    pub(crate) fn of(stream: DataStream<B>) -> Self {
        BroadcastStream(stream)
    }
}

/// A stream without keys, and one that is broadcast.
#[derive(Clone)]
pub struct BroadcastConnectedStream<T, B> {
    first: DataStream<T>,
    broadcast: BroadcastStream<B>,
}

impl<T: Data, B: Data> BroadcastConnectedStream<T, B> {
    pub(crate) fn of(first: DataStream<T>, broadcast: BroadcastStream<B>) -> Self {
        BroadcastConnectedStream { first, broadcast }
    }

    /// Runs an operator over both streams.
    pub fn apply<O: Data, Op: BroadcastOperator<T, B, O>>(
        &self,
        name: &str,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            let operator = Broadcasting(declare(setup.states));
            let adapted: TwoInputRowsOperator<T, B, O, Broadcasting<Op>> =
                TwoInputRowsOperator::new(operator, setup);
            Ok(Box::new(adapted))
        };
        let node = two_inputs(name, Arc::new(factory));
        let id = self.first.connect_node(node, Partitioning::Unspecified, 0);
        self.broadcast.0.connect_to(id, &Partitioning::Broadcast, 1);
        DataStream::of(self.first.environment().clone(), id)
    }
}

/// A keyed stream, and one that is broadcast.
#[derive(Clone)]
pub struct KeyedBroadcastConnectedStream<K, T, B> {
    first: KeyedStream<K, T>,
    broadcast: BroadcastStream<B>,
}

impl<K: Key, T: Data, B: Data> KeyedBroadcastConnectedStream<K, T, B> {
    pub(crate) fn of(first: KeyedStream<K, T>, broadcast: BroadcastStream<B>) -> Self {
        KeyedBroadcastConnectedStream { first, broadcast }
    }

    /// Runs an operator over each key of the first stream.
    pub fn apply<O: Data, Op: BroadcastOperator<T, B, O>>(
        &self,
        name: &str,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        let selector = self.first.selector();
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            let operator = declare(setup.states);
            let adapted: KeyedBroadcastRowsOperator<T, B, K, O, Op> =
                KeyedBroadcastRowsOperator::new(operator, selector.clone(), setup);
            Ok(Box::new(adapted))
        };
        let node = two_inputs(name, Arc::new(factory));
        let stream = self.first.stream();
        let id = stream.connect_node(node, self.first.partitioning(), 0);
        self.broadcast.0.connect_to(id, &Partitioning::Broadcast, 1);
        DataStream::of(stream.environment().clone(), id)
    }
}

//! A stream of records of one type.

use std::marker::PhantomData;
use std::sync::Arc;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::graph::{NodeId, NodeKind, Partitioning, StreamEdge, StreamNode};
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::{
    BatchOperator, KeySelector, Operator, OperatorFactory, OutputTag, RowsOperator, Setup,
};
use thalweg_core::state::StateRegistry;

use super::connected_streams::ConnectedStreams;
use super::keyed_stream::KeyedStream;
use crate::environment::StreamExecutionEnvironment;

/// An operator's output: a node, which of its outputs, and how the next operator shall read it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub node: NodeId,
    pub side: Option<String>,
    pub partitioning: Option<Partitioning>,
}

/// A stream of records of type `T`.
///
/// Every method adds an operator to the job and returns its output; nothing runs before
/// `execute`.
#[derive(Clone)]
pub struct DataStream<T> {
    environment: StreamExecutionEnvironment,
    // Several after a union.
    origins: Vec<Origin>,
    marker: PhantomData<fn() -> T>,
}

impl<T: Data> DataStream<T> {
    pub(crate) fn of(environment: StreamExecutionEnvironment, node: NodeId) -> Self {
        let origin = Origin {
            node,
            side: None,
            partitioning: None,
        };
        DataStream {
            environment,
            origins: vec![origin],
            marker: PhantomData,
        }
    }

    /// The environment the stream belongs to.
    pub fn environment(&self) -> &StreamExecutionEnvironment {
        &self.environment
    }

    pub(crate) fn with_partitioning(&self, partitioning: Partitioning) -> DataStream<T> {
        let mut stream = self.clone();
        for origin in &mut stream.origins {
            origin.partitioning = Some(partitioning.clone());
        }
        stream
    }

    /// Runs an operator over this stream: what every operator file calls.
    pub fn apply<O: Data, Op: Operator<T, O>>(
        &self,
        name: &str,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            let operator = declare(setup.states);
            Ok(Box::new(RowsOperator::<T, O, Op>::new(operator, setup)))
        };
        self.apply_batches(name, Arc::new(factory), false)
    }

    /// Runs an operator over the batches of this stream.
    pub fn apply_batches<O: Data>(
        &self,
        name: &str,
        factory: Arc<dyn OperatorFactory>,
        generates_watermarks: bool,
    ) -> DataStream<O> {
        let mut node = StreamNode::new(name, NodeKind::Operator(factory));
        node.generates_watermarks = generates_watermarks;
        let id = self.connect_node(node, Partitioning::Unspecified, 0);
        DataStream::of(self.environment.clone(), id)
    }

    /// Adds a node that reads this stream at `port`, partitioned as the user asked or, if they
    /// did not, by `default`. Keyed edges cannot be asked otherwise.
    pub(crate) fn connect_node(
        &self,
        node: StreamNode,
        default: Partitioning,
        port: usize,
    ) -> NodeId {
        let id = self.environment.add_node(node);
        self.connect_to(id, &default, port);
        id
    }

    pub(crate) fn connect_to(&self, id: NodeId, default: &Partitioning, port: usize) {
        for origin in &self.origins {
            let partitioning = match (&origin.partitioning, default) {
                (Some(asked), Partitioning::Unspecified) => asked.clone(),
                (_, keyed) => keyed.clone(),
            };
            self.environment.add_edge(StreamEdge {
                from: origin.node,
                side: origin.side.clone(),
                to: id,
                port,
                partitioning,
            });
        }
    }

    /// Keys the stream: records with equal keys meet in one instance, and state and timers belong
    /// to a key.
    ///
    /// # Source
    /// Flink `DataStream.keyBy`.
    pub fn key_by<K: Key>(
        &self,
        selector: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> KeyedStream<K, T> {
        let selector: Arc<dyn KeySelector<T, K>> = Arc::new(selector);
        KeyedStream::of(self.clone(), selector)
    }

    /// Merges streams of one type, in no particular order. A union with itself doubles records.
    pub fn union(&self, others: &[DataStream<T>]) -> DataStream<T> {
        let mut union = self.clone();
        for other in others {
            union.origins.extend(other.origins.iter().cloned());
        }
        union
    }

    /// Joins two streams of different types into one operator.
    pub fn connect<B: Data>(&self, other: &DataStream<B>) -> ConnectedStreams<T, B> {
        ConnectedStreams::of(self.clone(), other.clone())
    }

    /// A side output of the operator that made this stream.
    pub fn side_output<S: Data>(&self, tag: &OutputTag<S>) -> DataStream<S> {
        let mut origins = self.origins.clone();
        for origin in &mut origins {
            origin.side = Some(tag.name().to_owned());
            origin.partitioning = None;
        }
        DataStream {
            environment: self.environment.clone(),
            origins,
            marker: PhantomData,
        }
    }

    /// Names the operator's state across upgrades.
    pub fn uid(self, uid: &str) -> Self {
        self.change(|node| node.uid = Some(OperatorUid::new(uid)))
    }

    /// What user interfaces call the operator.
    pub fn name(self, name: &str) -> Self {
        self.change(|node| node.name = name.to_owned())
    }

    /// Sets the operator's own parallelism.
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        self.change(|node| node.parallelism = Some(parallelism))
    }

    /// Sets the operator's own number of key groups.
    pub fn set_max_parallelism(self, max_parallelism: u32) -> Self {
        self.change(|node| node.max_parallelism = Some(max_parallelism))
    }

    /// Fuses the operator with no other.
    pub fn disable_chaining(self) -> Self {
        self.change(|node| {
            node.chain_with_input = false;
            node.chain_with_outputs = false;
        })
    }

    /// Begins a new chain with the operator.
    pub fn start_new_chain(self) -> Self {
        self.change(|node| node.chain_with_input = false)
    }

    fn change(self, change: impl Fn(&mut StreamNode)) -> Self {
        for origin in &self.origins {
            self.environment.with_node(origin.node, &change);
        }
        self
    }
}

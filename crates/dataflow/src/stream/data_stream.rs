//! A stream of records of one type.

use std::marker::PhantomData;
use std::sync::Arc;

use thalweg_core::container::ContainerCodec;
use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::graph::{NodeId, NodeKind, Partitioning, StreamEdge, StreamNode};
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::{
    BatchOperator, KeySelector, Operator, OperatorFactory, OutputTag, RowsOperator, Setup,
};
use thalweg_core::state::StateRegistry;

use super::connect::Connect;
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
                codec: Some(ContainerCodec::rows::<T>()),
            });
        }
    }

    /// Keys the stream: records with equal keys meet in one instance, and state and timers belong
    /// to a key.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let counts = env
    ///     .from_collection(["a", "b", "a"].map(String::from))
    ///     .map(|word| (word, 1))
    ///     .key_by(|(word, _)| word.clone())
    ///     .sum(|(_, n)| n)
    ///     .execute_and_collect()?;
    /// assert_eq!(counts.last(), Some(&("a".to_owned(), 2)));
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let (low, high) = (env.from_collection([1, 2]), env.from_collection([8, 9]));
    /// let mut all = low.union(&[high]).map(|n| n).execute_and_collect()?;
    /// all.sort();
    /// assert_eq!(all, [1, 2, 8, 9]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn union(&self, others: &[DataStream<T>]) -> DataStream<T> {
        let mut union = self.clone();
        for other in others {
            union.origins.extend(other.origins.iter().cloned());
        }
        union
    }

    /// Joins two streams of different types into one operator: another stream, or a
    /// [broadcast](DataStream::broadcast_stream) one.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let numbers = env.from_collection([1, 2]);
    /// let words = env.from_collection(["three".to_owned()]);
    /// let mut texts = numbers
    ///     .connect(&words)
    ///     .map(|n| n.to_string(), |word| word)
    ///     .execute_and_collect()?;
    /// texts.sort();
    /// assert_eq!(texts, ["1", "2", "three"]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    pub fn connect<S: Connect<DataStream<T>>>(&self, other: &S) -> S::Connected {
        other.behind(self)
    }

    /// A side output of the operator that made this stream.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_core::operator::{Output, OutputTag};
    ///
    /// let odd = OutputTag::<i64>::new("odd");
    /// let tag = odd.clone();
    /// let even = env.from_collection(0..4i64).process_each(move |record, _, out: &mut Output<i64>| {
    ///     if record.value % 2 == 0 {
    ///         out.push(record);
    ///     } else {
    ///         out.side(&tag, record);
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(even.side_output(&odd).execute_and_collect()?, [1, 3]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// let named = env.from_collection([1]).map(|n| n).uid("identity").name("Identity");
    /// assert_eq!(named.set_parallelism(1).execute_and_collect()?, [1]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
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

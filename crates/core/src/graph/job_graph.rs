//! The graph as run: one vertex a chain of fused operators.

use super::partitioning::Partitioning;
use super::stream_graph::NodeKind;
use crate::container::ContainerCodec;
use crate::id::OperatorUid;

/// Where an output of a chained operator leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainTarget {
    /// To the operator at this position of the same chain.
    Chained(usize),
    /// Out of the chain, through the vertex's output edge with this position.
    Edge(usize),
}

/// A link from an operator of a chain.
#[derive(Clone, Debug)]
pub struct ChainLink {
    /// The side output's name; `None` is the main output.
    pub side: Option<String>,
    /// Where it leads.
    pub target: ChainTarget,
}

/// An operator at its place in a chain.
#[derive(Clone, Debug)]
pub struct ChainedOperator {
    /// Its name.
    pub name: String,
    /// Its name across upgrades.
    pub uid: OperatorUid,
    /// What it does.
    pub kind: NodeKind,
    /// Emits its own watermarks.
    pub generates_watermarks: bool,
    /// How the batches of each input port are read back; `None` if they cannot leave the process.
    pub codecs: Vec<Option<ContainerCodec>>,
    /// Its outputs.
    pub links: Vec<ChainLink>,
}

/// A chain: what one task runs.
#[derive(Clone, Debug)]
pub struct JobVertex {
    /// The names of its operators, joined by arrows.
    pub name: String,
    /// The operators, the head first, each before those it feeds.
    pub operators: Vec<ChainedOperator>,
    /// Instances.
    pub parallelism: u32,
    /// Key groups.
    pub max_parallelism: u32,
    /// Input ports of the head.
    pub ports: usize,
    /// Positions in [`JobGraph::edges`] of the edges that leave the chain.
    pub outputs: Vec<usize>,
}

/// An edge between chains.
#[derive(Clone, Debug)]
pub struct JobEdge {
    /// Position of the sending vertex.
    pub from: usize,
    /// Position of the receiving vertex.
    pub to: usize,
    /// Input port of the receiver's head.
    pub port: usize,
    /// How records spread.
    pub partitioning: Partitioning,
}

/// A job, ready to be run.
#[derive(Clone, Debug, Default)]
pub struct JobGraph {
    /// The chains, senders before receivers.
    pub vertices: Vec<JobVertex>,
    /// The edges between them.
    pub edges: Vec<JobEdge>,
}

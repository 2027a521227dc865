//! The graph as composed: one node an operator.

use std::fmt;
use std::sync::Arc;

use super::partitioning::Partitioning;
use crate::container::ContainerCodec;
use crate::error::{Error, Result};
use crate::id::OperatorUid;
use crate::operator::OperatorFactory;
use crate::sink::SinkFactory;
use crate::source::{Boundedness, SourceFactory};

/// A node's number within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// What a node does.
#[derive(Clone)]
pub enum NodeKind {
    /// Makes records.
    Source(Arc<dyn SourceFactory>),
    /// Turns records into records.
    Operator(Arc<dyn OperatorFactory>),
    /// Takes records away.
    Sink(Arc<dyn SinkFactory>),
}

impl fmt::Debug for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeKind::Source(_) => "Source",
            NodeKind::Operator(_) => "Operator",
            NodeKind::Sink(_) => "Sink",
        })
    }
}

/// One operator of a job.
#[derive(Clone, Debug)]
pub struct StreamNode {
    /// What user interfaces show.
    pub name: String,
    /// The user's uid, if one was given.
    pub uid: Option<OperatorUid>,
    /// Instances; `None` takes the job's default.
    pub parallelism: Option<u32>,
    /// Key groups; `None` takes the job's default.
    pub max_parallelism: Option<u32>,
    /// What it does.
    pub kind: NodeKind,
    /// How many input ports it has.
    pub ports: usize,
    /// Emits its own watermarks: those of its input end here, except the last one.
    pub generates_watermarks: bool,
    /// May be fused with the operator before it.
    pub chain_with_input: bool,
    /// May be fused with the operators behind it.
    pub chain_with_outputs: bool,
    /// The slot sharing group's name.
    pub slot_sharing_group: String,
    /// Has no part in the derived uids of the operators behind it: a stateless operator that a
    /// planner adds or leaves out as the settings ask.
    pub transparent: bool,
    /// What its state is made of, which a planner knows: part of a derived uid, so that state is
    /// never taken for what it is not.
    pub keeps: Option<String>,
}

impl StreamNode {
    /// A node with default settings.
    pub fn new(name: impl Into<String>, kind: NodeKind) -> Self {
        let ports = usize::from(!matches!(kind, NodeKind::Source(_)));
        StreamNode {
            name: name.into(),
            uid: None,
            parallelism: None,
            max_parallelism: None,
            kind,
            ports,
            generates_watermarks: false,
            chain_with_input: true,
            chain_with_outputs: true,
            slot_sharing_group: "default".to_owned(),
            transparent: false,
            keeps: None,
        }
    }
}

/// A connection between two nodes.
#[derive(Clone, Debug)]
pub struct StreamEdge {
    /// The sender.
    pub from: NodeId,
    /// The side output's name; `None` is the main output.
    pub side: Option<String>,
    /// The receiver.
    pub to: NodeId,
    /// The receiver's input port.
    pub port: usize,
    /// How records spread.
    pub partitioning: Partitioning,
    /// How batches are read back; `None` if they cannot leave the process.
    pub codec: Option<ContainerCodec>,
}

/// Nodes and edges, in the order in which they were composed (inputs before users).
#[derive(Clone, Debug, Default)]
pub struct StreamGraph {
    /// The nodes; a [`NodeId`] is an index.
    pub nodes: Vec<StreamNode>,
    /// The edges.
    pub edges: Vec<StreamEdge>,
}

impl StreamGraph {
    /// Adds a node.
    pub fn add_node(&mut self, node: StreamNode) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Adds an edge.
    pub fn add_edge(&mut self, edge: StreamEdge) {
        self.edges.push(edge);
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &StreamNode {
        &self.nodes[id.0]
    }

    /// The edges into a node.
    pub fn inputs(&self, id: NodeId) -> impl Iterator<Item = &StreamEdge> {
        self.edges.iter().filter(move |edge| edge.to == id)
    }

    /// The edges out of a node.
    pub fn outputs(&self, id: NodeId) -> impl Iterator<Item = &StreamEdge> {
        self.edges.iter().filter(move |edge| edge.from == id)
    }

    /// Whether every source ends.
    pub fn boundedness(&self) -> Boundedness {
        let all_bounded = self.nodes.iter().all(|node| match &node.kind {
            NodeKind::Source(source) => source.boundedness() == Boundedness::Bounded,
            _ => true,
        });
        if all_bounded {
            Boundedness::Bounded
        } else {
            Boundedness::Unbounded
        }
    }

    /// The uid of every node: the user's, or one derived from name and inputs.
    ///
    /// # Errors
    /// `User` if two nodes have the same user-given uid.
    pub fn uids(&self) -> Result<Vec<OperatorUid>> {
        let mut uids: Vec<OperatorUid> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let uid = match &node.uid {
                Some(uid) if uids.contains(uid) => {
                    return Err(Error::user(format!("two operators have the uid `{uid}`")));
                }
                Some(uid) => uid.clone(),
                None => self.derived_uid(index, node, &uids),
            };
            uids.push(uid);
        }
        Ok(uids)
    }

    /// The uids of a node's inputs; those of a transparent input in its place.
    fn opaque_inputs<'u>(
        &self,
        id: NodeId,
        known: &'u [OperatorUid],
        uids: &mut Vec<&'u OperatorUid>,
    ) {
        for edge in self.inputs(id) {
            if self.node(edge.from).transparent {
                self.opaque_inputs(edge.from, known, uids);
            } else {
                uids.extend(known.get(edge.from.0));
            }
        }
    }

    fn derived_uid(&self, index: usize, node: &StreamNode, known: &[OperatorUid]) -> OperatorUid {
        let mut inputs = Vec::new();
        self.opaque_inputs(NodeId(index), known, &mut inputs);
        let keeps = node.keeps.as_ref().map(OperatorUid::new);
        inputs.extend(&keeps);
        let mut uid = OperatorUid::derived(&node.name, &inputs);
        let mut twin = 1;
        while known.contains(&uid) {
            uid = OperatorUid::derived(&format!("{}#{twin}", node.name), &inputs);
            twin += 1;
        }
        uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::operator::{BatchOperator, Setup};

    fn operator(name: &str) -> StreamNode {
        let never = |_: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
            Err(Error::internal("only its place in the graph counts"))
        };
        StreamNode::new(name, NodeKind::Operator(Arc::new(never)))
    }

    fn chain(nodes: Vec<StreamNode>) -> Vec<OperatorUid> {
        let mut graph = StreamGraph::default();
        for node in nodes {
            let to = graph.add_node(node);
            if to.0 > 0 {
                graph.add_edge(StreamEdge {
                    from: NodeId(to.0 - 1),
                    side: None,
                    to,
                    port: 0,
                    partitioning: Partitioning::Forward,
                    codec: None,
                });
            }
        }
        graph.uids().unwrap()
    }

    #[test]
    fn another_kind_of_state_is_another_operator_for_all_behind_it() {
        let of = |keeps: &str| {
            let mut graph = StreamGraph::default();
            let count = graph.add_node(StreamNode {
                keeps: Some(keeps.to_owned()),
                ..operator("count")
            });
            let map = graph.add_node(operator("map"));
            graph.add_edge(StreamEdge {
                from: count,
                side: None,
                to: map,
                port: 0,
                partitioning: Partitioning::Unspecified,
                codec: None,
            });
            graph.uids().unwrap()
        };
        assert_eq!(of("i64"), of("i64"));
        let (one, other) = (of("i64"), of("f64"));
        assert!(one[0] != other[0] && one[1] != other[1]);
        assert!(
            other[0].as_str().starts_with("count-"),
            "it is named all the same"
        );
    }

    #[test]
    fn a_transparent_operator_leaves_the_uids_behind_it_alone() {
        let transparent = |name: &str| StreamNode {
            transparent: true,
            ..operator(name)
        };
        let without = chain(vec![operator("a"), operator("b"), operator("c")]);
        let with = chain(vec![
            operator("a"),
            transparent("x"),
            transparent("y"),
            operator("b"),
            operator("c"),
        ]);
        assert_eq!(
            [&with[0], &with[3], &with[4]],
            [&without[0], &without[1], &without[2]]
        );
        let opaque = chain(vec![operator("a"), operator("x"), operator("b")]);
        assert_ne!(opaque[2], without[1]);
    }
}

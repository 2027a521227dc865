//! From the graph as composed to the graph as run: parallelism is settled, operators are fused.

use thalweg_core::config::ExecutionConfig;
use thalweg_core::container::ContainerCodec;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{
    ChainLink, ChainTarget, ChainedOperator, JobEdge, JobGraph, JobVertex, NodeId, Partitioning,
    StreamEdge, StreamGraph,
};
use thalweg_core::key_group::default_max_parallelism;

/// Translates a graph.
///
/// Two operators are fused when the edge between them moves no record to another instance: a
/// forward edge between equal parallelisms, or any edge but a broadcast one between single
/// instances. The receiver must have no other input, and neither side may have opted out.
///
/// # Errors
/// `User` for duplicate uids, a forward edge between different parallelisms, or a parallelism
/// above the max parallelism.
pub fn translate(graph: &StreamGraph, config: &ExecutionConfig) -> Result<JobGraph> {
    let settled = settle(graph, config)?;
    let uids = graph.uids()?;
    let mut job = JobGraph::default();
    // Where each node ended up: vertex and position in its chain.
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let id = NodeId(index);
        let upstream = fusible_input(graph, &settled, id, config);
        let place = match upstream {
            Some(edge) => {
                let vertex = places[edge.from.0].0;
                let chain = &mut job.vertices[vertex];
                chain.name = format!("{} -> {}", chain.name, node.name);
                (vertex, chain.operators.len())
            }
            None => {
                job.vertices.push(JobVertex {
                    name: node.name.clone(),
                    operators: Vec::new(),
                    parallelism: settled[index].parallelism,
                    max_parallelism: settled[index].max_parallelism,
                    ports: node.ports,
                    outputs: Vec::new(),
                });
                (job.vertices.len() - 1, 0)
            }
        };
        job.vertices[place.0].operators.push(ChainedOperator {
            name: node.name.clone(),
            uid: uids[index].clone(),
            kind: node.kind.clone(),
            generates_watermarks: node.generates_watermarks,
            codecs: codecs(graph, id, node.ports),
            links: Vec::new(),
        });
        places.push(place);
    }
    link(graph, &settled, config, &places, &mut job);
    Ok(job)
}

/// The codec of each input port. Edges of one port carry one type.
fn codecs(graph: &StreamGraph, id: NodeId, ports: usize) -> Vec<Option<ContainerCodec>> {
    let of_port = |port| {
        let mut edges = graph.inputs(id).filter(|edge| edge.port == port);
        edges.find_map(|edge| edge.codec)
    };
    (0..ports).map(of_port).collect()
}

#[derive(Clone, Copy)]
struct Settled {
    parallelism: u32,
    max_parallelism: u32,
}

fn settle(graph: &StreamGraph, config: &ExecutionConfig) -> Result<Vec<Settled>> {
    let mut settled = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let parallelism = node.parallelism.unwrap_or(config.parallelism);
        let max_parallelism = node
            .max_parallelism
            .or(config.max_parallelism)
            .unwrap_or_else(|| default_max_parallelism(parallelism));
        if parallelism == 0 || parallelism > max_parallelism {
            return Err(Error::user(format!(
                "operator `{}` has parallelism {parallelism}, which must be between 1 and its max \
                 parallelism {max_parallelism}",
                node.name
            )));
        }
        settled.push(Settled {
            parallelism,
            max_parallelism,
        });
    }
    for edge in &graph.edges {
        let (from, to) = (
            settled[edge.from.0].parallelism,
            settled[edge.to.0].parallelism,
        );
        if matches!(edge.partitioning, Partitioning::Forward) && from != to {
            return Err(Error::user(format!(
                "a forward edge needs equal parallelism, but `{}` has {from} and `{}` has {to}",
                graph.node(edge.from).name,
                graph.node(edge.to).name
            )));
        }
    }
    Ok(settled)
}

fn settled_partitioning(edge: &StreamEdge, settled: &[Settled]) -> Partitioning {
    let equal = settled[edge.from.0].parallelism == settled[edge.to.0].parallelism;
    match &edge.partitioning {
        Partitioning::Unspecified if equal => Partitioning::Forward,
        Partitioning::Unspecified => Partitioning::Rebalance,
        asked => asked.clone(),
    }
}

fn fusible_input<'a>(
    graph: &'a StreamGraph,
    settled: &[Settled],
    id: NodeId,
    config: &ExecutionConfig,
) -> Option<&'a StreamEdge> {
    let mut inputs = graph.inputs(id);
    let edge = inputs.next()?;
    let node = graph.node(id);
    let upstream = graph.node(edge.from);
    let single = settled[edge.from.0].parallelism == 1 && settled[id.0].parallelism == 1;
    let stays = matches!(settled_partitioning(edge, settled), Partitioning::Forward)
        || (single && !matches!(edge.partitioning, Partitioning::Broadcast));
    let fusible = config.chaining
        && inputs.next().is_none()
        && node.ports == 1
        && node.chain_with_input
        && upstream.chain_with_outputs
        && node.slot_sharing_group == upstream.slot_sharing_group
        && settled[edge.from.0].parallelism == settled[id.0].parallelism
        && stays;
    fusible.then_some(edge)
}

fn link(
    graph: &StreamGraph,
    settled: &[Settled],
    config: &ExecutionConfig,
    places: &[(usize, usize)],
    job: &mut JobGraph,
) {
    // Equal edges of one sender to one receiver's port are still two channels: a union with
    // itself doubles its records.
    for edge in &graph.edges {
        let (from, to) = (places[edge.from.0], places[edge.to.0]);
        let fused = fusible_input(graph, settled, edge.to, config).is_some();
        let target = if fused {
            ChainTarget::Chained(to.1)
        } else {
            job.edges.push(JobEdge {
                from: from.0,
                to: to.0,
                port: edge.port,
                partitioning: settled_partitioning(edge, settled),
            });
            let outputs = &mut job.vertices[from.0].outputs;
            outputs.push(job.edges.len() - 1);
            ChainTarget::Edge(outputs.len() - 1)
        };
        job.vertices[from.0].operators[from.1]
            .links
            .push(ChainLink {
                side: edge.side.clone(),
                target,
            });
    }
}

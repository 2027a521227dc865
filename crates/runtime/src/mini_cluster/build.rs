//! Builds the subtasks of a job: channels for every edge, instances for every operator.

use std::sync::Arc;

use thalweg_core::config::{CheckpointMode, ExecutionConfig, StateStoreConfig};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{ChainedOperator, JobEdge, JobGraph, JobVertex, NodeKind, Partitioning};
use thalweg_core::key_group::{groups_of, stable_hash_bytes};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, Setup, SubtaskInfo};
use thalweg_core::state::{
    PagingSpec, StateRegistry, StateSnapshot, WorkingDirectory, redistribute,
};

use crate::checkpoint::{CheckpointRequest, JobSnapshot, SharedListener};
use crate::exchange::{Parker, Receiver, Sender, channel};
use crate::input::{InputChannel, InputGate};
use crate::output::ResultPartition;
use crate::task::{SinkStage, Stage, StageBody, StageLinks, StageSpec, Subtask, SubtaskSpec};

/// A job's subtasks.
pub struct BuiltJob {
    /// By slot; within a slot senders before receivers.
    pub by_slot: Vec<Vec<Subtask>>,
    /// The counters of every operator's instances.
    pub metrics: Vec<(String, Vec<OperatorMetrics>)>,
}

/// The channels of one edge, still to be handed to their subtasks.
struct EdgeChannels {
    senders: Vec<Vec<Sender>>,
    receivers: Vec<Vec<Receiver>>,
}

/// What the subtasks of a job are built from.
pub struct BuildSpec<'a> {
    /// The job.
    pub job: &'a JobGraph,
    /// Its settings.
    pub config: &'a ExecutionConfig,
    /// One a slot.
    pub parkers: &'a [Arc<Parker>],
    /// Who hears of barriers.
    pub listener: &'a SharedListener,
    /// Who asks for them.
    pub request: &'a Arc<CheckpointRequest>,
    /// What to start from.
    pub restore: Option<&'a JobSnapshot>,
    /// The counters of an earlier attempt, which go on.
    pub metrics: Option<&'a [(String, Vec<OperatorMetrics>)]>,
}

/// Builds all subtasks; subtask i of every vertex runs in slot i.
///
/// # Errors
/// What a factory or a restore fails with.
pub fn build(spec: &BuildSpec<'_>) -> Result<BuiltJob> {
    let BuildSpec { job, config, .. } = spec;
    let mut channels: Vec<EdgeChannels> = job
        .edges
        .iter()
        .map(|edge| connect(job, edge, config, spec.parkers))
        .collect();
    let mut by_slot: Vec<Vec<Subtask>> = spec.parkers.iter().map(|_| Vec::new()).collect();
    let metrics = spec.metrics.map_or_else(|| new_metrics(job), <[_]>::to_vec);
    let stores = config
        .state_store
        .as_ref()
        .map(StateStoreConfig::next_attempt);
    let mut operators = 0;
    let mut number = 0;
    for (position, vertex) in job.vertices.iter().enumerate() {
        let restored: Result<Vec<Option<Restored>>> = vertex
            .operators
            .iter()
            .map(|operator| Restored::of(spec.restore, operator, vertex))
            .collect();
        let restored = restored?;
        for index in 0..vertex.parallelism {
            let mut stages = Vec::new();
            for (i, operator) in vertex.operators.iter().enumerate() {
                let place = StagePlace {
                    vertex,
                    operator,
                    index,
                    metrics: metrics[operators + i].1[index as usize].clone(),
                    restored: restored[i].as_ref(),
                    store: stores
                        .as_ref()
                        .map(|attempt| format!("{attempt}-{}-{index}", operators + i)),
                };
                let stage = build_stage(place, config, &spec.parkers[index as usize])?;
                stages.push((stage, links(operator)));
            }
            by_slot[index as usize].push(Subtask::new(SubtaskSpec {
                name: format!("{} ({}/{})", vertex.name, index + 1, vertex.parallelism),
                number,
                stages,
                gate: gate(
                    job,
                    position,
                    index,
                    config.checkpointing.mode,
                    &mut channels,
                ),
                partitions: partitions(job, vertex, index, config, &mut channels),
                listener: spec.listener.clone(),
                request: spec.request.clone(),
            }));
            number += 1;
        }
        operators += vertex.operators.len();
    }
    Ok(BuiltJob { by_slot, metrics })
}

/// How many subtasks a job has.
pub fn subtasks(job: &JobGraph) -> usize {
    let vertices = job.vertices.iter();
    vertices.map(|vertex| vertex.parallelism as usize).sum()
}

/// A parker for each slot that a job needs.
pub fn parkers(job: &JobGraph) -> Vec<Arc<Parker>> {
    let slots = job.vertices.iter().map(|vertex| vertex.parallelism).max();
    (0..slots.unwrap_or(1)).map(|_| Arc::default()).collect()
}

fn new_metrics(job: &JobGraph) -> Vec<(String, Vec<OperatorMetrics>)> {
    let mut metrics = Vec::new();
    for vertex in &job.vertices {
        for operator in &vertex.operators {
            let instances = (0..vertex.parallelism).map(|_| OperatorMetrics::default());
            metrics.push((operator.name.clone(), instances.collect()));
        }
    }
    metrics
}

/// The state that the instances of an operator start from.
struct Restored {
    instances: Vec<StateSnapshot>,
    finished: bool,
}

impl Restored {
    fn of(
        restore: Option<&JobSnapshot>,
        operator: &ChainedOperator,
        vertex: &JobVertex,
    ) -> Result<Option<Self>> {
        let Some(snapshot) = restore.and_then(|restore| restore.operators.get(&operator.uid))
        else {
            return Ok(None);
        };
        if snapshot.max_parallelism != vertex.max_parallelism {
            return Err(Error::user(format!(
                "operator `{}`: its state has {} key groups, the job {}; set \
                 `pipeline.max-parallelism` to what it was",
                operator.name, snapshot.max_parallelism, vertex.max_parallelism
            )));
        }
        let states = snapshot.instances.iter().map(|i| i.state.clone());
        let states: Vec<StateSnapshot> = states.collect();
        Ok(Some(Restored {
            instances: redistribute(&states, vertex.parallelism, vertex.max_parallelism),
            finished: snapshot.is_finished(),
        }))
    }
}

fn connect(
    job: &JobGraph,
    edge: &JobEdge,
    config: &ExecutionConfig,
    parkers: &[Arc<Parker>],
) -> EdgeChannels {
    let senders = job.vertices[edge.from].parallelism;
    let receivers = job.vertices[edge.to].parallelism;
    let mut channels = EdgeChannels {
        senders: (0..senders).map(|_| Vec::new()).collect(),
        receivers: (0..receivers).map(|_| Vec::new()).collect(),
    };
    for from in 0..senders {
        for to in 0..receivers {
            if !connected(&edge.partitioning, from, to, senders, receivers) {
                continue;
            }
            let (sender, receiver) = channel(
                config.channel_batches,
                parkers[from as usize].clone(),
                parkers[to as usize].clone(),
            );
            channels.senders[from as usize].push(sender);
            channels.receivers[to as usize].push(receiver);
        }
    }
    channels
}

/// Whether a pointwise edge connects two instances; the others connect all.
fn connected(
    partitioning: &Partitioning,
    from: u32,
    to: u32,
    senders: u32,
    receivers: u32,
) -> bool {
    match partitioning {
        Partitioning::Forward => from == to,
        Partitioning::Rescale if senders <= receivers => to * senders / receivers == from,
        Partitioning::Rescale => from * receivers / senders == to,
        _ => true,
    }
}

fn links(operator: &ChainedOperator) -> StageLinks {
    let mut links = StageLinks {
        main: Vec::new(),
        sides: Vec::new(),
    };
    let mut names: Vec<&String> = Vec::new();
    for link in &operator.links {
        let target = link.target.clone();
        match &link.side {
            None => links.main.push(target),
            Some(name) => match names.iter().position(|known| *known == name) {
                Some(side) => links.sides[side].push(target),
                None => {
                    names.push(name);
                    links.sides.push(vec![target]);
                }
            },
        }
    }
    links
}

fn side_names(operator: &ChainedOperator) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in operator.links.iter().filter_map(|link| link.side.as_ref()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Which operator instance is built.
struct StagePlace<'a> {
    vertex: &'a JobVertex,
    operator: &'a ChainedOperator,
    index: u32,
    metrics: OperatorMetrics,
    restored: Option<&'a Restored>,
    /// The name of its store, if it is to have one.
    store: Option<String>,
}

fn build_stage(
    place: StagePlace<'_>,
    config: &ExecutionConfig,
    parker: &Arc<Parker>,
) -> Result<Stage> {
    let StagePlace {
        vertex,
        operator,
        index,
        metrics,
        restored,
        store,
    } = place;
    let info = SubtaskInfo {
        operator: operator.name.clone(),
        index,
        parallelism: vertex.parallelism,
        max_parallelism: vertex.max_parallelism,
    };
    let mut states = StateRegistry::default();
    let mut setup = Setup {
        states: &mut states,
        info: &info,
        waker: parker.waker(),
        batch_rows: config.batch_rows,
        metrics: metrics.clone(),
    };
    let in_operator =
        |error: thalweg_core::Error| error.context(format!("operator `{}`", operator.name));
    let body = match &operator.kind {
        NodeKind::Source(factory) => {
            StageBody::Source(factory.create(&mut setup).map_err(in_operator)?)
        }
        NodeKind::Operator(factory) => {
            StageBody::Operator(factory.create(&mut setup).map_err(in_operator)?)
        }
        NodeKind::Sink(factory) => {
            StageBody::Sink(SinkStage::new(factory.as_ref(), &mut setup).map_err(in_operator)?)
        }
    };
    let mut ctx = Context::new(states, info, metrics);
    ctx.set_mode(config.mode);
    let restored_state = restored.map(|restored| &restored.instances[index as usize]);
    if let (Some(id), Some(settings)) = (store, &config.state_store) {
        let stores = restored_state.map_or(&[][..], |state| &state.stores);
        let spec = paging(settings, id, ctx.info());
        ctx.page(spec, stores).map_err(in_operator)?;
    }
    if let Some(state) = restored_state {
        ctx.restore(state).map_err(in_operator)?;
    }
    Ok(Stage::new(StageSpec {
        uid: operator.uid.clone(),
        body,
        ctx,
        generates_watermarks: operator.generates_watermarks,
        sides: side_names(operator),
        batch_rows: config.batch_rows,
        finished: restored.is_some_and(|restored| restored.finished),
    }))
}

fn paging(settings: &StateStoreConfig, id: String, info: &SubtaskInfo) -> PagingSpec {
    let directory = settings.directory.join(&id);
    PagingSpec {
        backend: settings.backend.clone(),
        directory: WorkingDirectory::new(directory, settings.backend.clone()),
        id,
        key_groups: groups_of(info.index, info.parallelism, info.max_parallelism),
        max_parallelism: info.max_parallelism,
        cache: settings.cache.clone(),
        clock: settings.clock.clone(),
    }
}

fn gate(
    job: &JobGraph,
    vertex: usize,
    index: u32,
    mode: CheckpointMode,
    channels: &mut [EdgeChannels],
) -> Option<InputGate> {
    let mut inputs = Vec::new();
    for (position, edge) in job
        .edges
        .iter()
        .enumerate()
        .filter(|(_, edge)| edge.to == vertex)
    {
        let receivers = std::mem::take(&mut channels[position].receivers[index as usize]);
        inputs.extend(receivers.into_iter().map(|receiver| InputChannel {
            port: edge.port,
            receiver,
        }));
    }
    let source = matches!(
        job.vertices[vertex]
            .operators
            .first()
            .map(|operator| &operator.kind),
        Some(NodeKind::Source(_))
    );
    (!source).then(|| InputGate::new(inputs, mode))
}

fn partitions(
    job: &JobGraph,
    vertex: &JobVertex,
    index: u32,
    config: &ExecutionConfig,
    channels: &mut [EdgeChannels],
) -> Vec<ResultPartition> {
    let output = |position: &usize| {
        let edge = &job.edges[*position];
        let senders = std::mem::take(&mut channels[*position].senders[index as usize]);
        // Different senders deal in different orders, the same in every run.
        let seed = stable_hash_bytes(vertex.name.as_bytes()).wrapping_add(u64::from(index));
        let receiver_groups = job.vertices[edge.to].max_parallelism;
        ResultPartition::new(
            edge.partitioning.clone(),
            senders,
            receiver_groups,
            config.batch_rows,
            seed,
        )
    };
    vertex.outputs.iter().map(output).collect()
}

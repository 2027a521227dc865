//! Builds the subtasks of a job: channels for every edge, instances for every operator.

mod restored;

use std::collections::VecDeque;
use std::sync::Arc;

use thalweg_core::config::{CheckpointConfig, ExecutionConfig, StateStoreConfig};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{ChainedOperator, JobEdge, JobGraph, JobVertex, NodeKind, Partitioning};
use thalweg_core::key_group::{groups_of, stable_hash_bytes};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, Setup, SubtaskInfo};
use thalweg_core::state::{PagingSpec, StateRegistry, WorkingDirectory};

use self::restored::RestoredOperator;
use super::slots::{Part, Slots, firsts, task_name};
use crate::checkpoint::in_flight::{self, Place, Restored};
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
    /// Each with the index of its sender.
    receivers: Vec<Vec<(u32, Receiver)>>,
}

/// What the subtasks of a job are built from.
pub struct BuildSpec<'a> {
    /// The job.
    pub job: &'a JobGraph,
    /// Its settings.
    pub config: &'a ExecutionConfig,
    /// Which thread runs which task.
    pub slots: &'a Slots,
    /// Which tasks are built.
    pub part: Part<'a>,
    /// Who hears of barriers.
    pub listener: &'a SharedListener,
    /// Who asks for them.
    pub request: &'a Arc<CheckpointRequest>,
    /// What to start from.
    pub restore: Option<&'a JobSnapshot>,
    /// The counters of an earlier attempt, which go on.
    pub metrics: Option<&'a [(String, Vec<OperatorMetrics>)]>,
}

/// Builds subtasks, with all that is between them.
///
/// # Errors
/// What a factory or a restore fails with; `User` for settings of checkpoints that do not go
/// together, or with the job.
pub fn build(spec: &BuildSpec<'_>) -> Result<BuiltJob> {
    let BuildSpec { job, config, .. } = spec;
    check(job, config)?;
    let firsts = firsts(job);
    let edges = job.edges.iter();
    let mut channels: Vec<EdgeChannels> = edges.map(|edge| connect(spec, edge, &firsts)).collect();
    let mut by_slot: Vec<Vec<Subtask>> = (0..spec.slots.count()).map(|_| Vec::new()).collect();
    let metrics = spec.metrics.map_or_else(|| new_metrics(job), <[_]>::to_vec);
    let stores = config
        .state_store
        .as_ref()
        .map(StateStoreConfig::next_attempt);
    let mut operators = 0;
    for (position, vertex) in job.vertices.iter().enumerate() {
        let own = (0..vertex.parallelism)
            .filter(|index| spec.part.contains(firsts[position] + *index as usize));
        let own: Vec<u32> = own.collect();
        if own.is_empty() {
            operators += vertex.operators.len();
            continue;
        }
        let restored = (0..vertex.operators.len())
            .map(|i| RestoredOperator::of(spec.restore, job, position, i));
        let mut restored = restored.collect::<Result<Vec<_>>>()?;
        for index in own {
            let number = firsts[position] + index as usize;
            let mut front = restored[0].as_mut().map(|r| r.take_in_flight(index));
            let mut stages = Vec::new();
            for (i, operator) in vertex.operators.iter().enumerate() {
                let place = StagePlace {
                    vertex,
                    operator,
                    index,
                    metrics: metrics[operators + i].1[index as usize].clone(),
                    in_flight: match &mut restored[i] {
                        Some(restored) if i > 0 => restored.take_in_flight(index),
                        _ => VecDeque::new(),
                    },
                    restored: restored[i].as_ref(),
                    store: stores
                        .as_ref()
                        .map(|attempt| format!("{attempt}-{}-{index}", operators + i)),
                };
                let stage = build_stage(place, config, spec.slots.parker(number))?;
                stages.push((stage, links(operator)));
            }
            let front = front.take().unwrap_or_default();
            by_slot[spec.slots.of(number)].push(Subtask::new(SubtaskSpec {
                name: task_name(vertex, index),
                number,
                stages,
                gate: gate(job, position, index, config, &mut channels, front),
                partitions: partitions(job, vertex, index, config, &mut channels),
                listener: spec.listener.clone(),
                request: spec.request.clone(),
                overtakes_after: config
                    .checkpointing
                    .unaligned
                    .then_some(config.checkpointing.aligned_timeout),
            }));
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

/// Whether barriers may overtake records in this job, if they shall.
fn check(job: &JobGraph, config: &ExecutionConfig) -> Result<()> {
    config.checkpointing.check()?;
    if !config.checkpointing.unaligned {
        return Ok(());
    }
    let operators = job.vertices.iter().flat_map(|vertex| &vertex.operators);
    for operator in operators {
        if let Some(port) = operator.codecs.iter().position(Option::is_none) {
            return Err(Error::user(format!(
                "operator `{}`: the batches of its input port {port} have no wire form, so they \
                 cannot be part of a checkpoint; leave \
                 `execution.checkpointing.unaligned.enabled` off",
                operator.name
            )));
        }
    }
    Ok(())
}

/// Whether barriers stay behind the records of an edge: a record of a pointwise edge belongs to the
/// instance that sent it, and of a broadcast one all instances must have read the same. In front of
/// a generator of watermarks a record that went to another instance would meet another progress of
/// time, and be late.
fn stays_aligned(job: &JobGraph, edge: &JobEdge) -> bool {
    let mut chain = job.vertices[edge.to].operators.iter();
    edge.partitioning.is_pointwise()
        || matches!(edge.partitioning, Partitioning::Broadcast)
        || chain.any(|operator| operator.generates_watermarks)
}

fn connect(spec: &BuildSpec<'_>, edge: &JobEdge, firsts: &[usize]) -> EdgeChannels {
    let BuildSpec {
        job,
        config,
        slots,
        part,
        ..
    } = spec;
    let senders = job.vertices[edge.from].parallelism;
    let receivers = job.vertices[edge.to].parallelism;
    let mut channels = EdgeChannels {
        senders: (0..senders).map(|_| Vec::new()).collect(),
        receivers: (0..receivers).map(|_| Vec::new()).collect(),
    };
    for from in 0..senders {
        let sender_task = firsts[edge.from] + from as usize;
        if !part.contains(sender_task) {
            continue;
        }
        for to in 0..receivers {
            if !connected(&edge.partitioning, from, to, senders, receivers) {
                continue;
            }
            let (sender, receiver) = channel(
                config.channel_batches,
                slots.parker(sender_task).clone(),
                slots.parker(firsts[edge.to] + to as usize).clone(),
            );
            channels.senders[from as usize].push(sender);
            channels.receivers[to as usize].push((from, receiver));
        }
    }
    channels
}

/// Whether a pointwise edge connects two instances; the others connect all.
pub(super) fn connected(
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
    restored: Option<&'a RestoredOperator>,
    in_flight: Restored,
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
        in_flight,
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
    let index = info.index;
    let mut ctx = Context::new(states, info, metrics);
    ctx.set_mode(config.mode);
    let restored_state = restored.map(|restored| restored.state(index));
    if let (Some(id), Some(settings)) = (store, &config.state_store) {
        let stores = restored_state.map_or(&[][..], |state| &state.stores);
        let spec = paging(settings, id, ctx.info());
        ctx.page(spec, stores).map_err(in_operator)?;
    }
    if config.checkpointing.incremental {
        ctx.track_changes();
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
        finished: restored.is_some_and(|restored| restored.is_finished(index)),
        in_flight: in_flight::schema(operator),
        restored: in_flight,
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
    config: &ExecutionConfig,
    channels: &mut [EdgeChannels],
    restored: Restored,
) -> Option<InputGate> {
    let mut inputs = Vec::new();
    let edges = job.edges.iter().enumerate();
    let into = edges.filter(|(_, edge)| edge.to == vertex);
    for (number, (position, edge)) in into.enumerate() {
        let receivers = std::mem::take(&mut channels[position].receivers[index as usize]);
        inputs.extend(
            receivers
                .into_iter()
                .map(|(sender, receiver)| InputChannel {
                    port: edge.port,
                    place: Place {
                        edge: number as u32,
                        sender,
                    },
                    stays_aligned: stays_aligned(job, edge),
                    receiver,
                }),
        );
    }
    let source = matches!(
        job.vertices[vertex]
            .operators
            .first()
            .map(|operator| &operator.kind),
        Some(NodeKind::Source(_))
    );
    let CheckpointConfig {
        mode, unaligned, ..
    } = config.checkpointing;
    (!source).then(|| InputGate::new(inputs, mode, unaligned, restored))
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

//! What a checkpoint consists of, in bytes.

use std::collections::BTreeSet;

use thalweg_core::data::{Data, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::id::OperatorUid;

/// Who owns a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointKind {
    /// The job: it is deleted when newer ones are kept.
    Checkpoint,
    /// The user: only a user deletes it.
    Savepoint,
}

/// Where the state of an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateLocation {
    /// Here: it is small.
    Inline(Vec<u8>),
    /// In a file beside the metadata, so that both can be moved together.
    File {
        /// Its name.
        name: String,
        /// Its length.
        bytes: u64,
    },
}

/// A file that holds a layer of an instance's keyed state, where several checkpoints find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// The state of one operator instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceState {
    /// Whether its input had ended.
    pub finished: bool,
    /// Where it is.
    pub location: StateLocation,
    /// The layers of the tables that have no entries there, oldest first.
    pub layers: Vec<LayerFile>,
}

/// The state of one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorState {
    /// The operator.
    pub uid: OperatorUid,
    /// Its name, for messages.
    pub name: String,
    /// Key groups.
    pub max_parallelism: u32,
    /// One an instance.
    pub instances: Vec<InstanceState>,
}

/// A whole checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its number.
    pub checkpoint: u64,
    /// Who owns it.
    pub kind: CheckpointKind,
    /// When it was completed, in milliseconds since the epoch.
    pub completed_at: i64,
    /// The job's name.
    pub job_name: String,
    /// The operators, in the order of the job.
    pub operators: Vec<OperatorState>,
    /// The files of other checkpoints' that it refers to, and others may.
    pub shared: BTreeSet<String>,
}

impl Metadata {
    /// Whether every operator had seen the end of its input: nothing is left to do but to commit.
    pub fn is_finished(&self) -> bool {
        let mut instances = self.operators.iter().flat_map(|o| &o.instances);
        instances.all(|instance| instance.finished)
    }

    /// Bytes of state, those in shared layers as well.
    pub fn state_bytes(&self) -> u64 {
        let instances = self.operators.iter().flat_map(|o| &o.instances);
        let bytes = |instance: &InstanceState| {
            let layers = instance.layers.iter().map(|layer| layer.bytes);
            let beside = match &instance.location {
                StateLocation::Inline(state) => state.len() as u64,
                StateLocation::File { bytes, .. } => *bytes,
            };
            beside + layers.sum::<u64>()
        };
        instances.map(bytes).sum()
    }
}

/// Appends metadata.
pub fn write_metadata(metadata: &Metadata, out: &mut Vec<u8>) {
    metadata.checkpoint.encode(out);
    out.push(match metadata.kind {
        CheckpointKind::Checkpoint => 0,
        CheckpointKind::Savepoint => 1,
    });
    metadata.completed_at.encode(out);
    metadata.job_name.encode(out);
    (metadata.operators.len() as u32).encode(out);
    for operator in &metadata.operators {
        operator.uid.as_str().to_owned().encode(out);
        operator.name.encode(out);
        operator.max_parallelism.encode(out);
        (operator.instances.len() as u32).encode(out);
        for instance in &operator.instances {
            instance.finished.encode(out);
            match &instance.location {
                StateLocation::Inline(state) => {
                    out.push(0);
                    (state.len() as u32).encode(out);
                    out.extend_from_slice(state);
                }
                StateLocation::File { name, bytes } => {
                    out.push(1);
                    name.encode(out);
                    bytes.encode(out);
                }
            }
            (instance.layers.len() as u32).encode(out);
            for layer in &instance.layers {
                layer.name.encode(out);
                layer.bytes.encode(out);
            }
        }
    }
    (metadata.shared.len() as u32).encode(out);
    for name in &metadata.shared {
        name.encode(out);
    }
}

/// Reads metadata of a version that take up all of `bytes`.
///
/// # Errors
/// `Corrupt` if they are no metadata.
pub fn read_metadata(version: u32, bytes: &[u8]) -> Result<Metadata> {
    let mut input = bytes;
    let input = &mut input;
    let checkpoint = u64::decode(input)?;
    let kind = match u8::decode(input)? {
        0 => CheckpointKind::Checkpoint,
        1 => CheckpointKind::Savepoint,
        other => {
            return Err(Error::corrupt(format!(
                "`{other}` is no kind of checkpoint"
            )));
        }
    };
    let completed_at = i64::decode(input)?;
    let job_name = String::decode(input)?;
    let mut operators = Vec::new();
    for _ in 0..take_len(input, 16)? {
        operators.push(read_operator(version, input)?);
    }
    let mut shared = BTreeSet::new();
    if version >= 2 {
        for _ in 0..take_len(input, 4)? {
            shared.insert(String::decode(input)?);
        }
    }
    if !input.is_empty() {
        let left = input.len();
        return Err(Error::corrupt(format!(
            "{left} bytes are left behind the metadata"
        )));
    }
    Ok(Metadata {
        checkpoint,
        kind,
        completed_at,
        job_name,
        operators,
        shared,
    })
}

fn read_operator(version: u32, input: &mut &[u8]) -> Result<OperatorState> {
    let uid = OperatorUid::new(String::decode(input)?);
    let name = String::decode(input)?;
    let max_parallelism = u32::decode(input)?;
    let mut instances = Vec::new();
    for _ in 0..take_len(input, 6)? {
        let finished = bool::decode(input)?;
        let location = match u8::decode(input)? {
            0 => {
                let len = u32::decode(input)? as usize;
                StateLocation::Inline(take_bytes(input, len)?.to_vec())
            }
            1 => StateLocation::File {
                name: String::decode(input)?,
                bytes: u64::decode(input)?,
            },
            other => {
                return Err(Error::corrupt(format!("`{other}` is no place of a state")));
            }
        };
        let mut layers = Vec::new();
        if version >= 2 {
            for _ in 0..take_len(input, 12)? {
                layers.push(LayerFile {
                    name: String::decode(input)?,
                    bytes: u64::decode(input)?,
                });
            }
        }
        instances.push(InstanceState {
            finished,
            location,
            layers,
        });
    }
    Ok(OperatorState {
        uid,
        name,
        max_parallelism,
        instances,
    })
}

//! What stands in checkpoint files. `docs/formats/checkpoint.md` has it byte by byte.

mod entries;
mod envelope;
mod layer;
mod metadata;
mod schema;
mod snapshot;
mod stores;

#[cfg(test)]
pub(crate) use envelope::set_version;
pub use envelope::{ByteSink, FileKind, Sealing, VERSION, open, seal};
pub use layer::{read_layer, write_layer};
pub use metadata::{
    CheckpointKind, InstanceState, LayerFile, Metadata, OperatorState, StateLocation,
};
pub use metadata::{read_metadata, write_metadata};
pub use snapshot::{read_snapshot, write_snapshot};

//! The sink: instances write parts under hidden names; a checkpoint makes them appear.
//!
//! ```text
//!   begun ──▶ in progress ──▶ finished by the rolling policy ──▶ a checkpoint holds it ──▶ visible
//!                 │  ▲                                             (pending)
//!                 ▼  │ next checkpoint
//!          a checkpoint holds its length
//! ```
//!
//! A part of a text format stays open over checkpoints. Each has it written to disk and holds how
//! long it is; a job that starts from one finishes the part at that length. So a reader that
//! follows the rule for hidden names sees each row exactly once, after any crash. Parts of formats
//! with a footer, and all parts at a savepoint, end at the barrier.
//!
//! | Guarantee       | A finished part appears               | A checkpoint holds                |
//! |-----------------|---------------------------------------|-----------------------------------|
//! | `exactly-once`  | when a checkpoint is durable          | finished parts, lengths of others |
//! | `at-least-once` | at once                               | lengths of open parts             |
//! | `none`          | at once, perhaps not yet on disk      | nothing                           |

mod commit;
mod leftovers;
mod names;
mod options;
mod owner;
mod part;
mod partition;
mod rolling;
mod shown;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::Setup;
use thalweg_core::sink::{Committer, DeliveryGuarantee, SinkFactory, SinkWriter};

pub use self::options::SINK_OPTIONS;

use self::commit::FileCommitter;
use self::part::PartFormat;
use self::partition::Partitions;
use self::partition::board::Board;
use self::partition::options::PartitionCommit;
use self::rolling::RollingPolicy;
use self::shown::Shown;
use self::writer::FileWriter;
use crate::options::{format_options, required};

/// What all instances know.
struct Shared {
    table: String,
    /// Absolute.
    directory: PathBuf,
    format: PartFormat,
    partitions: Option<Partitions>,
    rolling: RollingPolicy,
    guarantee: DeliveryGuarantee,
    shown: Arc<Shown>,
}

/// The sink's factory.
pub struct FileSink {
    shared: Arc<Shared>,
    board: Arc<Board>,
}

impl FileSink {
    /// A sink for a table.
    ///
    /// # Errors
    /// `User` for missing or wrong options; `Unsupported` for what they ask for in vain.
    pub fn new(table: &TableSpec) -> Result<Self> {
        let format = required(table, "format")?;
        let path = required(table, "path")?;
        let directory = path.strip_prefix("file://").unwrap_or(&path);
        // Checkpoints hold where files are, and are restored from other working directories.
        let directory = std::path::absolute(directory).map_err(|error| {
            let message = format!(
                "table `{}`: option `path`: wrong value `{path}`",
                table.name
            );
            Error::user(message).with_source(error)
        })?;
        options::refuse_compaction(table)?;
        let partitions = Partitions::new(table)?;
        let format = PartFormat {
            options: format_options(table, &format),
            name: format,
            schema: match &partitions {
                Some(partitions) => partitions.written_columns(&table.schema)?,
                None => table.schema.clone(),
            },
        };
        if !format.is_bulk() {
            format.encoder()?;
        }
        let commit = PartitionCommit::new(table, directory.clone())?;
        Ok(FileSink {
            shared: Arc::new(Shared {
                table: table.name.clone(),
                directory,
                partitions,
                rolling: options::rolling(table, format.is_bulk())?,
                guarantee: options::guarantee(table)?,
                shown: Arc::default(),
                format,
            }),
            board: Arc::new(Board::new(commit)),
        })
    }
}

impl SinkFactory for FileSink {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(FileWriter::new(self, setup)))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(FileCommitter::new(
            self.board.clone(),
            self.shared.shown.clone(),
        ))))
    }
}

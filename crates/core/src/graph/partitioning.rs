//! Which channel a record takes on an edge.

use std::fmt;
use std::sync::Arc;

use crate::container::Container;
use crate::error::Result;

/// Computes the stable key hash of every record of a batch.
pub trait KeyHasher: Send + Sync {
    /// Appends one hash a record.
    ///
    /// # Errors
    /// `Internal` if the batch is of another type.
    fn hashes(&self, batch: &dyn Container, hashes: &mut Vec<u64>) -> Result<()>;
}

/// Chooses a channel for every record of a batch.
pub trait ChannelSelector: Send + Sync {
    /// Appends one channel (`0..channels`) a record.
    ///
    /// # Errors
    /// `User` if the user's function chooses a channel out of range.
    fn channels(&self, batch: &dyn Container, channels: u32, targets: &mut Vec<u32>) -> Result<()>;
}

/// How records spread over the instances of the next operator.
#[derive(Clone)]
pub enum Partitioning {
    /// Nobody asked: forward between equal parallelisms, else rebalance. Settled by translation.
    Unspecified,
    /// Instance i to instance i; both sides have the same parallelism.
    Forward,
    /// In turn to every instance.
    Rebalance,
    /// In turn to the instances of the own share: pointwise.
    Rescale,
    /// At random, from a seed.
    Shuffle,
    /// To every instance.
    Broadcast,
    /// To instance 0.
    Global,
    /// By key group.
    Hash(Arc<dyn KeyHasher>),
    /// By a user's function.
    Custom(Arc<dyn ChannelSelector>),
}

impl Partitioning {
    /// The name that plans and user interfaces show.
    pub fn name(&self) -> &'static str {
        match self {
            Partitioning::Unspecified => "UNSPECIFIED",
            Partitioning::Forward => "FORWARD",
            Partitioning::Rebalance => "REBALANCE",
            Partitioning::Rescale => "RESCALE",
            Partitioning::Shuffle => "SHUFFLE",
            Partitioning::Broadcast => "BROADCAST",
            Partitioning::Global => "GLOBAL",
            Partitioning::Hash(_) => "HASH",
            Partitioning::Custom(_) => "CUSTOM",
        }
    }

    /// Whether each sending instance reaches only its own share of the receivers.
    pub fn is_pointwise(&self) -> bool {
        matches!(self, Partitioning::Forward | Partitioning::Rescale)
    }
}

impl fmt::Debug for Partitioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Spreads batches over the channels of an edge.

use thalweg_core::container::Payload;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::Partitioning;
use thalweg_core::host::Random;
use thalweg_core::key_group::{key_group, owner};

// Batches with fewer records a channel are dealt record by record, so that small inputs spread.
const WHOLE_BATCH_ROWS_MIN: usize = 64;

/// The state of one sender's side of an edge.
pub struct Partitioner {
    partitioning: Partitioning,
    channels: u32,
    max_parallelism: u32,
    next: u32,
    random: Random,
    hashes: Vec<u64>,
    targets: Vec<u32>,
}

impl Partitioner {
    /// A partitioner over `channels` channels; `seed` differs between senders.
    pub fn new(
        partitioning: Partitioning,
        channels: usize,
        max_parallelism: u32,
        seed: u64,
    ) -> Self {
        let channels = channels as u32;
        Partitioner {
            partitioning,
            channels,
            max_parallelism,
            // Senders start at different receivers, so that few records still spread.
            next: if channels == 0 {
                0
            } else {
                (seed % u64::from(channels)) as u32
            },
            random: Random::new(seed),
            hashes: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Moves the records of a batch to the open batches of their channels.
    ///
    /// # Errors
    /// What the user's partitioner or key selector fails with.
    pub fn partition(&mut self, batch: Payload, open: &mut [Option<Payload>]) -> Result<()> {
        self.hashes.clear();
        self.targets.clear();
        let len = batch.len();
        match &self.partitioning {
            _ if self.channels == 1 => return place(batch, 0, open),
            Partitioning::Unspecified => {
                return Err(Error::internal("an edge's partitioning was not settled"));
            }
            Partitioning::Forward | Partitioning::Global => return place(batch, 0, open),
            Partitioning::Broadcast => {
                for channel in 1..open.len() {
                    place(batch.boxed_clone(), channel, open)?;
                }
                return place(batch, 0, open);
            }
            Partitioning::Rebalance | Partitioning::Rescale => {
                if len >= WHOLE_BATCH_ROWS_MIN * self.channels as usize {
                    let channel = self.turn();
                    if open[channel as usize].is_none() {
                        return place(batch, channel as usize, open);
                    }
                    self.targets.resize(len, channel);
                }
                for _ in self.targets.len()..len {
                    let channel = self.turn();
                    self.targets.push(channel);
                }
            }
            Partitioning::Shuffle => {
                let channels = u64::from(self.channels);
                let random = &mut self.random;
                self.targets
                    .extend((0..len).map(|_| random.below(channels) as u32));
            }
            Partitioning::Hash(hasher) => {
                hasher.hashes(batch.as_ref(), &mut self.hashes)?;
                let (channels, max) = (self.channels, self.max_parallelism);
                self.targets.extend(
                    self.hashes
                        .iter()
                        .map(|hash| owner(key_group(*hash, max), channels, max)),
                );
            }
            Partitioning::Custom(selector) => {
                selector.channels(batch.as_ref(), self.channels, &mut self.targets)?;
                if let Some(wrong) = self.targets.iter().find(|t| **t >= self.channels) {
                    return Err(Error::user(format!(
                        "the partitioner chose channel `{wrong}`, but there are {}",
                        self.channels
                    )));
                }
            }
        }
        // A batch of one key, or of one window, is not taken apart.
        if let Some((first, others)) = self.targets.split_first()
            && open[*first as usize].is_none()
            && others.iter().all(|target| target == first)
        {
            return place(batch, *first as usize, open);
        }
        let hashes = (!self.hashes.is_empty()).then_some(self.hashes.as_slice());
        batch.scatter(&self.targets, hashes, open);
        Ok(())
    }

    fn turn(&mut self) -> u32 {
        let channel = self.next;
        self.next = (channel + 1) % self.channels;
        channel
    }
}

fn place(batch: Payload, channel: usize, open: &mut [Option<Payload>]) -> Result<()> {
    if open[channel].is_some() {
        // The result partition sends open batches before it asks for a whole one.
        return Err(Error::internal("a whole batch meets an open one"));
    }
    open[channel] = Some(batch);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use thalweg_core::container::{Container, downcast};
    use thalweg_core::graph::{ChannelSelector, KeyHasher};
    use thalweg_core::rows::{Record, Rows};
    use thalweg_core::time::EventTime;

    fn rows(range: std::ops::Range<i64>) -> Payload {
        let rows: Rows<i64> = range.map(|v| Record::new(v, EventTime(v))).collect();
        Box::new(rows)
    }

    fn spread(partitioning: Partitioning, channels: usize, batch: Payload) -> Vec<Vec<i64>> {
        let mut open: Vec<Option<Payload>> = (0..channels).map(|_| None).collect();
        Partitioner::new(partitioning, channels, 128, 0)
            .partition(batch, &mut open)
            .unwrap();
        open.into_iter()
            .map(|batch| batch.map_or(vec![], |b| downcast::<Rows<i64>>(b).unwrap().values))
            .collect()
    }

    struct Identity;
    impl KeyHasher for Identity {
        fn hashes(&self, batch: &dyn Container, hashes: &mut Vec<u64>) -> Result<()> {
            let rows = batch.as_any().downcast_ref::<Rows<i64>>().unwrap();
            hashes.extend(rows.values.iter().map(|v| *v as u64));
            Ok(())
        }
    }
    impl ChannelSelector for Identity {
        fn channels(&self, batch: &dyn Container, _: u32, targets: &mut Vec<u32>) -> Result<()> {
            let rows = batch.as_any().downcast_ref::<Rows<i64>>().unwrap();
            targets.extend(rows.values.iter().map(|v| *v as u32));
            Ok(())
        }
    }

    #[test]
    fn rebalance_deals_small_batches_record_by_record() {
        let dealt = spread(Partitioning::Rebalance, 3, rows(0..7));
        assert_eq!(dealt, [vec![0, 3, 6], vec![1, 4], vec![2, 5]]);
    }

    #[test]
    fn broadcast_sends_everything_everywhere_and_global_to_the_first() {
        assert_eq!(
            spread(Partitioning::Broadcast, 2, rows(0..2)),
            [vec![0, 1], vec![0, 1]]
        );
        assert_eq!(
            spread(Partitioning::Global, 2, rows(0..2)),
            [vec![0, 1], vec![]]
        );
    }

    #[test]
    fn hash_sends_a_key_to_the_owner_of_its_key_group() {
        let dealt = spread(Partitioning::Hash(Arc::new(Identity)), 2, rows(60..70));
        assert_eq!(dealt, [vec![60, 61, 62, 63], vec![64, 65, 66, 67, 68, 69]]);
    }

    #[test]
    fn shuffle_is_random_but_the_same_for_the_same_seed() {
        let first = spread(Partitioning::Shuffle, 2, rows(0..50));
        assert_eq!(first, spread(Partitioning::Shuffle, 2, rows(0..50)));
        assert!(first.iter().all(|channel| channel.len() > 10));
    }

    #[test]
    fn a_custom_channel_out_of_range_is_an_error() {
        let mut open = [None, None];
        let error = Partitioner::new(Partitioning::Custom(Arc::new(Identity)), 2, 128, 0)
            .partition(rows(0..3), &mut open)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the partitioner chose channel `2`, but there are 2"
        );
    }
}

//! Sends restored records on their way anew.
//!
//! | Parallelism | Records                                                | Watermarks             |
//! |-------------|--------------------------------------------------------|------------------------|
//! | as before   | to the instance that had them                          | the instance's own     |
//! | another     | by the edge's partitioner; of one chain, by its old instance | lowest over all old instances |
//!
//! Every instance first gets what old instances had in hand, then what their channels held, each
//! sequence in its order. An old instance without records has written down no watermark: then, at
//! another parallelism, nobody knows the lowest, and the new watermarks come from the senders.

use std::collections::{BTreeMap, VecDeque};

use thalweg_core::container::{ContainerCodec, Payload};
use thalweg_core::data::{Data, Schema};
use thalweg_core::element::StreamElement;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::Partitioning;
use thalweg_core::state::TableSnapshot;
use thalweg_core::watermark::Watermark;

use super::{BATCH, FRONT, Place, WATERMARK};
use crate::input::WatermarkValve;
use crate::output::Partitioner;

/// What one instance gets before anything else: elements by port, watermarks of all ports.
pub type Restored = VecDeque<(usize, StreamElement)>;

/// Where the records of an input port go.
pub enum Target {
    /// Where their edge would send them.
    Edge(Partitioning),
    /// To the successor of their old instance.
    Instance,
}

/// Deals the records in flight of one operator out.
pub struct Dealer<'a> {
    /// The new number of instances.
    pub parallelism: u32,
    /// Key groups.
    pub max_parallelism: u32,
    /// How batches of each port are read.
    pub codecs: &'a [Option<ContainerCodec>],
    /// Where those of each port go.
    pub targets: &'a [Target],
    /// What they should look like.
    pub schema: &'a Schema,
}

enum Element {
    Watermark(Watermark),
    Batch(usize, Payload),
}

/// A sequence, with the old instance that had it.
struct Sequence {
    owner: u32,
    elements: VecDeque<Element>,
}

impl Dealer<'_> {
    /// Deals out what each old instance had.
    ///
    /// # Errors
    /// `Corrupt` if an entry cannot be read; `User` if the records have another type by now; what
    /// a partitioner fails with.
    pub fn deal(&self, old: &[Option<TableSnapshot>]) -> Result<Vec<Restored>> {
        let mut dealt: Vec<Restored> = (0..self.parallelism).map(|_| Restored::new()).collect();
        let rescaled = old.len() != self.parallelism as usize;
        let mut fronts = Vec::new();
        let mut channels = Vec::new();
        for (owner, table) in old.iter().enumerate() {
            for (place, elements) in self.sequences(table.as_ref())? {
                let owner = owner as u32;
                let kind = if place.edge == FRONT {
                    &mut fronts
                } else {
                    &mut channels
                };
                kind.push(Sequence { owner, elements });
            }
        }
        let lowest_known = !rescaled || old.iter().all(Option::is_some);
        for sequences in [fronts, channels] {
            if rescaled {
                let mut merge = Merge::new(self, old.len() as u32, lowest_known);
                merge.all(sequences, &mut dealt)?;
                continue;
            }
            let mut by_owner: Vec<Vec<Sequence>> = old.iter().map(|_| Vec::new()).collect();
            for sequence in sequences {
                by_owner[sequence.owner as usize].push(sequence);
            }
            for sequences in by_owner {
                Merge::new(self, old.len() as u32, true).all(sequences, &mut dealt)?;
            }
        }
        Ok(dealt)
    }

    fn sequences(
        &self,
        table: Option<&TableSnapshot>,
    ) -> Result<BTreeMap<Place, VecDeque<Element>>> {
        let mut sequences: BTreeMap<Place, VecDeque<Element>> = BTreeMap::new();
        let Some(table) = table else {
            return Ok(sequences);
        };
        if table.schema != *self.schema {
            return Err(Error::user(
                "its checkpoint holds records on their way to it, of a type that has changed since: \
                 go on with the older program up to a savepoint, or up to a checkpoint without \
                 `execution.checkpointing.unaligned.enabled`",
            ));
        }
        for (_, entry) in table.entries.iter() {
            let (place, element) = self.element(entry)?;
            sequences.entry(place).or_default().push_back(element);
        }
        Ok(sequences)
    }

    fn element(&self, bytes: &[u8]) -> Result<(Place, Element)> {
        let mut input = bytes;
        let place = Place {
            edge: u32::decode(&mut input)?,
            sender: u32::decode(&mut input)?,
        };
        let element = match u8::decode(&mut input)? {
            WATERMARK => Element::Watermark(Watermark(i64::decode(&mut input)?)),
            BATCH => {
                let port = u32::decode(&mut input)? as usize;
                let codec = self.codecs.get(port).copied().flatten().ok_or_else(|| {
                    Error::user(format!("its input port {port} has no wire form"))
                })?;
                Element::Batch(port, codec.decode(input)?)
            }
            other => {
                return Err(Error::corrupt(format!(
                    "an element in flight is of the unknown kind `{other}`"
                )));
            }
        };
        Ok((place, element))
    }
}

/// Merges sequences, one element of each in turn, so that watermarks rise together.
struct Merge<'a> {
    dealer: &'a Dealer<'a>,
    old_parallelism: u32,
    lowest_known: bool,
    partitioners: Vec<Option<Partitioner>>,
    open: Vec<Option<Payload>>,
}

impl<'a> Merge<'a> {
    fn new(dealer: &'a Dealer<'a>, old_parallelism: u32, lowest_known: bool) -> Self {
        let channels = dealer.parallelism as usize;
        let partitioner = |target: &Target| match target {
            Target::Edge(partitioning) if old_parallelism != dealer.parallelism => Some(
                Partitioner::new(partitioning.clone(), channels, dealer.max_parallelism, 0),
            ),
            _ => None,
        };
        Merge {
            dealer,
            old_parallelism,
            lowest_known,
            partitioners: dealer.targets.iter().map(partitioner).collect(),
            open: (0..channels).map(|_| None).collect(),
        }
    }

    fn all(&mut self, mut sequences: Vec<Sequence>, dealt: &mut [Restored]) -> Result<()> {
        let mut valve = WatermarkValve::new(sequences.len());
        let rescaled = self.old_parallelism != self.dealer.parallelism;
        loop {
            let mut moved = false;
            for (index, sequence) in sequences.iter_mut().enumerate() {
                let Some(element) = sequence.elements.pop_front() else {
                    continue;
                };
                moved = true;
                match element {
                    Element::Batch(port, batch) => {
                        self.batch(sequence.owner, port, batch, dealt)?;
                    }
                    Element::Watermark(watermark) => {
                        let combined = valve.on_watermark(index, watermark).watermark;
                        // The last one comes again from the senders, which have ended.
                        let combined = combined.filter(|w| *w < Watermark::MAX);
                        let Some(combined) = combined.filter(|_| self.lowest_known) else {
                            continue;
                        };
                        let own = sequence.owner;
                        for (instance, elements) in dealt.iter_mut().enumerate() {
                            if rescaled || instance as u32 == own {
                                elements.push_back((0, StreamElement::Watermark(combined)));
                            }
                        }
                    }
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn batch(
        &mut self,
        owner: u32,
        port: usize,
        batch: Payload,
        dealt: &mut [Restored],
    ) -> Result<()> {
        let new = self.dealer.parallelism;
        let partitioner = self.partitioners.get_mut(port).and_then(Option::as_mut);
        let Some(partitioner) = partitioner else {
            let instance = u64::from(owner) * u64::from(new) / u64::from(self.old_parallelism);
            dealt[instance as usize].push_back((port, StreamElement::Batch(batch)));
            return Ok(());
        };
        partitioner.partition(batch, &mut self.open)?;
        for (open, elements) in self.open.iter_mut().zip(dealt) {
            if let Some(batch) = open.take() {
                elements.push_back((port, StreamElement::Batch(batch)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

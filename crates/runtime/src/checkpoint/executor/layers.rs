//! Which layers of an instance's state are stored, and when all of it is written again.
//!
//! ```text
//!   checkpoint 5   [whole 5]
//!   checkpoint 6   [whole 5][change 6]
//!   checkpoint 8   [whole 5][change 6][change 8]      7 came to nothing
//!   checkpoint 9   [whole 9]                          the changes were half of the whole
//! ```
//!
//! Changes are always those since the state that was stored last. A state says itself what has
//! changed since when; where it does not know that any more, all of it is written.

use std::collections::{BTreeMap, BTreeSet};

use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::state::FrozenState;
use thalweg_state::{CheckpointStore, LayerFile, SharedFiles, WrittenLayer};

// A restore opens so many files of an instance at most.
const LAYERS_MAX: usize = 16;

/// Whose state: its operator, and the number of the instance.
pub(super) type Whose = (OperatorUid, u32);

/// The layers of one instance in the checkpoint that was stored last.
#[derive(Clone)]
struct Chain {
    /// Which freezing of the instance that was.
    generation: u64,
    whole_entries: usize,
    changed_entries: usize,
    files: Vec<LayerFile>,
}

impl Chain {
    /// Whether so many changes may lie upon it: what is read at a restart, and stored for nothing,
    /// stays below half of the state.
    fn takes(&self, changes: usize) -> bool {
        let changed = self.changed_entries + changes;
        self.files.len() < LAYERS_MAX && changed <= self.whole_entries / 2
    }
}

/// The layers of all instances.
#[derive(Default)]
pub(super) struct Layers {
    stored: BTreeMap<Whose, Chain>,
    // Of the checkpoint that is being stored; none for an instance that is written without layers.
    next: BTreeMap<Whose, Option<Chain>>,
}

impl Layers {
    /// A checkpoint is begun, and the one before is forgotten if it was not stored.
    pub fn begin(&mut self) {
        self.next.clear();
    }

    /// These instances begin anew: what they count their changes from is not what was stored.
    pub fn forget(&mut self, lost: &BTreeSet<Whose>) {
        self.stored.retain(|whose, _| !lost.contains(whose));
        self.next.retain(|whose, _| !lost.contains(whose));
    }

    /// The checkpoint that was begun is stored.
    pub fn commit(&mut self) {
        for (whose, chain) in std::mem::take(&mut self.next) {
            match chain {
                Some(chain) => drop(self.stored.insert(whose, chain)),
                None => drop(self.stored.remove(&whose)),
            }
        }
    }

    /// Stores a layer of a state, under a name of its own, and gives all layers of the state.
    /// `None` if it is to be written without: nobody notes its changes, or it is small.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn store(
        &mut self,
        whose: Whose,
        state: &FrozenState,
        name: &str,
        (store, shared): (&CheckpointStore, &mut SharedFiles),
    ) -> Result<Option<Vec<LayerFile>>> {
        let chain = match state.generation() {
            Some(generation) => self.extend(&whose, state, generation, name, (store, shared))?,
            None => None,
        };
        let files = chain.as_ref().map(|chain| chain.files.clone());
        self.next.insert(whose, chain);
        Ok(files)
    }

    fn extend(
        &self,
        whose: &Whose,
        state: &FrozenState,
        generation: u64,
        name: &str,
        (store, shared): (&CheckpointStore, &mut SharedFiles),
    ) -> Result<Option<Chain>> {
        // The checkpoint with these files may have been deleted since, and they with it.
        let is_there = |chain: &&Chain| chain.files.iter().all(|f| shared.contains(&f.name));
        let stored = self.stored.get(whose).filter(is_there);
        let changes = stored.and_then(|chain| {
            let changes = state.changes_since(chain.generation)?;
            let fits = changes.is_empty() || chain.takes(changes.len());
            fits.then(|| (chain.clone(), changes))
        });
        let mut chain = match &changes {
            Some((chain, changes)) if changes.is_empty() => {
                return Ok(Some(Chain {
                    generation,
                    ..chain.clone()
                }));
            }
            Some((chain, _)) => Chain {
                generation,
                ..chain.clone()
            },
            None => Chain {
                generation,
                whole_entries: 0,
                changed_entries: 0,
                files: Vec::new(),
            },
        };
        let layer = state.layer(changes.as_ref().map(|(_, changes)| changes));
        let is_whole = layer.whole;
        let WrittenLayer::File { bytes, entries } = shared.put_layer(store, name, &layer)? else {
            return Ok(None);
        };
        match is_whole {
            true => chain.whole_entries = entries,
            false => chain.changed_entries += entries,
        }
        chain.files.push(LayerFile {
            name: name.to_owned(),
            bytes,
        });
        Ok(Some(chain))
    }
}

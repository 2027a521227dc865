//! Accumulators as bytes: what stands under a key in a snapshot.

use arrow_array::ArrayRef;
use thalweg_columnar::RowCodec;
use thalweg_core::error::Result;

use super::Accumulators;

// So many groups' columns are made at once.
const GROUPS_AT_ONCE: usize = 1 << 14;

/// The states of some groups.
pub struct States {
    codec: RowCodec,
    columns: Vec<ArrayRef>,
}

impl States {
    /// Appends the state of one of them.
    ///
    /// # Errors
    /// `Unsupported` for a value without a canonical form.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        self.codec.encode(&self.columns, row, out)
    }
}

impl Accumulators {
    /// Calls `each` for every one of some groups, with the states that have its own and its row there.
    ///
    /// # Errors
    /// What `each` fails with.
    pub fn each_state(
        &self,
        groups: &[u32],
        mut each: impl FnMut(u32, &States, usize) -> Result<()>,
    ) -> Result<()> {
        let at_once = if self.looks_at_all() {
            groups.len().max(1)
        } else {
            GROUPS_AT_ONCE
        };
        let codec = RowCodec::new(self.state_types());
        for groups in groups.chunks(at_once) {
            let states = States {
                codec: codec.clone(),
                columns: self.state(groups)?,
            };
            for (row, group) in groups.iter().enumerate() {
                each(*group, &states, row)?;
            }
        }
        Ok(())
    }

    /// Merges the state bytes of one group.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no such state.
    pub fn restore(&mut self, group: u32, state: &[u8]) -> Result<()> {
        let columns = RowCodec::new(self.state_types()).decode([state])?;
        self.merge(&[group], &columns)
    }
}

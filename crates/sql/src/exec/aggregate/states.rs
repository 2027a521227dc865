//! Accumulators as bytes: what stands under a key in a snapshot.

use thalweg_columnar::{EncodedRows, RowCodec};
use thalweg_core::error::Result;

use super::Accumulators;

// So many groups' columns are made at once.
const GROUPS_AT_ONCE: usize = 1 << 12;

impl Accumulators {
    /// Calls `each` for every one of some groups, with the bytes of its state.
    ///
    /// # Errors
    /// `Unsupported` for a value without a canonical form; what `each` fails with.
    pub fn each_state(
        &self,
        groups: &[u32],
        mut each: impl FnMut(u32, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let at_once = if self.looks_at_all() {
            groups.len().max(1)
        } else {
            GROUPS_AT_ONCE
        };
        let mut encoded = EncodedRows::default();
        for groups in groups.chunks(at_once) {
            encoded.encode(&self.state(groups)?, groups.len())?;
            for (group, state) in groups.iter().zip(encoded.iter()) {
                each(*group, state)?;
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

//! A visit of all keys that have something in one state, in memory or in a store.

use super::StateRegistry;
use crate::error::{Error, Result};
use crate::state::keyed_state::KeyedState;
use crate::state::paging::StoredKeys;
use crate::state::slot::Slot;

/// How far a visit has come.
pub(crate) enum KeyVisit {
    /// All keys are in memory.
    Slots(Vec<Slot>),
    /// All that is in memory was written to the store, whose keys are visited in their order.
    Stored(StoredKeys),
}

impl StateRegistry {
    /// Begins a visit. No slot may be in use.
    ///
    /// # Errors
    /// `User` if the operator has no keys; what the store fails with.
    pub(crate) fn visit_keys(&mut self, state: &impl KeyedState) -> Result<KeyVisit> {
        let Some(keys) = self.keys.as_deref() else {
            return Err(Error::user(
                "`apply_to_keyed_state` needs keys: call `key_by` before the broadcast stream is \
                 connected",
            ));
        };
        match &mut self.paging {
            None => Ok(KeyVisit::Slots(state.slots(self))),
            Some(paging) => {
                let stored = paging.visit_keys(&mut self.declared, keys, state.position())?;
                Ok(KeyVisit::Stored(stored))
            }
        }
    }

    /// The slots of the next keys, whose values are in memory until the next call; none at the end.
    ///
    /// # Errors
    /// What the store fails with.
    pub(crate) fn next_keys(&mut self, visit: &mut KeyVisit) -> Result<Vec<Slot>> {
        let stored = match visit {
            KeyVisit::Slots(slots) => return Ok(std::mem::take(slots)),
            KeyVisit::Stored(stored) => stored,
        };
        // Nobody uses the slots of the keys before.
        self.sweep()?;
        let (Some(paging), Some(keys)) = (&mut self.paging, &mut self.keys) else {
            return Ok(Vec::new());
        };
        let bytes = paging.next_keys(stored)?;
        let slots = bytes.iter().map(|key| keys.intern_bytes(&mut &**key));
        let slots = slots.collect::<Result<Vec<Slot>>>()?;
        for slot in &slots {
            self.touch(*slot);
        }
        self.fetch()?;
        Ok(slots)
    }
}

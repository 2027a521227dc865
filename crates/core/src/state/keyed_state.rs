//! What all kinds of keyed state have in common.

use super::registry::StateRegistry;
use super::slot::Slot;

/// A declared state that belongs to keys. All handles of keyed state are.
pub trait KeyedState {
    /// Its position among the declared states.
    fn position(&self) -> usize;

    /// The slots that have something in memory. For
    /// [`BroadcastContext::apply_to_keyed_state`](crate::operator::BroadcastContext::apply_to_keyed_state).
    fn slots(&self, states: &StateRegistry) -> Vec<Slot>;
}

/// A handle that wraps another.
macro_rules! keyed_state {
    ([$($generics:tt)*] $handle:ty, $inner:ident) => {
        impl<$($generics)*> crate::state::KeyedState for $handle {
            fn position(&self) -> usize {
                self.$inner.position()
            }
            fn slots(&self, states: &crate::state::StateRegistry) -> Vec<crate::state::Slot> {
                self.$inner.slots(states)
            }
        }
    };
}
pub(super) use keyed_state;

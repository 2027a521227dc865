//! Where the values of a key are.

/// The place of a key's values in every state of an operator instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

impl Slot {
    /// Stands for "no key": timers of operators that are not keyed.
    pub const NONE: Slot = Slot(u32::MAX);

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

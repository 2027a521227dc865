//! A table as an operator has declared it.

use std::any::{Any, TypeId};

use super::snapshot::Redistribution;
use super::table::StateTable;

/// A table with its name and type.
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) redistribution: Redistribution,
    // INVARIANT: the type of `table`.
    type_id: TypeId,
    pub(super) table: Box<dyn StateTable>,
}

impl Declared {
    pub(super) fn new<T: StateTable>(
        name: String,
        redistribution: Redistribution,
        table: Box<T>,
    ) -> Self {
        Declared {
            name,
            redistribution,
            type_id: TypeId::of::<T>(),
            table,
        }
    }

    /// The table as its own type.
    #[inline]
    pub(super) fn typed<T: StateTable>(&self) -> &T {
        self.check::<T>();
        let table: &dyn Any = self.table.as_any();
        // SAFETY: the concrete type of `table` is the one whose id was stored when it was
        // declared, and that id was compared with `T` above. `downcast_ref` would compare again
        // through a virtual call, once for every record.
        unsafe { &*std::ptr::from_ref(table).cast::<T>() }
    }

    /// The table as its own type, for writing.
    #[inline]
    pub(super) fn typed_mut<T: StateTable>(&mut self) -> &mut T {
        self.check::<T>();
        let table: &mut dyn Any = self.table.as_any_mut();
        // SAFETY: as in `typed`; the borrow of `table` is unique.
        unsafe { &mut *std::ptr::from_mut(table).cast::<T>() }
    }

    #[inline]
    fn check<T: StateTable>(&self) {
        assert!(
            self.type_id == TypeId::of::<T>(),
            "a state handle of another operator"
        );
    }
}

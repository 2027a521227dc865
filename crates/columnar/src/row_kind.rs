//! What a row of a changelog says about the table it changes.

use std::fmt;

/// The kind of a changelog row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// `+I`: the row is new.
    Insert = 0,
    /// `-U`: the row as it was, before a change.
    UpdateBefore = 1,
    /// `+U`: the row as it is, after a change.
    UpdateAfter = 2,
    /// `-D`: the row is gone.
    Delete = 3,
}

impl RowKind {
    /// From its number.
    pub const fn from_u8(number: u8) -> RowKind {
        match number & 3 {
            0 => RowKind::Insert,
            1 => RowKind::UpdateBefore,
            2 => RowKind::UpdateAfter,
            _ => RowKind::Delete,
        }
    }

    /// Whether the row is there after it (`+I`, `+U`).
    pub const fn is_addition(self) -> bool {
        matches!(self, RowKind::Insert | RowKind::UpdateAfter)
    }

    /// The short form.
    pub const fn symbol(self) -> &'static str {
        match self {
            RowKind::Insert => "+I",
            RowKind::UpdateBefore => "-U",
            RowKind::UpdateAfter => "+U",
            RowKind::Delete => "-D",
        }
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

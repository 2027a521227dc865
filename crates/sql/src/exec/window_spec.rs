//! Windows as arithmetic: which slices and windows an instant belongs to.
//!
//! Overlapping windows share *slices*: the time between two neighbouring window borders. A row is
//! added to one slice; a window is the merge of its slices. All bounds are milliseconds; a slice
//! or window is `[end - length, end)`.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;
use thalweg_columnar::arrow_error;
use thalweg_core::error::{Error, Result};

/// A kind of window with its measures in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub enum WindowSpec {
    /// `[k·size + offset, (k+1)·size + offset)`
    Tumble {
        /// Length.
        size: i64,
        /// Shift of all borders.
        offset: i64,
    },
    /// Windows of `size` that start every `slide`.
    Hop {
        /// Distance between starts.
        slide: i64,
        /// Length, a multiple of `slide`.
        size: i64,
        /// Shift of all borders.
        offset: i64,
    },
    /// Windows that grow by `step` up to `size`, then start anew.
    Cumulate {
        /// Growth.
        step: i64,
        /// Longest length, a multiple of `step`.
        size: i64,
        /// Shift of all borders.
        offset: i64,
    },
    /// Windows that an earlier operator assigned: a row's time column is its window's end.
    Attached {
        /// Length.
        size: i64,
    },
    /// Windows that end `gap` after their last row.
    Session {
        /// Silence that ends a session.
        gap: i64,
    },
}

impl WindowSpec {
    /// Length of a slice; 0 for sessions, which have none.
    pub fn slice(&self) -> i64 {
        match self {
            WindowSpec::Tumble { size, .. } => *size,
            WindowSpec::Hop { slide, .. } => *slide,
            WindowSpec::Cumulate { step, .. } => *step,
            WindowSpec::Session { .. } | WindowSpec::Attached { .. } => 0,
        }
    }

    /// Length of the longest window.
    pub fn size(&self) -> i64 {
        match self {
            WindowSpec::Tumble { size, .. }
            | WindowSpec::Hop { size, .. }
            | WindowSpec::Cumulate { size, .. }
            | WindowSpec::Attached { size } => *size,
            WindowSpec::Session { gap } => *gap,
        }
    }

    fn offset(&self) -> i64 {
        match self {
            WindowSpec::Tumble { offset, .. }
            | WindowSpec::Hop { offset, .. }
            | WindowSpec::Cumulate { offset, .. } => *offset,
            WindowSpec::Session { .. } | WindowSpec::Attached { .. } => 0,
        }
    }

    /// The exclusive end of the slice of an instant. Floors: instants before 1970 are no special
    /// case, and offsets count modulo the slice.
    #[inline]
    pub fn slice_end(&self, time: i64) -> i64 {
        let slice = self.slice();
        if slice == 0 {
            return time;
        }
        let shifted = time.wrapping_sub(self.offset());
        shifted
            .wrapping_sub(shifted.rem_euclid(slice))
            .wrapping_add(slice + self.offset())
    }

    /// The ends of the windows that contain a slice, earliest first.
    pub fn windows_of_slice(&self, slice_end: i64) -> impl Iterator<Item = i64> + use<> {
        let step = self.slice().max(1);
        let last = self.last_window_end(slice_end);
        (0..)
            .map(move |n| slice_end + n * step)
            .take_while(move |end| *end <= last)
    }

    /// The end of the last window that contains a slice.
    pub fn last_window_end(&self, slice_end: i64) -> i64 {
        match self {
            WindowSpec::Tumble { .. }
            | WindowSpec::Attached { .. }
            | WindowSpec::Session { .. } => slice_end,
            WindowSpec::Hop { slide, size, .. } => slice_end + size - slide,
            WindowSpec::Cumulate { size, .. } => self.window_start(slice_end) + size,
        }
    }

    /// The start of the window that ends at `end`.
    pub fn window_start(&self, end: i64) -> i64 {
        match self {
            WindowSpec::Tumble { size, .. }
            | WindowSpec::Hop { size, .. }
            | WindowSpec::Attached { size } => end - size,
            WindowSpec::Cumulate { size, offset, .. } => {
                let last = end - 1 - offset;
                last - last.rem_euclid(*size) + offset
            }
            WindowSpec::Session { gap } => end - gap,
        }
    }
}

/// A time column as milliseconds, rounded down.
///
/// # Errors
/// `User` if the column is no timestamp.
pub fn to_millis(array: &ArrayRef) -> Result<Int64Array> {
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => array
            .as_primitive::<TimestampSecondType>()
            .unary(|s| s.saturating_mul(1000)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => array
            .as_primitive::<TimestampMillisecondType>()
            .reinterpret_cast(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array
            .as_primitive::<TimestampMicrosecondType>()
            .unary(|us| us.div_euclid(1000)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => array
            .as_primitive::<TimestampNanosecondType>()
            .unary(|ns| ns.div_euclid(1_000_000)),
        other => {
            return Err(Error::user(format!(
                "a window needs a TIMESTAMP column, not `{other}`"
            )));
        }
    })
}

/// Milliseconds as a column of a timestamp type.
///
/// # Errors
/// `Internal` if the type is no timestamp.
pub fn from_millis(millis: impl Iterator<Item = i64>, data_type: &DataType) -> Result<ArrayRef> {
    let array: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values(millis));
    if array.data_type() == data_type {
        return Ok(array);
    }
    arrow::compute::cast(&array, data_type).map_err(arrow_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_floor_before_the_epoch_and_offsets_are_modulo_the_size() {
        let tumble = WindowSpec::Tumble {
            size: 10,
            offset: 0,
        };
        assert_eq!(
            [-11, -10, -1, 0, 9, 10].map(|t| tumble.slice_end(t)),
            [-10, 0, 0, 10, 10, 20]
        );
        for offset in [3, 13, -7] {
            let shifted = WindowSpec::Tumble { size: 10, offset };
            assert_eq!(
                [2, 3, 12].map(|t| shifted.slice_end(t).rem_euclid(10)),
                [3, 3, 3]
            );
            assert_eq!(shifted.slice_end(2), 3);
            assert_eq!(shifted.slice_end(3), 13);
        }
    }

    #[test]
    fn a_slice_belongs_to_size_over_slide_windows() {
        let hop = WindowSpec::Hop {
            slide: 2,
            size: 10,
            offset: 0,
        };
        assert_eq!(
            hop.windows_of_slice(4).collect::<Vec<_>>(),
            [4, 6, 8, 10, 12]
        );
        assert_eq!(hop.window_start(12), 2);
        let cumulate = WindowSpec::Cumulate {
            step: 2,
            size: 6,
            offset: 0,
        };
        assert_eq!(
            cumulate.windows_of_slice(8).collect::<Vec<_>>(),
            [8, 10, 12]
        );
        assert_eq!(
            [8, 10, 12, 14].map(|end| cumulate.window_start(end)),
            [6, 6, 6, 12]
        );
    }
}

//! STRING and BYTES columns as views: sixteen bytes a value, and blocks that hold the long ones.
//!
//! ```text
//!   up to 12 bytes   │ length │ the bytes, zero padded            │
//!   longer           │ length │ first four │ block   │ offset     │ ──► block
//! ```
//!
//! Values are copied out of the input rather than pointed at where they lie. A copied block holds
//! only what columns hold, so projecting one string of a record does not keep the whole file in
//! memory, and the copy of a string that has just been scanned costs no more than its share of a
//! copy of the whole input.

use arrow_buffer::{Buffer, ScalarBuffer};

/// A block is full when the next value would bring it past this.
const BLOCK_BYTES_MAX: usize = 4 << 20;

/// The longest value that lies in its view.
const INLINE_BYTES_MAX: usize = 12;

/// Long values are copied in pieces of this size.
const COPY_BYTES: usize = 128;

/// Values of a column of views so far.
#[derive(Default)]
pub(crate) struct Views {
    views: Vec<u128>,
    block: Vec<u8>,
    full: Vec<Buffer>,
    /// Bytes the last batch needed: the room to take for the next block.
    last_bytes: usize,
}

impl Views {
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Room for `rows` values.
    pub fn reserve(&mut self, rows: usize) {
        self.views.reserve_exact(rows);
    }

    /// Appends the value `input[from..to]`; false if the batch cannot hold it.
    ///
    /// As [`push`](Self::push), but a short value is loaded with what is behind it, which is then
    /// masked away: no branch depends on its length.
    #[inline(always)]
    pub fn push_range(&mut self, input: &[u8], from: usize, to: usize) -> bool {
        let Some(bytes) = input.get(from..to) else {
            return false;
        };
        if bytes.len() <= INLINE_BYTES_MAX
            && let Some(chunk) = input.get(from..).and_then(|rest| rest.first_chunk::<16>())
        {
            let mask = (1u128 << (8 * bytes.len())) - 1;
            let word = u128::from_le_bytes(*chunk) & mask;
            self.views.push(word << 32 | bytes.len() as u128);
            return true;
        }
        self.push_chunks(input, from, to)
    }

    /// As [`push_range`](Self::push_range), of a long value: copied in whole chunks, the last of
    /// which is cut to size, so that there is no call and no copy of unknown length.
    #[inline(always)]
    fn push_chunks(&mut self, input: &[u8], from: usize, to: usize) -> bool {
        let offset = self.block.len();
        let len = to - from;
        if self.block.capacity() - offset < len + COPY_BYTES {
            return self.push(input.get(from..to).unwrap_or_default());
        }
        let mut at = from;
        while let Some(chunk) = input
            .get(at..)
            .and_then(|rest| rest.first_chunk::<COPY_BYTES>())
        {
            self.block.extend_from_slice(chunk);
            at += COPY_BYTES;
            if at >= to {
                self.block.truncate(offset + len);
                self.push_view(offset, prefix(input, from), len);
                return true;
            }
        }
        self.block.truncate(offset);
        self.push(input.get(from..to).unwrap_or_default())
    }

    /// Appends the view of a long value that lies at `offset` in the block.
    #[inline(always)]
    fn push_view(&mut self, offset: usize, prefix: u32, len: usize) {
        // A block and the number of blocks are far below 2^32: see `grow`.
        let place = (offset as u128) << 96 | (self.full.len() as u128) << 64;
        self.views
            .push(place | u128::from(prefix) << 32 | len as u128);
    }

    /// Appends a value; false if the batch cannot hold it.
    #[inline(always)]
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() <= INLINE_BYTES_MAX {
            self.views.push(inline_view(bytes));
            return true;
        }
        if self.block.len() + bytes.len() > self.block.capacity() && !self.grow(bytes.len()) {
            return false;
        }
        let offset = self.block.len();
        self.block.extend_from_slice(bytes);
        self.push_view(offset, prefix(bytes, 0), bytes.len());
        true
    }

    /// Makes room for `more` bytes in the block, or begins a new one.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) -> bool {
        if more > i32::MAX as usize || self.full.len() >= i32::MAX as usize {
            return false;
        }
        if self.block.capacity() == 0 {
            self.block
                .reserve_exact(self.last_bytes.clamp(4_096, BLOCK_BYTES_MAX).max(more));
        } else if self.block.len() + more > BLOCK_BYTES_MAX {
            let room = BLOCK_BYTES_MAX.max(more);
            let block = std::mem::replace(&mut self.block, Vec::with_capacity(room));
            self.full.push(Buffer::from_vec(block));
        } else {
            self.block.reserve(more);
        }
        true
    }

    /// Appends empty values up to `row`.
    pub fn fill(&mut self, row: usize) {
        self.views.resize(row, 0);
    }

    /// Forgets `row` and later ones. Their bytes stay in the block until the batch is done, unless
    /// the last of them was the last in the block.
    pub fn truncate(&mut self, row: usize) {
        if let Some(&view) = self.views.get(row) {
            let (len, block) = (view as u32 as usize, (view >> 64) as u32 as usize);
            if len > INLINE_BYTES_MAX && block == self.full.len() {
                self.block.truncate((view >> 96) as usize);
            }
            self.views.truncate(row);
        }
    }

    /// The views and blocks so far; there are none afterwards.
    pub fn take(&mut self) -> (ScalarBuffer<u128>, Vec<Buffer>) {
        self.last_bytes = self.block.len() + self.block.len() / 8;
        let mut blocks = std::mem::take(&mut self.full);
        if !blocks.is_empty() {
            self.last_bytes = BLOCK_BYTES_MAX;
        }
        let block = std::mem::take(&mut self.block);
        if !block.is_empty() {
            blocks.push(Buffer::from_vec(block));
        }
        (ScalarBuffer::from(std::mem::take(&mut self.views)), blocks)
    }
}

/// Four bytes from `at`, as a view has them.
#[inline(always)]
fn prefix(bytes: &[u8], at: usize) -> u32 {
    let head = bytes.get(at..).and_then(|rest| rest.first_chunk());
    head.map_or(0, |head| u32::from_le_bytes(*head))
}

/// The view of at most twelve bytes.
#[inline(always)]
fn inline_view(bytes: &[u8]) -> u128 {
    // Two overlapping words instead of a copy of unknown length: no call, no loop.
    let len = bytes.len();
    let word = if let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
    {
        let tail = u128::from(u64::from_le_bytes(*tail)) << (8 * (len - 8));
        u128::from(u64::from_le_bytes(*head)) | tail
    } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let tail = u128::from(u32::from_le_bytes(*tail)) << (8 * (len - 4));
        u128::from(u32::from_le_bytes(*head)) | tail
    } else {
        bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u128::from(*byte))
    };
    word << 32 | len as u128
}

#[cfg(test)]
mod tests {
    use arrow_array::BinaryViewArray;
    use proptest::prelude::*;

    use super::*;

    /// The checked constructor verifies every length, offset and prefix.
    fn checked(views: &mut Views) -> BinaryViewArray {
        let (values, blocks) = views.take();
        BinaryViewArray::try_new(values, blocks, None).expect("views that hold")
    }

    proptest! {
        #[test]
        fn values_of_any_length_come_back_also_after_forgetting_some(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50),
            keep in 0usize..50,
        ) {
            let mut views = Views::default();
            for value in &values {
                prop_assert!(views.push(value));
            }
            let keep = keep.min(values.len());
            views.truncate(keep);
            let all = values[keep..].concat();
            let mut from = 0;
            for value in &values[keep..] {
                prop_assert!(views.push_range(&all, from, from + value.len()));
                from += value.len();
            }
            let array = checked(&mut views);
            prop_assert!(array.iter().map(|v| v.expect("no null")).eq(values.iter().map(Vec::as_slice)));
        }
    }

    #[test]
    fn values_beyond_a_block_begin_another() {
        let mut views = Views::default();
        let value = vec![b'x'; 1 << 20];
        for _ in 0..9 {
            assert!(views.push(&value));
        }
        assert!(views.push(&vec![b'y'; 6 << 20]));
        let array = checked(&mut views);
        assert_eq!(array.value(8), value);
        assert_eq!(array.value(9).len(), 6 << 20);
        assert!(array.data_buffers().len() > 2);
    }
}

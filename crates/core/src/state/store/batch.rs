//! Many keys, or many writes, in one buffer: nothing is allocated for each of them.

/// Rows of bytes, one behind the other in one buffer. Cleared, it keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct ByteRows {
    bytes: Vec<u8>,
    // Where each row ends; the next begins there.
    ends: Vec<usize>,
}

impl ByteRows {
    /// Appends a row.
    pub fn push(&mut self, row: &[u8]) {
        self.push_with(|out| out.extend_from_slice(row));
    }

    /// Appends the row that `write` appends to the buffer; what is there before is not touched.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all rows together.
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A row.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn row(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.row(at))
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// One write of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOperation<'a> {
    /// The key has this value from now on.
    Put {
        /// The stored key.
        key: &'a [u8],
        /// The stored value.
        value: &'a [u8],
    },
    /// The key has no value from now on, whether it had one or not.
    Delete {
        /// The stored key.
        key: &'a [u8],
    },
}

impl<'a> WriteOperation<'a> {
    /// The stored key.
    pub fn key(&self) -> &'a [u8] {
        match self {
            WriteOperation::Put { key, .. } | WriteOperation::Delete { key } => key,
        }
    }
}

/// Puts and deletes, in order, in one buffer. Cleared, it keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    operations: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    key_end: usize,
    // None for a delete.
    value_end: Option<usize>,
}

impl WriteBatch {
    /// Appends a put.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.put_with(
            |out| out.extend_from_slice(key),
            |out| out.extend_from_slice(value),
        );
    }

    /// Appends a put of the key and the value that the functions append to the buffer; they do
    /// not touch what is there before.
    pub fn put_with(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        key(&mut self.bytes);
        let key_end = self.bytes.len();
        value(&mut self.bytes);
        let value_end = Some(self.bytes.len());
        self.operations.push(Place { key_end, value_end });
    }

    /// Appends a delete.
    pub fn delete(&mut self, key: &[u8]) {
        self.delete_with(|out| out.extend_from_slice(key));
    }

    /// Appends a delete of the key that `key` appends to the buffer; it does not touch what is
    /// there before.
    pub fn delete_with(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        key(&mut self.bytes);
        self.operations.push(Place {
            key_end: self.bytes.len(),
            value_end: None,
        });
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The bytes of all keys and values together.
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The operations in order.
    pub fn iter(&self) -> impl Iterator<Item = WriteOperation<'_>> {
        let mut start = 0;
        self.operations.iter().map(move |place| {
            let key = &self.bytes[start..place.key_end];
            start = place.value_end.unwrap_or(place.key_end);
            match place.value_end {
                Some(end) => WriteOperation::Put {
                    key,
                    value: &self.bytes[place.key_end..end],
                },
                None => WriteOperation::Delete { key },
            }
        })
    }

    /// Removes all operations.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.operations.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_pushed_the_empty_ones_too() {
        let mut rows = ByteRows::default();
        assert!(rows.is_empty());
        for row in ["", "a", "", "bcd"] {
            rows.push(row.as_bytes());
        }
        let read: Vec<&[u8]> = rows.iter().collect();
        assert_eq!(read, [b"" as &[u8], b"a", b"", b"bcd"]);
        assert_eq!((rows.len(), rows.total_bytes()), (4, 4));
        rows.clear();
        rows.push(b"x");
        assert_eq!(rows.row(0), b"x");
    }

    #[test]
    fn a_batch_gives_its_operations_back_in_order() {
        let mut batch = WriteBatch::default();
        batch.put(b"a", b"");
        batch.delete(b"bb");
        batch.put(b"", b"value");
        batch.delete(b"");
        let (a, bb) = (b"a".as_slice(), b"bb".as_slice());
        let expected = [
            WriteOperation::Put { key: a, value: b"" },
            WriteOperation::Delete { key: bb },
            WriteOperation::Put {
                key: b"",
                value: b"value",
            },
            WriteOperation::Delete { key: b"" },
        ];
        assert_eq!(batch.iter().collect::<Vec<_>>(), expected);
        assert_eq!((batch.len(), batch.total_bytes()), (4, 8));
        batch.clear();
        assert!(batch.is_empty() && batch.iter().next().is_none());
    }
}

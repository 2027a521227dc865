//! The entries of a table, one behind the other in one buffer.

use crate::data::{Data, take_bytes};
use crate::error::{Error, Result};

// Stands where an entry has no key group; key groups are below 32768.
const NO_GROUP: u32 = u32::MAX;
const HEAD_BYTES: usize = 8;

/// Entries in order: of each its key group (`None` for state that has no key) and its canonical
/// bytes. The buffer is what is stored: group and length as `u32`, then the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    buffer: Vec<u8>,
    count: usize,
}

impl Entries {
    /// Appends an entry.
    pub fn push(&mut self, group: Option<u32>, entry: &[u8]) {
        self.push_with(|out| {
            out.extend_from_slice(entry);
            group
        });
    }

    /// Appends an entry: what `write` appends to the buffer, which says its key group.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<u32>) {
        let start = self.buffer.len() + HEAD_BYTES;
        self.buffer.extend_from_slice(&[0; HEAD_BYTES]);
        let group = write(&mut self.buffer).unwrap_or(NO_GROUP);
        let len = (self.buffer.len() - start) as u32;
        let head = &mut self.buffer[start - HEAD_BYTES..start];
        head[..4].copy_from_slice(&group.to_le_bytes());
        head[4..].copy_from_slice(&len.to_le_bytes());
        self.count += 1;
    }

    /// Forgets all, but keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.count = 0;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Option<u32>, &[u8])> {
        let mut rest = self.buffer.as_slice();
        // INVARIANT: whoever made the buffer has checked it.
        std::iter::from_fn(move || read(&mut rest).ok())
    }

    /// Takes `count` entries in their stored form from the head of `input`.
    ///
    /// # Errors
    /// `Corrupt` if there are not so many.
    pub fn take(input: &mut &[u8], count: usize) -> Result<Self> {
        let mut entries = Entries::default();
        entries.take_more(input, count)?;
        Ok(entries)
    }

    /// Takes further entries, as [`Entries::take`] does.
    ///
    /// # Errors
    /// `Corrupt` if there are not so many.
    pub fn take_more(&mut self, input: &mut &[u8], count: usize) -> Result<()> {
        let all = *input;
        for _ in 0..count {
            read(input)?;
        }
        self.buffer
            .extend_from_slice(&all[..all.len() - input.len()]);
        self.count += count;
        Ok(())
    }

    /// Appends all entries of another table.
    pub fn append(&mut self, other: &Entries) {
        self.buffer.extend_from_slice(&other.buffer);
        self.count += other.count;
    }
}

fn read<'a>(input: &mut &'a [u8]) -> Result<(Option<u32>, &'a [u8])> {
    if input.len() < HEAD_BYTES {
        return Err(Error::corrupt("an entry ends early"));
    }
    let group = u32::decode(input)?;
    let len = u32::decode(input)? as usize;
    let entry = take_bytes(input, len)?;
    Ok(((group != NO_GROUP).then_some(group), entry))
}

impl<B: AsRef<[u8]>> FromIterator<(Option<u32>, B)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Option<u32>, B)>>(entries: I) -> Self {
        let mut collected = Entries::default();
        for (group, entry) in entries {
            collected.push(group, entry.as_ref());
        }
        collected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_back_from_their_stored_form(
            entries in proptest::collection::vec(
                (proptest::option::of(0u32..32_768), proptest::collection::vec(any::<u8>(), 0..9)),
                0..9,
            ),
        ) {
            let packed: Entries = entries.iter().cloned().collect();
            let mut input = packed.as_bytes();
            let parsed = Entries::take(&mut input, packed.len()).unwrap();
            prop_assert!(input.is_empty());
            let found: Vec<_> = parsed.iter().map(|(g, e)| (g, e.to_vec())).collect();
            prop_assert_eq!(&found, &entries);
            prop_assert!(Entries::take(&mut packed.as_bytes(), entries.len() + 1).is_err());
            if let Some((_, mut cut)) = packed.as_bytes().split_last() {
                prop_assert!(Entries::take(&mut cut, entries.len()).is_err());
            }
        }
    }
}

//! Entries on their way to where they are stored, in blocks.

use super::entries::Entries;
use crate::error::Result;

// Large enough to cost little each, small enough to stay in the caches of a core.
const BLOCK_BYTES: usize = 256 << 10;

/// Takes entries one by one and hands them on in blocks: a state of any size is written with the
/// memory of one.
pub struct EntryWriter<'a> {
    block: Entries,
    next: &'a mut dyn FnMut(&Entries) -> Result<()>,
    count: usize,
}

impl<'a> EntryWriter<'a> {
    /// A writer that gives blocks to `next`. None of them is empty.
    pub fn new(next: &'a mut dyn FnMut(&Entries) -> Result<()>) -> Self {
        EntryWriter {
            block: Entries::default(),
            next,
            count: 0,
        }
    }

    /// Takes an entry: what `write` appends, which says its key group.
    ///
    /// # Errors
    /// What the next one fails with.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<u32>) -> Result<()> {
        self.block.push_with(write);
        if self.block.as_bytes().len() >= BLOCK_BYTES {
            self.hand_on()?;
        }
        Ok(())
    }

    /// Takes an entry that is encoded already.
    ///
    /// # Errors
    /// What the next one fails with.
    pub fn push(&mut self, group: Option<u32>, entry: &[u8]) -> Result<()> {
        self.push_with(|out| {
            out.extend_from_slice(entry);
            group
        })
    }

    /// Takes entries that are encoded already.
    ///
    /// # Errors
    /// What the next one fails with.
    pub fn append(&mut self, entries: &Entries) -> Result<()> {
        self.hand_on()?;
        self.count += entries.len();
        if entries.is_empty() {
            return Ok(());
        }
        (self.next)(entries)
    }

    /// Hands on what is left, and says how many entries there were.
    ///
    /// # Errors
    /// What the next one fails with.
    pub fn finish(mut self) -> Result<usize> {
        self.hand_on()?;
        Ok(self.count)
    }

    fn hand_on(&mut self) -> Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.count += self.block.len();
        (self.next)(&self.block)?;
        self.block.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn blocks_hold_the_entries_in_order() {
        let mut all = Entries::default();
        let mut sizes = Vec::new();
        let mut next = |block: &Entries| {
            sizes.push(block.as_bytes().len());
            all.append(block);
            Ok(())
        };
        let mut expected = Entries::default();
        let mut writer = EntryWriter::new(&mut next);
        let encoded: Entries = [(None, b"as it is")].into_iter().collect();
        for number in 0..40_000u32 {
            let entry = number.to_le_bytes();
            if number == 20_000 {
                writer.append(&encoded).unwrap();
                expected.append(&encoded);
            }
            expected.push(Some(number % 7), &entry);
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(&entry);
                Some(number % 7)
            };
            writer.push_with(write).unwrap();
        }
        writer.append(&Entries::default()).unwrap();
        assert_eq!(writer.finish().unwrap(), 40_001);
        assert_eq!(all, expected);
        assert!(
            sizes.len() > 2
                && sizes
                    .iter()
                    .all(|bytes| (1..=BLOCK_BYTES + 16).contains(bytes))
        );
    }

    #[test]
    fn what_the_next_one_fails_with_reaches_whoever_writes() {
        let mut next = |_: &Entries| Err(Error::user("no room"));
        let mut writer = EntryWriter::new(&mut next);
        let large = writer.push_with(|out| {
            out.resize(BLOCK_BYTES, 0);
            None
        });
        assert_eq!(large.unwrap_err().to_string(), "no room");
    }
}

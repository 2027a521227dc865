//! Keys of any columns, as canonical bytes in blocks.

use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::HASHER;
use crate::pages::{CowVec, Pages};

const BLOCK_BYTES: usize = 64 << 10;
// Less than this is not worth moving keys for.
const HOLES_BYTES_MIN: usize = 1 << 20;

/// Where a key's bytes are.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    block: u32,
    start: u32,
    len: u32,
}

/// Keys that were removed leave holes in their blocks. A block without keys goes at once; when most
/// of all bytes are holes, the keys are moved together.
#[derive(Default)]
struct Block {
    bytes: CowVec<u8>,
    live: usize,
}

/// Keys as canonical bytes.
#[derive(Default)]
pub struct ByteKeys {
    table: HashTable<(u64, u32)>,
    spans: Pages<Span>,
    // The last of them is being filled, and its number never given again before it is full.
    blocks: Vec<Block>,
    open: Option<u32>,
    free_blocks: Vec<u32>,
    free: Vec<u32>,
    live: usize,
    kept: usize,
}

/// The keys at one moment.
pub struct SharedBytes {
    spans: Pages<Span>,
    blocks: Vec<CowVec<u8>>,
}

impl ByteKeys {
    pub fn bound(&self) -> usize {
        self.spans.len()
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn byte_size(&self) -> usize {
        self.table.capacity() * 16 + self.kept + self.spans.byte_size()
    }

    pub fn intern(&mut self, key: &[u8]) -> u32 {
        let hash = HASHER.hash_one(key);
        let known = self.table.find(hash, |(known, group)| {
            *known == hash && bytes_of(&self.blocks, *self.spans.get(*group)) == key
        });
        if let Some((_, group)) = known {
            return *group;
        }
        let span = self.store(key);
        let group = match self.free.pop() {
            Some(group) => {
                *self.spans.get_mut(group) = span;
                group
            }
            None => self.spans.push(span),
        };
        self.list(hash, group);
        group
    }

    /// Gives a new key the next number, whatever numbers are free.
    pub fn append(&mut self, key: &[u8]) {
        let span = self.store(key);
        let group = self.spans.push(span);
        self.list(HASHER.hash_one(key), group);
    }

    fn list(&mut self, hash: u64, group: u32) {
        let rehash = |(known, _): &(u64, u32)| *known;
        self.table.insert_unique(hash, (hash, group), rehash);
    }

    /// Leaves a number out, to be given later.
    pub fn leave_out(&mut self) {
        let group = self.spans.push(Span::default());
        self.free.push(group);
    }

    pub fn get(&self, group: u32) -> &[u8] {
        bytes_of(&self.blocks, *self.spans.get(group))
    }

    /// Forgets a key; its number will be given again.
    pub fn remove(&mut self, group: u32) {
        let hash = HASHER.hash_one(self.get(group));
        let found = |(_, known): &(u64, u32)| *known == group;
        let Ok(entry) = self.table.find_entry(hash, found) else {
            return;
        };
        entry.remove();
        self.free.push(group);
        let span = std::mem::take(self.spans.get_mut(group));
        let block = &mut self.blocks[span.block as usize];
        block.live -= span.len as usize;
        self.live -= span.len as usize;
        if block.live == 0 && self.open != Some(span.block) {
            self.drop_block(span.block);
        }
        if self.kept > 2 * self.live + HOLES_BYTES_MIN {
            self.compact();
        }
    }

    fn drop_block(&mut self, at: u32) {
        let bytes = std::mem::take(&mut self.blocks[at as usize].bytes);
        self.kept -= bytes.as_slice().len();
        self.free_blocks.push(at);
    }

    fn compact(&mut self) {
        let mut groups: Vec<u32> = self.table.iter().map(|(_, group)| *group).collect();
        groups.sort_unstable();
        let old = std::mem::take(&mut self.blocks);
        (self.live, self.kept) = (0, 0);
        self.open = None;
        self.free_blocks.clear();
        for group in groups {
            let span = self.store(bytes_of(&old, *self.spans.get(group)));
            *self.spans.get_mut(group) = span;
        }
    }

    fn store(&mut self, key: &[u8]) -> Span {
        let full = |block: &Block| {
            let len = block.bytes.as_slice().len();
            len > 0 && len + key.len() > BLOCK_BYTES
        };
        let open = self.open.filter(|open| !full(&self.blocks[*open as usize]));
        let at = open.unwrap_or_else(|| self.open_block());
        let block = &mut self.blocks[at as usize];
        let bytes = block.bytes.make_mut();
        let start = bytes.len() as u32;
        bytes.extend_from_slice(key);
        block.live += key.len();
        self.live += key.len();
        self.kept += key.len();
        Span {
            block: at,
            start,
            len: key.len() as u32,
        }
    }

    fn open_block(&mut self) -> u32 {
        if let Some(full) = self.open.take()
            && self.blocks[full as usize].live == 0
        {
            self.drop_block(full);
        }
        let at = self.free_blocks.pop().unwrap_or_else(|| {
            self.blocks.push(Block::default());
            (self.blocks.len() - 1) as u32
        });
        self.open = Some(at);
        at
    }

    pub fn share(&mut self) -> SharedBytes {
        SharedBytes {
            spans: self.spans.share(),
            blocks: self.blocks.iter_mut().map(|b| b.bytes.share()).collect(),
        }
    }
}

impl SharedBytes {
    pub fn get(&self, group: u32) -> &[u8] {
        let Span { block, start, len } = *self.spans.get(group);
        let start = start as usize;
        &self.blocks[block as usize].as_slice()[start..start + len as usize]
    }
}

#[inline]
fn bytes_of(blocks: &[Block], Span { block, start, len }: Span) -> &[u8] {
    let start = start as usize;
    match blocks.get(block as usize) {
        Some(block) => &block.bytes.as_slice()[start..start + len as usize],
        // A number that was left out before there was a key.
        None => &[],
    }
}

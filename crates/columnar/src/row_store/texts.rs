//! The bytes of kept texts, in blocks that views point into.
//!
//! A view is Arrow's: 16 bytes that hold a short text, or length, prefix, block and offset of a
//! long one. Blocks never change, so that arrays may share them with the store.
//!
//! A batch's buffer becomes a block as it is if most of it is wanted. Otherwise what is wanted is
//! copied: a text in a file's buffer would hold on to the rest of the file. Texts that die leave
//! holes; a block without texts goes at once, and when most of what is kept is holes, the texts of
//! the emptiest blocks are moved together.

use std::collections::BTreeMap;

use arrow_array::builder::make_view;
use arrow_buffer::{Buffer, ToByteSlice};
use thalweg_core::error::{Error, Result};

use crate::pages::Pages;

const INLINE_BYTES_MAX: u32 = 12;
// Less than this is not worth moving texts for.
const HOLES_BYTES_MIN: usize = 4 << 20;
const MERGED_BLOCK_BYTES: usize = 1 << 20;
const SMALL_BLOCK_BYTES: usize = 64 << 10;
const SMALL_BLOCKS_MIN: usize = 1024;
const NONE: u32 = u32::MAX;

#[inline]
fn len_of(view: u128) -> u32 {
    view as u32
}

#[inline]
fn is_inline(view: u128) -> bool {
    len_of(view) <= INLINE_BYTES_MAX
}

#[inline]
fn block_of(view: u128) -> u32 {
    (view >> 64) as u32
}

#[inline]
fn offset_of(view: u128) -> u32 {
    (view >> 96) as u32
}

/// The same text in another block.
#[inline]
fn in_block(view: u128, block: u32) -> u128 {
    view & !(u128::from(u32::MAX) << 64) | u128::from(block) << 64
}

#[inline]
fn moved(view: u128, block: u32, offset: u32) -> u128 {
    u128::from(view as u64) | u128::from(block) << 64 | u128::from(offset) << 96
}

#[derive(Debug, Default)]
struct Block {
    bytes: Option<Buffer>,
    /// How many of its bytes are texts that live. A text that is kept twice counts twice.
    live: usize,
}

impl Block {
    /// What it holds on to.
    fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Buffer::capacity)
    }

    fn is_small(&self) -> bool {
        self.size() < SMALL_BLOCK_BYTES
    }
}

/// The bytes of kept texts.
#[derive(Debug, Default)]
pub struct Texts {
    blocks: Vec<Block>,
    free: Vec<u32>,
    kept: usize,
    live: usize,
    small: usize,
}

impl Texts {
    /// Keeps the texts of some views, column by column: `wanted` has the buffers that a column's
    /// views point into. Afterwards they point to where the texts are kept.
    pub fn keep(&mut self, wanted: &[Vec<Buffer>], views: &mut [Vec<u128>]) -> Result<()> {
        // How much is wanted of each buffer, which several columns may share.
        let mut used: BTreeMap<Place, usize> = BTreeMap::new();
        for (buffers, views) in wanted.iter().zip(views.iter()) {
            let mut lens = vec![0usize; buffers.len()];
            for view in views.iter().filter(|view| !is_inline(**view)) {
                lens[block_of(*view) as usize] += len_of(*view) as usize;
            }
            for (buffer, len) in buffers.iter().zip(lens) {
                *used.entry(place(buffer)).or_default() += len;
            }
        }
        let mut shared: BTreeMap<Place, u32> = BTreeMap::new();
        for buffer in wanted.iter().flatten() {
            let used = used.get(&place(buffer)).copied().unwrap_or(0);
            // An array that shares the buffer holds on to all of its allocation.
            if used * 2 >= buffer.capacity() && used > 0 && !shared.contains_key(&place(buffer)) {
                shared.insert(place(buffer), self.add(buffer.clone()));
            }
        }
        let copied = used.iter().filter(|(place, _)| !shared.contains_key(place));
        let mut open = self.open(copied.map(|(_, used)| used).sum())?;
        for (buffers, views) in wanted.iter().zip(views) {
            let targets: Vec<u32> = buffers
                .iter()
                .map(|buffer| shared.get(&place(buffer)).copied().unwrap_or(NONE))
                .collect();
            for view in views.iter_mut().filter(|view| !is_inline(**view)) {
                let from = block_of(*view) as usize;
                *view = match targets[from] {
                    NONE => open.copy(*view, &buffers[from]),
                    block => in_block(*view, block),
                };
                let len = len_of(*view) as usize;
                self.blocks[block_of(*view) as usize].live += len;
                self.live += len;
            }
        }
        self.close(open);
        Ok(())
    }

    /// Keeps bytes of which each range becomes a view.
    pub fn keep_bytes<'a>(
        &mut self,
        values: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Vec<u128>> {
        let long = |bytes: &&[u8]| bytes.len() > INLINE_BYTES_MAX as usize;
        let mut open = self.open(values.clone().filter(long).map(<[u8]>::len).sum())?;
        let views = values.map(|bytes| {
            let view = make_view(bytes, open.block, open.bytes.len() as u32);
            if !is_inline(view) {
                open.bytes.extend_from_slice(bytes);
                self.blocks[open.block as usize].live += bytes.len();
                self.live += bytes.len();
            }
            view
        });
        let views = views.collect();
        self.close(open);
        Ok(views)
    }

    /// Lets a text go.
    #[inline]
    pub fn forget(&mut self, view: u128) {
        if is_inline(view) {
            return;
        }
        let (at, len) = (block_of(view), len_of(view) as usize);
        let block = &mut self.blocks[at as usize];
        block.live -= len;
        self.live -= len;
        if block.live == 0 {
            self.drop_block(at);
        }
    }

    /// The same blocks: what is behind a view as long as it is not moved.
    pub fn shared(&self) -> Self {
        let block = |block: &Block| Block {
            bytes: block.bytes.clone(),
            live: block.live,
        };
        Texts {
            blocks: self.blocks.iter().map(block).collect(),
            ..Texts::default()
        }
    }

    /// The bytes of a text.
    #[inline]
    pub fn bytes<'a>(&'a self, view: &'a u128) -> &'a [u8] {
        let len = len_of(*view) as usize;
        if is_inline(*view) {
            return &view.to_byte_slice()[4..4 + len];
        }
        let start = offset_of(*view) as usize;
        let block = self.blocks[block_of(*view) as usize].bytes.as_ref();
        block.map_or(&[], |bytes| &bytes[start..start + len])
    }

    /// Makes views point into the blocks that it returns: those they need, and no others.
    pub fn share(&self, views: &mut [u128]) -> Vec<Buffer> {
        let mut local = vec![NONE; self.blocks.len()];
        let mut shared = Vec::new();
        for view in views.iter_mut().filter(|view| !is_inline(**view)) {
            let block = block_of(*view) as usize;
            if local[block] == NONE {
                local[block] = shared.len() as u32;
                shared.extend(self.blocks[block].bytes.clone());
            }
            *view = in_block(*view, local[block]);
        }
        shared
    }

    /// Whether texts should be moved together, in a store of this many rows.
    pub fn is_sparse(&self, rows: usize) -> bool {
        self.kept > 2 * self.live + HOLES_BYTES_MIN || self.small > SMALL_BLOCKS_MIN + rows / 64
    }

    /// Moves texts together. `columns` have all views that point here; other views are inline.
    pub fn compact(&mut self, columns: &mut [&mut Pages<u128>]) -> Result<()> {
        let sparse = |block: &Block| block.live * 2 < block.size() || block.is_small();
        let sparse: Vec<bool> = self.blocks.iter().map(sparse).collect();
        let pages = columns.iter().map(|column| column.pages()).max();
        let mut open = self.open(MERGED_BLOCK_BYTES)?;
        // Page by page, because rows of one time are near each other and have their texts, of all
        // columns, in the same blocks: most blocks go before many new ones are there.
        for page in 0..pages.unwrap_or(0) {
            for column in &mut *columns {
                let views = column.page_mut(page).iter_mut();
                for view in views.filter(|view| !is_inline(**view)) {
                    if sparse[block_of(*view) as usize] {
                        open = self.move_text(view, open)?;
                    }
                }
            }
        }
        self.close(open);
        Ok(())
    }

    fn move_text(&mut self, view: &mut u128, mut open: Open) -> Result<Open> {
        let len = len_of(*view) as usize;
        if open.bytes.capacity() - open.bytes.len() < len {
            self.close(open);
            open = self.open(MERGED_BLOCK_BYTES.max(len))?;
        }
        let Some(bytes) = &self.blocks[block_of(*view) as usize].bytes else {
            return Err(Error::internal("a kept text has no block"));
        };
        let kept = open.copy(*view, bytes);
        self.blocks[open.block as usize].live += len;
        self.live += len;
        self.forget(*view);
        *view = kept;
        Ok(open)
    }

    #[cfg(test)]
    pub fn kept_bytes(&self) -> usize {
        self.kept
    }

    #[cfg(test)]
    pub fn blocks(&self) -> usize {
        self.blocks.len() - self.free.len()
    }

    /// A block to copy this many bytes to.
    fn open(&mut self, bytes: usize) -> Result<Open> {
        if u32::try_from(bytes).is_err() {
            return Err(Error::unsupported("more than 4 GiB of text in one batch"));
        }
        Ok(Open {
            block: self.give_number(),
            bytes: Vec::with_capacity(bytes),
        })
    }

    fn close(&mut self, open: Open) {
        if open.bytes.is_empty() {
            self.free.push(open.block);
            return;
        }
        self.put(open.block, Buffer::from_vec(open.bytes));
    }

    fn add(&mut self, bytes: Buffer) -> u32 {
        let at = self.give_number();
        self.put(at, bytes);
        at
    }

    fn give_number(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.blocks.push(Block::default());
            (self.blocks.len() - 1) as u32
        })
    }

    fn put(&mut self, at: u32, bytes: Buffer) {
        let block = &mut self.blocks[at as usize];
        block.bytes = Some(bytes);
        self.kept += block.size();
        self.small += usize::from(block.is_small());
    }

    fn drop_block(&mut self, at: u32) {
        let block = &mut self.blocks[at as usize];
        // A block that is still being filled stays.
        if block.bytes.is_some() {
            self.kept -= block.size();
            self.small -= usize::from(block.is_small());
            block.bytes = None;
            self.free.push(at);
        }
    }
}

/// A block that is being filled.
struct Open {
    block: u32,
    bytes: Vec<u8>,
}

impl Open {
    #[inline]
    fn copy(&mut self, view: u128, from: &[u8]) -> u128 {
        let (start, to) = (offset_of(view) as usize, self.bytes.len() as u32);
        self.bytes
            .extend_from_slice(&from[start..start + len_of(view) as usize]);
        moved(view, self.block, to)
    }
}

/// Where a buffer is: slices of one allocation are told apart.
type Place = (usize, usize);

fn place(buffer: &Buffer) -> Place {
    (buffer.as_ptr() as usize, buffer.len())
}

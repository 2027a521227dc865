//! Columns of texts, made without copying or checking what is known to be text already.

use arrow_array::builder::make_view;
use arrow_array::{Array, StringViewArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, ScalarBuffer};

/// The longest text that a view holds itself.
pub const SHORT_MAX: usize = 12;
/// The high bits of the bytes that a view holds itself.
const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080 << 32;
/// A block of texts that reaches this size is closed.
const BLOCK_BYTES: usize = 1 << 20;

/// The texts of a new column: parts of another column's texts, or new ones.
// INVARIANT: each view is one that `StringViewArray::try_new` accepts over `blocks`, to which
// `open` is added when it is not empty.
pub struct TextColumn<'a> {
    source: Option<&'a StringViewArray>,
    views: Vec<u128>,
    nulls: NullBufferBuilder,
    /// The source's first.
    blocks: Vec<Buffer>,
    open: Vec<u8>,
}

impl<'a> TextColumn<'a> {
    /// An empty column that may have parts of the source's texts, which it keeps in memory.
    pub fn over(source: &'a StringViewArray) -> Self {
        TextColumn {
            source: Some(source),
            blocks: source.data_buffers().to_vec(),
            ..TextColumn::with_capacity(source.len())
        }
    }

    /// An empty column of new texts.
    pub fn with_capacity(rows: usize) -> Self {
        TextColumn {
            source: None,
            views: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
            blocks: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        self.views.push(0);
        self.nulls.append_null();
    }

    /// Appends the bytes from `start` to before `end` of the source's text in a row.
    ///
    /// # Panics
    /// If they are not within the text or cut a character, or if there is no source.
    #[inline]
    pub fn push_part(&mut self, row: usize, start: usize, end: usize) {
        let source = self
            .source
            .unwrap_or_else(|| panic!("no texts to have a part of"));
        let text = source.value(row);
        let part = &text[start..end];
        let view = if part.len() <= SHORT_MAX {
            short_view(text.as_bytes(), start, end)
        } else {
            // A text with a part this long is not short, so its own view says where it lies.
            let whole = source.views()[row];
            let (block, offset) = ((whole >> 64) as u32, (whole >> 96) as u32);
            make_view(part.as_bytes(), block, offset + start as u32)
        };
        self.views.push(view);
        self.nulls.append_non_null();
    }

    /// Appends the text of a view, if that is short and of ASCII alone.
    #[inline]
    pub fn push_ascii(&mut self, view: u128) -> bool {
        let length = view as u32 as usize;
        let ascii = length <= SHORT_MAX && view & HIGH_BITS == 0;
        if ascii {
            // Bytes behind the text have to be zero.
            let mask = u128::MAX >> (8 * (SHORT_MAX - length));
            self.views.push(view & mask);
            self.nulls.append_non_null();
        }
        ascii
    }

    /// Appends a new text.
    pub fn push(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let view = if bytes.len() <= SHORT_MAX {
            short_view(bytes, 0, bytes.len())
        } else {
            if self.open.len() + bytes.len() > BLOCK_BYTES {
                self.close();
            }
            let (block, offset) = (self.blocks.len() as u32, self.open.len() as u32);
            self.open.extend_from_slice(bytes);
            make_view(bytes, block, offset)
        };
        self.views.push(view);
        self.nulls.append_non_null();
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            let block = std::mem::take(&mut self.open);
            self.blocks.push(Buffer::from_vec(block));
        }
    }

    /// The column.
    pub fn finish(mut self) -> StringViewArray {
        self.close();
        let nulls: Option<NullBuffer> = self.nulls.finish();
        let views = ScalarBuffer::from(self.views);
        // SAFETY: by the invariant. A short view was made of whole characters or of ASCII, with
        // zeros behind; a long one has the place, the length and the first bytes of such a text, in
        // a block of the source, which keeps its number, or in one of ours. Each push appended as
        // many views as validity bits.
        unsafe { StringViewArray::new_unchecked(views, self.blocks, nulls) }
    }
}

/// The view of `text[start..end]`, which is short.
#[inline]
pub fn short_view(text: &[u8], start: usize, end: usize) -> u128 {
    let length = end - start;
    if length == 0 {
        return 0;
    }
    // Sixteen bytes that end with the part are there for all but the first parts of a text. To
    // load them costs the same for every length, so that no jump has to be predicted.
    let bytes = match text[..end].last_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk) >> (8 * (16 - length)),
        None => {
            let mut chunk = [0; 16];
            chunk[..length].copy_from_slice(&text[start..end]);
            u128::from_le_bytes(chunk)
        }
    };
    bytes << 32 | length as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails if a view is not what it has to be.
    fn checked(column: &StringViewArray) -> Vec<Option<String>> {
        let (views, buffers, nulls) = column.clone().into_parts();
        let checked = StringViewArray::try_new(views, buffers, nulls).unwrap();
        checked.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn all_parts_of_short_and_long_texts_are_valid_views() {
        let texts = [
            "",
            "é",
            "twelve bytes",
            "thirteen byte",
            "ein längerer Text, der Käse enthält",
        ];
        let source = StringViewArray::from_iter_values(texts);
        let mut column = TextColumn::over(&source);
        let mut expected = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            for start in 0..=text.len() {
                for end in start..=text.len() {
                    if let Some(part) = text.get(start..end) {
                        column.push_part(row, start, end);
                        expected.push(Some(part.to_owned()));
                    }
                }
            }
            column.push_null();
            expected.push(None);
        }
        assert_eq!(checked(&column.finish()), expected);
    }

    #[test]
    fn new_texts_lie_behind_those_of_the_source() {
        let source = StringViewArray::from_iter_values(["a source of more than twelve bytes"]);
        let mut column = TextColumn::over(&source);
        let long = "x".repeat(BLOCK_BYTES / 2 + 1);
        let texts = [
            "short",
            long.as_str(),
            "the second long text",
            long.as_str(),
            "",
            long.as_str(),
        ];
        texts.iter().for_each(|text| column.push(text));
        column.push_part(0, 2, 34);
        let mut expected: Vec<_> = texts.iter().map(|text| Some((*text).to_owned())).collect();
        expected.push(Some("source of more than twelve bytes".to_owned()));
        let column = column.finish();
        assert_eq!(checked(&column), expected);
        assert_eq!(column.data_buffers().len(), 4);
    }

    #[test]
    fn only_short_views_of_ascii_are_taken_as_they_are() {
        let source =
            StringViewArray::from_iter_values(["abc", "twelve bytes", "é", "thirteen byte", ""]);
        let mut column = TextColumn::over(&source);
        let taken: Vec<bool> = source
            .views()
            .iter()
            .map(|view| column.push_ascii(*view))
            .collect();
        assert_eq!(taken, [true, true, false, false, true]);
        // What is behind the text does not count.
        assert!(column.push_ascii(source.views()[0] | u128::from(b'z') << 64));
        let expected = ["abc", "twelve bytes", "", "abc"].map(|text| Some(text.to_owned()));
        let column = column.finish();
        assert_eq!(column.null_count(), 0);
        assert_eq!(checked(&column), expected);
    }

    #[test]
    #[should_panic(expected = "char boundary")]
    fn a_part_that_cuts_a_character_is_refused() {
        let source = StringViewArray::from_iter_values(["é"]);
        TextColumn::over(&source).push_part(0, 0, 1);
    }
}

//! The bytes of a file on their way to a decoder.
//!
//! One buffer a file, made once and small enough for the processor's cache: what the kernel has
//! copied into it is decoded before it falls out. What is left of a record at the end of the buffer
//! moves to its front before more is read behind it.
//!
//! ```text
//!   0        consumed            filled       buffer.len()
//!   │ decoded   │ to be decoded     │ room       │
//! ```

use std::io::{ErrorKind, Read};

use thalweg_core::error::Result;

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// A record longer than this is taken for a broken file.
pub const RECORD_BYTES_MAX: usize = 256 << 20;

/// The file that is being read.
pub struct OpenFile {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are decoded.
    consumed: usize,
    /// Bytes of the buffer that are of the file.
    filled: usize,
    /// Bytes of the buffer that belong to the split, once its end is found.
    limit: Option<usize>,
    /// No more bytes will come.
    ended: bool,
}

impl OpenFile {
    /// A file from where `reader` stands.
    pub fn new(reader: Box<dyn Read + Send>) -> Self {
        OpenFile {
            reader,
            buffer: Vec::new(),
            consumed: 0,
            filled: 0,
            limit: None,
            ended: false,
        }
    }

    /// What is to be decoded of a split that ends at `end`, and whether that is the last of it.
    ///
    /// The first of these bytes is at `position` of the file. A record belongs to the split in
    /// which it begins.
    pub fn bytes(&mut self, position: u64, end: u64) -> (&[u8], bool) {
        if end != u64::MAX && self.limit.is_none() {
            self.limit = self.find_limit(position, end);
        }
        let to = self.limit.unwrap_or(self.filled);
        let last = self.ended || self.limit.is_some();
        (&self.buffer[self.consumed..to], last)
    }

    /// The first `bytes` of those to be decoded are.
    pub fn consume(&mut self, bytes: usize) {
        self.consumed += bytes;
    }

    /// Finds the end of the split's last record in the buffer.
    fn find_limit(&self, position: u64, end: u64) -> Option<usize> {
        let start = position.saturating_sub(self.consumed as u64);
        let Some(last) = end.checked_sub(1 + start) else {
            return Some(self.consumed);
        };
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        let from = last.max(self.consumed.saturating_sub(1));
        let rest = self.buffer[..self.filled].get(from..)?;
        let newline = rest.iter().position(|byte| *byte == b'\n')?;
        Some(from + newline + 1)
    }

    /// Reads more behind what is not consumed, or notes that the file has ended. False if the
    /// record at hand is too long.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn fill(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
        if self.filled > RECORD_BYTES_MAX {
            return Ok(false);
        }
        // For a record longer than the buffer, twice as much, so that it is not looked at often.
        if self.buffer.len() < 2 * self.filled || self.buffer.is_empty() {
            self.buffer.resize(2 * self.filled.max(CHUNK_BYTES / 2), 0);
        }
        while self.filled < self.buffer.len() {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of the split `from..end` of `text`, which `from` is known to begin a line of.
    fn lines(text: &str, from: usize, end: u64) -> String {
        let mut open = OpenFile::new(Box::new(std::io::Cursor::new(text[from..].to_owned())));
        let (mut position, mut all) = (from as u64, Vec::new());
        loop {
            let (bytes, last) = open.bytes(position, end);
            let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(at) if !last => at + 1,
                None if !last => 0,
                _ => bytes.len(),
            };
            all.extend_from_slice(&bytes[..whole]);
            open.consume(whole);
            position += whole as u64;
            if last {
                return String::from_utf8(all).unwrap();
            }
            assert!(open.fill().unwrap());
        }
    }

    #[test]
    fn a_split_has_the_lines_that_begin_in_it() {
        let text = "ab\ncd\nef";
        for (end, expected) in [(1, "ab\n"), (3, "ab\n"), (4, "ab\ncd\n"), (7, text)] {
            assert_eq!(lines(text, 0, end), expected, "up to {end}");
        }
        assert_eq!(lines(text, 3, u64::MAX), "cd\nef");
        assert_eq!(lines(text, 3, 3), "");
    }

    #[test]
    fn lines_longer_than_the_buffer_come_whole() {
        let mut text = String::new();
        for len in [
            10,
            CHUNK_BYTES - 12,
            3 * CHUNK_BYTES,
            5,
            CHUNK_BYTES / 2 + 1,
            7,
        ] {
            text.push_str(&"x".repeat(len));
            text.push('\n');
        }
        assert_eq!(lines(&text, 0, u64::MAX), text);
        assert_eq!(lines(&text, 11, 12), text[11..CHUNK_BYTES]);
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let mut open = OpenFile::new(Box::new(std::io::repeat(b'x')));
        let mut fills = 0;
        while open.fill().unwrap() {
            fills += 1;
        }
        assert!(open.filled > RECORD_BYTES_MAX && open.buffer.len() <= 4 * RECORD_BYTES_MAX);
        assert!(fills < 20);
    }
}

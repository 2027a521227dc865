//! The entries of a table, in bytes: block by block, so that nobody has to know beforehand how many
//! there are.

use thalweg_core::data::{Data, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::state::{Content, Entries};

use super::envelope::ByteSink;

const ENTRY_BYTES_MIN: usize = 8;
// The last version that has them in one piece.
const ONE_PIECE: u32 = 2;

/// Writes entries. Returns how many.
///
/// # Errors
/// What `out` fails with; what a store fails with that they lie in.
pub(super) fn write(content: &Content<'_>, out: &mut ByteSink<'_>) -> Result<usize> {
    let count = content.write(&mut |block| {
        let bytes = block.as_bytes();
        out(&(block.len() as u32).to_le_bytes())?;
        out(&(bytes.len() as u64).to_le_bytes())?;
        out(bytes)
    })?;
    out(&0u32.to_le_bytes())?;
    Ok(count)
}

/// Takes entries of a version from the head of `input`.
///
/// # Errors
/// `Corrupt` if there are none.
pub(super) fn read(version: u32, input: &mut &[u8]) -> Result<Entries> {
    if version <= ONE_PIECE {
        let count = take_len(input, ENTRY_BYTES_MIN)?;
        return Entries::take(input, count);
    }
    let mut entries = Entries::default();
    loop {
        let count = u32::decode(input)?;
        if count == 0 {
            return Ok(entries);
        }
        let bytes = usize::try_from(u64::decode(input)?).unwrap_or(usize::MAX);
        let mut block = take_bytes(input, bytes)?;
        entries.take_more(&mut block, count as usize)?;
        if !block.is_empty() {
            let left = block.len();
            return Err(Error::corrupt(format!(
                "{left} bytes are left behind a block of entries"
            )));
        }
    }
}

//! What every file has around its body: enough to tell what it is and that all of it is there.
//!
//! INVARIANT: the envelope is the same in every version, so that damage is told from a later one.

use thalweg_core::error::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"THALWEG\0";
const HEAD_BYTES: usize = 8 + 4 + 4 + 8;
const CHECKSUM_BYTES: usize = 8;

/// The version this build writes. It reads all up to it.
pub const VERSION: u32 = 2;

/// What a file's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A checkpoint's metadata.
    Metadata,
    /// The state of an operator instance.
    State,
    /// A layer of one.
    Layer,
}

impl FileKind {
    fn number(self) -> u32 {
        match self {
            FileKind::Metadata => 1,
            FileKind::State => 2,
            FileKind::Layer => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            FileKind::Metadata => "metadata",
            FileKind::State => "state",
            FileKind::Layer => "layer",
        }
    }
}

/// Puts a body into an envelope.
pub fn seal(kind: FileKind, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD_BYTES + body.len() + CHECKSUM_BYTES);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&kind.number().to_le_bytes());
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    file.extend_from_slice(body);
    let checksum = xxh3_64(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

/// Takes the body out of an envelope; says of which version it is.
///
/// # Errors
/// `Corrupt` for a file that is no such file or not whole; `Unsupported` for a later version.
pub fn open(kind: FileKind, file: &[u8]) -> Result<(u32, &[u8])> {
    let what = kind.name();
    let (head, rest) = file
        .split_at_checked(HEAD_BYTES)
        .filter(|(head, _)| head.starts_with(MAGIC))
        .ok_or_else(|| Error::corrupt(format!("this is no {what} file of a checkpoint")))?;
    let (found, version, length) = (word(&head[8..]), word(&head[12..]), long(&head[16..]));
    let expected = usize::try_from(length)
        .ok()
        .and_then(|l| l.checked_add(CHECKSUM_BYTES));
    if expected != Some(rest.len()) {
        return Err(Error::corrupt(format!(
            "this {what} file is not whole: {} bytes, {} expected",
            file.len(),
            length.saturating_add((HEAD_BYTES + CHECKSUM_BYTES) as u64)
        )));
    }
    let (sealed, checksum) = file.split_at(file.len() - CHECKSUM_BYTES);
    if xxh3_64(sealed) != long(checksum) {
        return Err(Error::corrupt(format!(
            "the checksum of this {what} file is wrong"
        )));
    }
    // Only now: a bit that has changed in the version is damage, for which there are older files.
    if version > VERSION || version == 0 {
        let message = format!(
            "this {what} file has format {version}; this version of Thalweg reads up to {VERSION}"
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if found != kind.number() {
        return Err(Error::corrupt(format!(
            "this is no {what} file but another kind ({found})"
        )));
    }
    Ok((version, &sealed[HEAD_BYTES..]))
}

/// The first four bytes as a number; 0 past the end, which callers have ruled out.
fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The first eight bytes as a number; 0 past the end, which callers have ruled out.
fn long(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Makes a file one of another version, whole as before.
#[cfg(test)]
pub(crate) fn set_version(file: &mut [u8], version: u8) {
    file[12] = version;
    let end = file.len() - CHECKSUM_BYTES;
    let checksum = xxh3_64(&file[..end]);
    file[end..].copy_from_slice(&checksum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let file = seal(FileKind::State, b"some state");
        assert_eq!(
            open(FileKind::State, &file).unwrap(),
            (VERSION, b"some state".as_slice())
        );
        for at in 0..file.len() {
            assert!(open(FileKind::State, &file[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut wrong = file.clone();
                wrong[at] ^= 1 << bit;
                let error = open(FileKind::State, &wrong).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit} of byte {at}");
            }
        }
        let mut longer = file.clone();
        longer.push(0);
        assert!(open(FileKind::State, &longer).is_err());
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let file = seal(FileKind::State, b"some state");
        let message = |file: &[u8]| open(FileKind::State, file).unwrap_err().to_string();
        assert_eq!(
            message(b"PK\x03\x04"),
            "this is no state file of a checkpoint"
        );
        assert_eq!(
            message(&file[..30]),
            "this state file is not whole: 30 bytes, 42 expected"
        );
        let mut wrong = file.clone();
        wrong[25] ^= 1;
        assert_eq!(message(&wrong), "the checksum of this state file is wrong");
        assert_eq!(
            message(&seal(FileKind::Metadata, b"")),
            "this is no state file but another kind (1)"
        );
    }

    #[test]
    fn a_later_version_is_refused_and_not_called_damaged() {
        let mut later = seal(FileKind::Metadata, b"");
        set_version(&mut later, 9);
        let error = open(FileKind::Metadata, &later).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "this metadata file has format 9; this version of Thalweg reads up to 2"
        );
    }
}

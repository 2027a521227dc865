//! What every file has around its body: enough to tell what it is and that all of it is there.
//!
//! A file is written from front to back, so its length and its checksum stand at the end. Files of
//! versions 1 and 2 have the length in front of the body.
//!
//! INVARIANT: from version 3 on the envelope is the same, so that damage is told from a later one.

use thalweg_core::error::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const MAGIC: &[u8; 8] = b"THALWEG\0";
const HEAD_BYTES: usize = 8 + 4 + 4;
const LENGTH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;
const AROUND_BYTES: usize = HEAD_BYTES + LENGTH_BYTES + CHECKSUM_BYTES;

/// The version this build writes. It reads all up to it.
pub const VERSION: u32 = 3;

// The last one with the length in front.
const LENGTH_FIRST: u32 = 2;

/// Takes the bytes of a file or of a body, piece by piece.
pub type ByteSink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

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

/// Puts a body into an envelope, piece by piece.
pub struct Sealing {
    hash: Xxh3,
    body_bytes: u64,
}

impl Sealing {
    /// Begins a file.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn begin(kind: FileKind, out: &mut ByteSink<'_>) -> Result<Self> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&kind.number().to_le_bytes());
        head.extend_from_slice(&VERSION.to_le_bytes());
        let mut hash = Xxh3::new();
        hash.update(&head);
        out(&head)?;
        Ok(Sealing {
            hash,
            body_bytes: 0,
        })
    }

    /// Goes on with the body.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn body(&mut self, bytes: &[u8], out: &mut ByteSink<'_>) -> Result<()> {
        self.hash.update(bytes);
        self.body_bytes += bytes.len() as u64;
        out(bytes)
    }

    /// Ends the file. Returns its length.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn end(mut self, out: &mut ByteSink<'_>) -> Result<u64> {
        let length = self.body_bytes.to_le_bytes();
        self.hash.update(&length);
        out(&length)?;
        out(&self.hash.digest().to_le_bytes())?;
        Ok(self.body_bytes + AROUND_BYTES as u64)
    }
}

/// Puts a body into an envelope.
pub fn seal(kind: FileKind, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(AROUND_BYTES + body.len());
    let mut out = |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    let sealed = Sealing::begin(kind, &mut out).and_then(|mut sealing| {
        sealing.body(body, &mut out)?;
        sealing.end(&mut out)
    });
    // INVARIANT: memory takes all.
    debug_assert!(sealed.is_ok());
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
    let (found, version) = (word(&head[8..]), word(&head[12..]));
    let whole = rest.len().checked_sub(LENGTH_BYTES + CHECKSUM_BYTES);
    let Some(body_bytes) = whole else {
        return Err(not_whole(what, file, None));
    };
    let (body, length) = match version {
        ..=LENGTH_FIRST => {
            let (length, rest) = rest.split_at(LENGTH_BYTES);
            (&rest[..body_bytes], length)
        }
        _ => rest.split_at(body_bytes),
    };
    if long(length) != body_bytes as u64 {
        // What a file that was cut has at its end is no length.
        let expected = (version <= LENGTH_FIRST).then(|| long(length));
        return Err(not_whole(what, file, expected));
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
    Ok((version, body))
}

fn not_whole(what: &str, file: &[u8], body_bytes: Option<u64>) -> Error {
    let found = file.len();
    let expected = body_bytes.map(|bytes| bytes.saturating_add(AROUND_BYTES as u64));
    Error::corrupt(match expected {
        Some(expected) => {
            format!("this {what} file is not whole: {found} bytes, {expected} expected")
        }
        None => format!("this {what} file is not whole: {found} bytes, and its end is missing"),
    })
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
            "this state file is not whole: 30 bytes, and its end is missing"
        );
        let mut second = file.clone();
        set_version(&mut second, 2);
        second[16..24].copy_from_slice(&7u64.to_le_bytes());
        assert_eq!(
            message(&second),
            "this state file is not whole: 42 bytes, 39 expected"
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
            "this metadata file has format 9; this version of Thalweg reads up to 3"
        );
    }
}

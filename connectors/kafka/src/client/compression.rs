//! How the records of a batch are compressed.

use std::borrow::Cow;
use std::io::Read;

use thalweg_core::error::{Error, Result};

// A batch that says it is more is taken for damage.
const UNCOMPRESSED_MAX: u64 = 1 << 30;

/// The magic bytes in front of Snappy blocks that Java clients write.
const XERIAL: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEAD: usize = 16;

/// The codec, as its number in a batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// None.
    None,
    /// gzip.
    Gzip,
    /// Snappy, in blocks as Java clients write them, or in one.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    pub(super) fn of(attributes: i16) -> Result<Self> {
        Ok(match attributes & 7 {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            other => {
                return Err(Error::corrupt(format!(
                    "a batch is compressed in an unknown way ({other})"
                )));
            }
        })
    }

    pub(super) fn number(self) -> i16 {
        match self {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        }
    }

    /// The records of a batch as they were.
    pub(super) fn expand(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        let damaged = |what: &str| Error::corrupt(format!("the {what} data of a batch is damaged"));
        Ok(match self {
            Compression::None => Cow::Borrowed(bytes),
            Compression::Gzip => read(flate2::read::GzDecoder::new(bytes))
                .ok_or_else(|| damaged("gzip"))?
                .into(),
            Compression::Snappy => expand_snappy(bytes)
                .ok_or_else(|| damaged("Snappy"))?
                .into(),
            Compression::Lz4 => read(lz4_flex::frame::FrameDecoder::new(bytes))
                .ok_or_else(|| damaged("LZ4"))?
                .into(),
            Compression::Zstd => zstd::stream::read::Decoder::new(bytes)
                .ok()
                .and_then(read)
                .ok_or_else(|| damaged("Zstandard"))?
                .into(),
        })
    }

    /// The records of a batch, made smaller.
    pub(super) fn shrink(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        let cannot = |error| Error::internal("cannot compress a batch").with_source(error);
        Ok(match self {
            Compression::None => Cow::Borrowed(bytes),
            Compression::Gzip => {
                use std::io::Write;
                let out = Vec::new();
                let mut encoder =
                    flate2::write::GzEncoder::new(out, flate2::Compression::default());
                let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
                done.map_err(cannot)?.into()
            }
            Compression::Snappy => snap::raw::Encoder::new()
                .compress_vec(bytes)
                .map_err(|error| cannot(error.into()))?
                .into(),
            Compression::Lz4 => {
                use std::io::Write;
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).map_err(cannot)?;
                let done = encoder.finish();
                done.map_err(|error| cannot(std::io::Error::other(error)))?
                    .into()
            }
            Compression::Zstd => zstd::bulk::compress(bytes, 0).map_err(cannot)?.into(),
        })
    }
}

/// All that a decoder gives; `None` if it fails, or gives too much.
fn read(decoder: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = decoder.take(UNCOMPRESSED_MAX + 1).read_to_end(&mut out);
    (read.ok()? as u64 <= UNCOMPRESSED_MAX).then_some(out)
}

fn expand_snappy(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(XERIAL) {
        return expand_block(bytes);
    }
    let mut rest = bytes.get(XERIAL_HEAD..)?;
    let mut out = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (block, behind) = behind.split_at_checked(length)?;
        out.append(&mut expand_block(block)?);
        rest = behind;
    }
    rest.is_empty().then_some(out)
}

fn expand_block(block: &[u8]) -> Option<Vec<u8>> {
    if snap::raw::decompress_len(block).ok()? as u64 > UNCOMPRESSED_MAX {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(block).ok()
}

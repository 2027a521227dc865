//! A message: how many fields, and each with its length. Numbers are 4 bytes, little-endian.

use std::io::{self, Error, ErrorKind, Read, Write};

// More is no message of ours.
const FIELDS_MAX: u32 = 100_000;
const FIELD_BYTES_MAX: u32 = 1 << 20;

/// Writes a message.
///
/// # Errors
/// What the stream says.
pub fn write(out: &mut impl Write, fields: &[String]) -> io::Result<()> {
    let mut bytes = Vec::new();
    let length = |length: usize| u32::try_from(length).map_err(Error::other);
    bytes.extend(length(fields.len())?.to_le_bytes());
    for field in fields {
        bytes.extend(length(field.len())?.to_le_bytes());
        bytes.extend(field.as_bytes());
    }
    out.write_all(&bytes)?;
    out.flush()
}

/// Reads a message.
///
/// # Errors
/// What the stream says; `InvalidData` if it is no message.
pub fn read(input: &mut impl Read) -> io::Result<Vec<String>> {
    let fields = number(input, FIELDS_MAX)?;
    let mut message = Vec::new();
    for _ in 0..fields {
        let length = number(input, FIELD_BYTES_MAX)?;
        let mut field = Vec::new();
        let read = input.take(u64::from(length)).read_to_end(&mut field)?;
        if read < length as usize {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8(field);
        message.push(text.map_err(|error| Error::new(ErrorKind::InvalidData, error))?);
    }
    Ok(message)
}

fn number(input: &mut impl Read, max: u32) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    match u32::from_le_bytes(bytes) {
        number if number <= max => Ok(number),
        number => Err(Error::new(
            ErrorKind::InvalidData,
            format!("{number} is more than {max}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_as_it_was_sent() {
        let message = ["", "list", "a\nb\tc", "ü"].map(str::to_owned);
        let mut bytes = Vec::new();
        write(&mut bytes, &message).unwrap();
        assert_eq!(read(&mut bytes.as_slice()).unwrap(), message);
        for end in 0..bytes.len() {
            let cut = read(&mut &bytes[..end]).unwrap_err();
            assert_eq!(cut.kind(), ErrorKind::UnexpectedEof, "{end}");
        }
    }

    #[test]
    fn what_is_no_message_takes_no_memory() {
        let error = read(&mut [255; 8].as_slice()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}

//! The numbers in records: zigzag, seven bits a byte.

use thalweg_core::error::{Error, Result};

// 64 bits in groups of seven.
const BYTES_MAX: u32 = 10;

/// Takes a number from the head of `input`.
///
/// # Errors
/// `Corrupt` if there is none.
#[inline]
pub(super) fn take(input: &mut &[u8]) -> Result<i64> {
    // Nearly all lengths and differences are below 64.
    if let [byte, rest @ ..] = *input
        && *byte < 0x80
    {
        *input = rest;
        return Ok(unzigzag(u64::from(*byte)));
    }
    take_long(input)
}

fn take_long(input: &mut &[u8]) -> Result<i64> {
    let mut number = 0u64;
    for at in 0..BYTES_MAX {
        let Some((byte, rest)) = input.split_first() else {
            return Err(Error::corrupt("a record ends inside a number"));
        };
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * at);
        if shifted >> (7 * at) != bits {
            break;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Ok(unzigzag(number));
        }
    }
    Err(Error::corrupt("a number of a record has more than 64 bits"))
}

/// Appends a number.
pub(super) fn put(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(number in prop_oneof![any::<i64>(), -200i64..200]) {
            let mut bytes = Vec::new();
            put(number, &mut bytes);
            let mut input = bytes.as_slice();
            prop_assert_eq!(take(&mut input).unwrap(), number);
            prop_assert!(input.is_empty());
            for end in 0..bytes.len() {
                prop_assert!(take(&mut &bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn a_number_without_end_is_damage() {
        assert!(take(&mut [0xff; 20].as_slice()).is_err());
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(take(&mut largest.as_slice()).unwrap(), i64::MIN);
        let more = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(take(&mut more.as_slice()).is_err());
    }
}

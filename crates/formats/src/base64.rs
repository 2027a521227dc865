//! BYTES as text: base64 with the standard alphabet and padding (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the base64 text of `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= group.len() { letter } else { b'=' });
        }
    }
}

/// Appends the bytes of a base64 `text`, padded or not; false if it is not one.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let text = match text {
        [head @ .., b'=', b'='] if text.len().is_multiple_of(4) => head,
        [head @ .., b'='] if text.len().is_multiple_of(4) => head,
        _ => text,
    };
    for group in text.chunks(4) {
        let mut word = 0u32;
        for letter in group {
            let Some(value) = value_of(*letter) else {
                return false;
            };
            word = word << 6 | value;
        }
        word <<= 6 * (4 - group.len());
        let bytes = word.to_be_bytes();
        match group.len() {
            4 => out.extend_from_slice(&bytes[1..4]),
            3 if word & 0xff == 0 => out.extend_from_slice(&bytes[1..3]),
            2 if word & 0xffff == 0 => out.extend_from_slice(&bytes[1..2]),
            _ => return false,
        }
    }
    true
}

fn value_of(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_hold() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            encode(plain.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for wrong in ["Z", "Zg=", "Z===", "Zh==", "Zg==Zg==", "Zm9v*mFy"] {
            assert!(!decode(wrong.as_bytes(), &mut Vec::new()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let (mut text, mut back) = (Vec::new(), Vec::new());
            encode(&bytes, &mut text);
            prop_assert!(decode(&text, &mut back));
            prop_assert_eq!(back, bytes);
        }
    }
}

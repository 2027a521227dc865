//! The part of a text between two separators.

/// One in each byte.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Where the part with this number is, from 0, among those that a byte separates.
///
/// Parts are often a few bytes long, so that to search separator after separator would begin anew
/// all the time: the separators of eight bytes are found and counted at once.
#[inline]
pub fn field(text: &[u8], separator: u8, index: usize) -> Option<(usize, usize)> {
    let pattern = ONES * u64::from(separator);
    // How many separators are still before the part; the last of them ends where it starts.
    let mut before = index;
    let mut start = (index == 0).then_some(0);
    let (words, rest) = text.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // What is behind the text is no separator.
    let behind = u64::MAX << (8 * rest.len());
    let last = (u64::from_le_bytes(last) ^ pattern) | behind;
    let differences = words.map(|word| word ^ pattern).chain([last]);
    for (at, difference) in differences.enumerate() {
        let mut found = zeros(difference);
        if start.is_none() {
            let count = found.count_ones() as usize;
            if count < before {
                before -= count;
                continue;
            }
            for _ in 1..before {
                found &= found - 1;
            }
            start = Some(place(at, found) + 1);
            found &= found - 1;
        }
        if let Some(start) = start
            && found != 0
        {
            return Some((start, place(at, found)));
        }
    }
    start.map(|start| (start, text.len()))
}

/// The place of the lowest bit in the word with a number, in bytes.
fn place(word: usize, found: u64) -> usize {
    8 * word + found.trailing_zeros() as usize / 8
}

/// The high bit of each byte that is zero, and no other bit.
fn zeros(word: u64) -> u64 {
    const LOW_BITS: u64 = ONES * 0x7f;
    // The sum of a byte's low bits and these reaches the high bit unless all of them are zero, and
    // never the next byte.
    !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(text: &[u8], separator: u8, index: usize) -> Option<&[u8]> {
        text.split(|byte| *byte == separator).nth(index)
    }

    #[test]
    fn every_placement_of_separators_in_a_short_text() {
        for length in 0..=17 {
            for placed in 0..1_u32 << length {
                let text: Vec<u8> = (0..length)
                    .map(|at| if placed >> at & 1 == 1 { b'/' } else { b'.' })
                    .collect();
                let parts: Vec<&[u8]> = text.split(|byte| *byte == b'/').collect();
                for index in [0, 1, parts.len() / 2, parts.len() - 1, parts.len()] {
                    let found = field(&text, b'/', index).map(|(start, end)| &text[start..end]);
                    assert_eq!(found, parts.get(index).copied(), "{text:?} {index}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes(
            text in prop::collection::vec(any::<u8>(), 0..60), separator: u8, at in any::<prop::sample::Index>(),
            index in 0_usize..4
        ) {
            // Most bytes are in no text twice, so one of the text's is a separator that is there.
            let inside = if text.is_empty() { separator } else { text[at.index(text.len())] };
            for separator in [separator, inside, inside ^ 0x80, 0] {
                let found = field(&text, separator, index).map(|(start, end)| &text[start..end]);
                prop_assert_eq!(found, expected(&text, separator, index));
            }
        }
    }
}

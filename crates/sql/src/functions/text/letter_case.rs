//! `LOWER` and `UPPER`.
//!
//! Letters change as Unicode says for texts without a language, in which a text may become longer
//! and a sigma at a word's end is another one: what Rust's `to_lowercase` and Java's with the root
//! locale do.

use arrow_array::{Array, StringViewArray};

use super::column::TextColumn;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterCase {
    /// `LOWER`
    Lower,
    /// `UPPER`
    Upper,
}

impl LetterCase {
    /// The texts in this case.
    pub fn convert(self, texts: &StringViewArray) -> StringViewArray {
        match self {
            LetterCase::Lower => convert(texts, short::<b'A', b'Z'>, str::to_lowercase, |text| {
                text.make_ascii_lowercase();
            }),
            LetterCase::Upper => convert(texts, short::<b'a', b'z'>, str::to_uppercase, |text| {
                text.make_ascii_uppercase();
            }),
        }
    }
}

#[inline]
fn convert(
    texts: &StringViewArray,
    short: impl Fn(u128) -> u128,
    general: impl Fn(&str) -> String,
    ascii: impl Fn(&mut str),
) -> StringViewArray {
    let mut column = TextColumn::with_capacity(texts.len());
    // One text at a time, so that ASCII needs no allocation.
    let mut scratch = String::new();
    for (row, view) in texts.views().iter().enumerate() {
        if texts.is_null(row) {
            column.push_null();
        } else if !column.push_ascii(short(*view)) {
            let text = texts.value(row);
            if text.is_ascii() {
                scratch.clear();
                scratch.push_str(text);
                ascii(&mut scratch);
                column.push(&scratch);
            } else {
                column.push(&general(text));
            }
        }
    }
    column.finish()
}

/// A view of a short text with the ASCII letters from `FIRST` to `LAST` in the other case; all
/// twelve bytes at once.
#[inline]
fn short<const FIRST: u8, const LAST: u8>(view: u128) -> u128 {
    /// One in each byte that the view holds itself.
    const ONES: u128 = 0x0101_0101_0101_0101_0101_0101 << 32;
    let low_bits = view & (ONES * 0x7f);
    // Their high bits say which bytes are at least `FIRST`, and which are behind `LAST`. No sum
    // reaches the next byte.
    let reached = low_bits + ONES * (0x80 - FIRST as u128);
    let passed = low_bits + ONES * (0x80 - LAST as u128 - 1);
    let letters = reached & !passed & !view & (ONES * 0x80);
    view ^ (letters >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_converts(texts: &[Option<String>]) {
        let column = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
        let lower: Vec<_> = texts
            .iter()
            .flatten()
            .map(|text| text.to_lowercase())
            .collect();
        let upper: Vec<_> = texts
            .iter()
            .flatten()
            .map(|text| text.to_uppercase())
            .collect();
        for (case, expected) in [(LetterCase::Lower, lower), (LetterCase::Upper, upper)] {
            let converted = case.convert(&column);
            // Equal arrays may hold different bytes behind short texts.
            let (views, buffers, nulls) = converted.into_parts();
            let converted = StringViewArray::try_new(views, buffers, nulls).unwrap();
            let values: Vec<_> = converted.iter().flatten().map(str::to_owned).collect();
            assert_eq!(values, expected);
            assert_eq!(converted.nulls(), column.nulls());
        }
    }

    #[test]
    fn every_character_has_the_case_that_unicode_gives_it() {
        let alone = ('\0'..=char::MAX).map(|c| Some(c.to_string()));
        assert_converts(&alone.collect::<Vec<_>>());
        let within = ('\0'..=char::MAX).map(|c| Some(format!("Some long Text {c} BEHIND")));
        assert_converts(&within.collect::<Vec<_>>());
    }

    #[test]
    fn letters_that_only_look_like_ascii_become_ascii() {
        let texts = StringViewArray::from_iter_values(["\u{212A}", "\u{130}", "ΟΔΟΣ"]);
        let lower = LetterCase::Lower.convert(&texts);
        assert_eq!(
            lower.iter().flatten().collect::<Vec<_>>(),
            ["k", "i\u{307}", "οδος"]
        );
        let texts = StringViewArray::from_iter_values(["ß", "ﬃ", "ı"]);
        let upper = LetterCase::Upper.convert(&texts);
        assert_eq!(
            upper.iter().flatten().collect::<Vec<_>>(),
            ["SS", "FFI", "I"]
        );
    }

    proptest! {
        #[test]
        fn texts_of_all_lengths_with_nulls(
            texts in prop::collection::vec(prop::option::of("[@A-Z\\[`a-z{ 0-9]{0,14}|\\PC{0,14}"), 0..40)
        ) {
            assert_converts(&texts);
        }
    }
}

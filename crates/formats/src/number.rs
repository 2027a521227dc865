//! Numbers from text: eight digits at a time where that is exact, and by the book otherwise.
//!
//! Integers are most of what a log holds. Their lengths vary, so a loop over digits mispredicts
//! its end; counting the digits of a whole word and shifting the rest away has no branch to miss.

/// The most digits [`digits`] reads: all such numbers fit 63 bits.
const DIGITS_MAX: usize = 18;

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads 1 to 18 decimal digits from `at`; their value and the first byte after them.
///
/// `None` if there is no digit, or more than 18: then the careful path decides.
#[inline(always)]
pub(crate) fn digits(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let Some(word) = word_at(bytes, at) else {
        return digits_one_by_one(bytes, at);
    };
    let (value, count) = leading_digits(word);
    match count {
        0 => None,
        8 => more_digits(bytes, at, value),
        _ => Some((value, at + count)),
    }
}

#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?))
}

/// The value and number (0 to 8) of the decimal digits at the front of eight bytes.
#[inline(always)]
pub(crate) fn leading_digits(word: u64) -> (u64, usize) {
    // A digit becomes 0..=9. Adding 0x76 sets the top bit of any lane above 9, and a carry out of
    // a lane can only spoil lanes behind the first such one, which is all that is asked for.
    let lanes = word ^ 0x3030_3030_3030_3030;
    let wrong = (lanes.wrapping_add(0x7676_7676_7676_7676) | lanes) & 0x8080_8080_8080_8080;
    let count = (wrong.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    (eight_digits(lanes << (64 - 8 * count)), count)
}

/// The value of eight lanes of 0..=9, the first lane the highest digit.
#[inline(always)]
fn eight_digits(lanes: u64) -> u64 {
    let pairs = (lanes.wrapping_mul(10).wrapping_add(lanes >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}

#[inline(always)]
fn more_digits(bytes: &[u8], at: usize, high: u64) -> Option<(u64, usize)> {
    const POWERS: [u64; 9] = [
        1,
        10,
        100,
        1_000,
        10_000,
        100_000,
        1_000_000,
        10_000_000,
        100_000_000,
    ];
    let Some(word) = word_at(bytes, at + 8) else {
        return digits_one_by_one(bytes, at);
    };
    let (low, count) = leading_digits(word);
    if count == 8 {
        return digits_one_by_one(bytes, at);
    }
    Some((high * POWERS.get(count)? + low, at + 8 + count))
}

#[inline(never)]
fn digits_one_by_one(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    let mut end = at;
    while let Some(digit) = bytes
        .get(end)
        .map(|byte| byte.wrapping_sub(b'0'))
        .filter(|d| *d < 10)
    {
        if end - at == DIGITS_MAX {
            return None;
        }
        value = value * 10 + u64::from(digit);
        end += 1;
    }
    (end > at).then_some((value, end))
}

/// An optional minus and 1 to 18 digits from `at`; the value and the first byte after it.
#[inline(always)]
pub(crate) fn integer(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if bytes.get(at) == Some(&b'-') {
        let (value, end) = digits(bytes, at + 1)?;
        return Some((-(value as i64), end));
    }
    let (value, end) = digits(bytes, at)?;
    Some((value as i64, end))
}

/// The whole of `text` as an integer, with the signs and leading zeros Java allows.
pub(crate) fn parse_i64(text: &[u8]) -> Option<i64> {
    if let Some((value, end)) = integer(text, 0)
        && end == text.len()
    {
        return Some(value);
    }
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for byte in digits {
        let digit = i64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Counting downwards, because only the negative side reaches the smallest number.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// The whole of `text` as a double, correctly rounded.
pub(crate) fn parse_f64(text: &[u8]) -> Option<f64> {
    exact_f64(text).or_else(|| named(text)?.parse().ok())
}

/// The whole of `text` as a float, rounded once.
pub(crate) fn parse_f32(text: &[u8]) -> Option<f32> {
    named(text)?.parse().ok()
}

/// A number whose digits and power of ten are both exact doubles needs one rounding only, so one
/// division gives the right answer (Clinger 1990). That is most numbers that people write.
#[inline]
fn exact_f64(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = split_sign(text);
    let (whole, dot) = digits(unsigned, 0)?;
    let value = if dot == unsigned.len() {
        (whole < 1 << 53).then_some(whole as f64)?
    } else if unsigned.get(dot) == Some(&b'.') {
        let (fraction, end) = digits(unsigned, dot + 1)?;
        let places = end - dot - 1;
        if end != unsigned.len() || dot + places > 15 {
            return None;
        }
        let power = EXACT_POWERS.get(places)?;
        ((whole as f64) * power + fraction as f64) / power
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}

/// Rust's own names of special values are wider than Java's `NaN` and `Infinity`.
fn named(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.trim_start_matches(['+', '-']);
    match unsigned.bytes().next() {
        Some(b'0'..=b'9' | b'.') => Some(text),
        _ if unsigned == "NaN" || unsigned == "Infinity" => Some(text),
        _ => None,
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// A decimal number as far as a column of `DECIMAL(precision, scale)` is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// The unscaled value, rounded half up.
    Value(i128),
    /// A number, but with more digits before the point than the column has.
    Overflow,
}

/// The whole of `text` as a decimal of `precision` digits, `scale` of them after the point.
pub(crate) fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<Decimal> {
    let (negative, unsigned) = split_sign(text);
    let (mantissa, exponent) = split_exponent(unsigned)?;
    let point = mantissa
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(mantissa.len());
    let whole = mantissa.get(..point)?;
    let fraction = mantissa.get(point + 1..).unwrap_or_default();
    let all_digits = whole.iter().chain(fraction);
    if whole.len() + fraction.len() == 0 || !all_digits.clone().all(u8::is_ascii_digit) {
        return None;
    }
    // How many of the digits count; the next one rounds.
    let kept = i64::try_from(whole.len()).ok()? + exponent + i64::from(scale);
    let limit = 10i128.checked_pow(u32::from(precision))?;
    let mut value = 0i128;
    let mut place = 0i64;
    for byte in all_digits {
        let digit = i128::from(byte - b'0');
        if place < kept {
            match value
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(digit))
            {
                Some(next) if next < limit => value = next,
                _ => return Some(Decimal::Overflow),
            }
        } else {
            value += i128::from(place == kept && digit >= 5);
            break;
        }
        place += 1;
    }
    while place < kept && value != 0 {
        match value.checked_mul(10) {
            Some(next) if next < limit => value = next,
            _ => return Some(Decimal::Overflow),
        }
        place += 1;
    }
    if value >= limit {
        return Some(Decimal::Overflow);
    }
    Some(Decimal::Value(if negative { -value } else { value }))
}

fn split_exponent(text: &[u8]) -> Option<(&[u8], i64)> {
    let Some(at) = text.iter().position(|byte| matches!(byte, b'e' | b'E')) else {
        return Some((text, 0));
    };
    let exponent = parse_i64(text.get(at + 1..)?)?;
    // Beyond this every digit is cut or the number overflows; the bound keeps sums in range.
    Some((
        text.get(..at)?,
        exponent.clamp(-1_000_000_000, 1_000_000_000),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_integer_is_read_as_written(value: i64, tail in "[,a ]{0,12}") {
            let text = format!("{value}{tail}");
            let end = text.len() - tail.len();
            prop_assert_eq!(parse_i64(&text.as_bytes()[..end]), Some(value));
            if value.unsigned_abs() < 1_000_000_000_000_000_000 {
                prop_assert_eq!(integer(text.as_bytes(), 0), Some((value, end)));
            }
        }

        #[test]
        fn any_double_is_read_as_the_standard_library_reads_it(value: f64, places in 0usize..12) {
            for text in [format!("{value:?}"), format!("{:.places$}", value % 1e9)] {
                if !text.contains("inf") {
                    let expected: f64 = text.parse().expect("a double");
                    let got = parse_f64(text.as_bytes()).expect("a double");
                    prop_assert!(got == expected || got.is_nan() && expected.is_nan());
                }
            }
        }

        #[test]
        fn text_of_any_bytes_never_panics(bytes: Vec<u8>) {
            let _ = (parse_i64(&bytes), parse_f64(&bytes), parse_decimal(&bytes, 38, 10));
        }
    }

    #[test]
    fn integers_keep_the_limits_of_64_bits() {
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"+007"), Some(7));
        for wrong in ["", "-", "+", "1 ", "1x", "--1", "0x1"] {
            assert_eq!(parse_i64(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn doubles_have_javas_special_values_only() {
        assert_eq!(parse_f64(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert!(parse_f64(b"NaN").is_some_and(f64::is_nan));
        assert_eq!(parse_f64(b"inf"), None);
        assert_eq!(parse_f64(b"1.7976931348623157e308"), Some(f64::MAX));
        assert_eq!(parse_f64(b".5"), Some(0.5));
    }

    #[test]
    fn decimals_are_rounded_half_up_to_their_scale() {
        let cases: [(&str, Option<Decimal>); 12] = [
            ("12.345", Some(Decimal::Value(1235))),
            ("12.344", Some(Decimal::Value(1234))),
            ("-0.005", Some(Decimal::Value(-1))),
            ("1e2", Some(Decimal::Value(10000))),
            ("123456e-4", Some(Decimal::Value(1235))),
            ("999.994", Some(Decimal::Value(99999))),
            ("999.995", Some(Decimal::Overflow)),
            ("1000", Some(Decimal::Overflow)),
            ("0.0049", Some(Decimal::Value(0))),
            ("0000999.1", Some(Decimal::Value(99910))),
            ("1.2.3", None),
            (".", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_decimal(text.as_bytes(), 5, 2), expected, "{text}");
        }
        assert_eq!(parse_decimal(b"9e-40", 5, 2), Some(Decimal::Value(0)));
        assert_eq!(
            parse_decimal(b"0e999999999999", 5, 2),
            Some(Decimal::Value(0))
        );
    }
}

//! Values of persons.

use super::bid::FIRST_ID;
use super::rows::Event;
use super::text::{self, Pool};
use crate::random::{below, mix};

/// Bytes of a row, about, and those of its number.
const SIZES: (u64, u64) = (200, 8);
/// The length of a credit card's number.
pub const CARD_LEN: usize = 19;

/// `id`
#[inline(always)]
pub fn id(event: Event<'_>) -> i64 {
    (FIRST_ID + event.person()) as i64
}

/// The lengths of the two parts of an address: 3 to 6, and 3 or 4.
fn address_parts(bits: u64) -> (usize, usize) {
    (3 + (bits & 3) as usize, 3 + (bits >> 2 & 1) as usize)
}

/// The length of `emailAddress`.
pub fn address_len(bits: u64) -> u64 {
    let (user, host) = address_parts(bits);
    (user + host + "@.com".len()) as u64
}

/// Appends an `emailAddress`.
pub fn address(bits: u64, pool: &Pool, out: &mut Vec<u8>) {
    let (user, host) = address_parts(bits);
    out.extend_from_slice(pool.letters(bits, user));
    out.push(b'@');
    out.extend_from_slice(pool.letters(mix(bits), host));
    out.extend_from_slice(b".com");
}

/// Appends a `creditCard`: four groups of four digits.
pub fn card(bits: u64, out: &mut Vec<u8>) {
    let mut number = below(bits, 10_000_000_000_000_000);
    let mut digits = [b' '; CARD_LEN];
    for (at, digit) in digits.iter_mut().enumerate() {
        if at % 5 != 4 {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    out.extend_from_slice(&digits);
}

/// The length of `extra` beside other texts of so many bytes.
pub fn extra_len(bits: u64, texts: u64) -> u64 {
    text::padding(bits, SIZES.1 + texts, SIZES.0)
}

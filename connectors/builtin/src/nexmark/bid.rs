//! Values of bids, and the choices that auctions share with them.
//!
//! Half of the bids are for the latest of every hundred auctions, three quarters by one of every
//! hundred persons; the others are spread over what is recent, and a little ahead of it.

use std::ops::Range;

use super::rows::Event;
use super::text::{self, CHANNELS};
use crate::random::{below, unit};

/// The least id of persons and auctions.
pub const FIRST_ID: u64 = 1000;
/// One of so many persons or auctions is popular.
pub const HOT_EVERY: u64 = 100;
const ACTIVE_PERSONS: u64 = 1000;
const PERSONS_AHEAD: u64 = 10;
/// Auctions that are open at a time, about.
pub const AUCTIONS_OPEN: u64 = 100;
const AUCTIONS_AHEAD: u64 = 10;
/// Bytes of a row, about, and those of its columns but `extra`.
const SIZES: (u64, u64) = (100, 32);

/// `auction`
#[inline(always)]
pub fn auction(bits: u64, event: Event<'_>) -> i64 {
    let latest = event.auction();
    let hot = latest / HOT_EVERY * HOT_EVERY;
    let oldest = latest.saturating_sub(AUCTIONS_OPEN);
    let recent = oldest + below(bits, latest - oldest + 1 + AUCTIONS_AHEAD);
    let chosen = if bits & 1 == 1 { hot } else { recent };
    (FIRST_ID + chosen) as i64
}

/// `bidder`
#[inline(always)]
pub fn bidder(bits: u64, event: Event<'_>) -> i64 {
    let hot = event.person() / HOT_EVERY * HOT_EVERY + 1;
    let recent = recent_person(bits, event);
    let chosen = if bits & 3 != 0 { hot } else { recent };
    (FIRST_ID + chosen) as i64
}

/// A person of the last thousand, or one about to register.
#[inline(always)]
pub fn recent_person(bits: u64, event: Event<'_>) -> u64 {
    let persons = event.person() + 1;
    let active = persons.min(ACTIVE_PERSONS);
    persons - active + below(bits, active + PERSONS_AHEAD)
}

/// The place of a channel in its tables: half of the bids come through the popular ones.
#[inline(always)]
pub fn channel(bits: u64) -> u64 {
    let hot = text::hot_channels();
    let bounds: Range<u64> = if bits & 1 == 1 {
        0..hot
    } else {
        hot..hot + CHANNELS
    };
    bounds.start + below(bits, bounds.end - bounds.start)
}

/// The length of `extra`.
#[inline(always)]
pub fn extra_len(bits: u64) -> u64 {
    text::padding(bits, SIZES.1, SIZES.0)
}

const FRACTIONS: usize = 1 << 10;

/// Prices from 1.00 to 1,000,000.00 in cents, as many between 1 and 10 as between 10 and 100.
///
/// Powers come from a table of roots of 2, made by square roots alone, and two terms of a series:
/// the same on all machines, and faster than a general power.
pub struct Prices {
    /// 2 to the power of i / 1024.
    roots: Box<[f64; FRACTIONS]>,
}

impl Prices {
    /// Makes the table.
    pub fn new() -> Self {
        let mut roots = Box::new([1.0; FRACTIONS]);
        let (mut root, mut step) = (2.0f64, FRACTIONS);
        while step > 1 {
            root = root.sqrt();
            step /= 2;
            for at in (step..FRACTIONS).filter(|at| at & step != 0) {
                roots[at] *= root;
            }
        }
        Prices { roots }
    }

    /// The price that random bits choose.
    #[inline(always)]
    pub fn price(&self, bits: u64) -> i64 {
        const OCTAVES: f64 = 6.0 * std::f64::consts::LOG2_10;
        let scaled = unit(bits) * (OCTAVES * FRACTIONS as f64);
        let whole = scaled as u64;
        let rest = (scaled - whole as f64) * (std::f64::consts::LN_2 / FRACTIONS as f64);
        let octave = f64::from_bits((1023 + whole / FRACTIONS as u64) << 52);
        let root = self.roots[whole as usize % FRACTIONS];
        (100.0 * octave * root * (1.0 + rest + rest * rest * 0.5) + 0.5) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    #[test]
    fn prices_are_the_powers_of_ten_that_they_stand_for() {
        let prices = Prices::new();
        for n in 0..100_000 {
            let bits = mix(n);
            let exact = (100.0 * 10f64.powf(6.0 * unit(bits))).round() as i64;
            assert!(prices.price(bits).abs_diff(exact) <= 1, "{exact}");
        }
        assert_eq!(prices.price(0), 100);
        assert_eq!(prices.price(u64::MAX), 100_000_000);
    }
}

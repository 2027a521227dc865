//! Values of auctions.

use super::bid::{AUCTIONS_OPEN, FIRST_ID, HOT_EVERY, recent_person};
use super::rows::{Event, Mix};
use super::schedule::Schedule;
use super::text;
use crate::random::below;

const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;
/// Bytes of a row, about, and those of its columns of numbers.
const SIZES: (u64, u64) = (500, 48);
const NAME_LEN: (u64, u64) = (3, 20);
const DESCRIPTION_LEN: (u64, u64) = (3, 100);

/// `id`
#[inline(always)]
pub fn id(event: Event<'_>) -> i64 {
    (FIRST_ID + event.auction()) as i64
}

/// `seller`: three quarters of the auctions are by one of every hundred persons.
#[inline(always)]
pub fn seller(bits: u64, event: Event<'_>) -> i64 {
    let hot = event.person() / HOT_EVERY * HOT_EVERY;
    let recent = recent_person(bits, event);
    let chosen = if bits & 3 != 0 { hot } else { recent };
    (FIRST_ID + chosen) as i64
}

/// `category`
#[inline(always)]
pub fn category(bits: u64) -> i64 {
    (FIRST_CATEGORY + below(bits, CATEGORIES)) as i64
}

/// `expires`: on average when as many auctions have opened as are open at a time.
#[inline(always)]
pub fn expires(bits: u64, event: Event<'_>, mix: &Mix, schedule: &Schedule) -> i64 {
    let events = AUCTIONS_OPEN * mix.total() / mix.auctions.max(1);
    let then = schedule.time(event.number().saturating_add(events));
    let horizon = then.saturating_sub(event.time()).max(0).unsigned_abs();
    let length = 1 + below(bits, (horizon * 2).max(1));
    event.time().wrapping_add(length as i64)
}

/// The length of `itemName`.
#[inline(always)]
pub fn name_len(bits: u64) -> u64 {
    NAME_LEN.0 + below(bits << 32, NAME_LEN.1 - NAME_LEN.0)
}

/// The length of `description`.
#[inline(always)]
pub fn description_len(bits: u64) -> u64 {
    DESCRIPTION_LEN.0 + below(bits << 32, DESCRIPTION_LEN.1 - DESCRIPTION_LEN.0)
}

/// The length of `extra` beside a name and a description of these lengths.
#[inline(always)]
pub fn extra_len(bits: u64, name: u64, description: u64) -> u64 {
    text::padding(bits, SIZES.1 + name + description, SIZES.0)
}

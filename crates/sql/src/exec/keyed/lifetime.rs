//! When what stands under a number was updated, and whether its time is over.

use std::time::Duration;

use thalweg_columnar::Pages;
use thalweg_core::time::ProcessingTime;

// No times at which something could have been updated: nothing is there; it is not known when.
const NOTHING: i64 = i64::MAX;
const RESTORED: i64 = i64::MAX - 1;

/// Numbers examined for each access to one, as in Flink.
const EXAMINED_PER_ACCESS: i64 = 5;
/// Numbers examined at a barrier, which waits for it: about a millisecond.
const EXAMINED_AT_BARRIER_MAX: i64 = 1 << 16;

/// What is expired is so from the moment at which its time to live has passed, whether it has been
/// cleaned up or not.
pub struct Lifetime {
    ttl_ms: i64,
    updated: Pages<i64>,
    // The next number to examine, and how many more may be.
    next: usize,
    credit: i64,
}

impl Lifetime {
    /// No numbers; `None` for a time to live of 0, which is for ever.
    pub fn new(ttl: Duration) -> Option<Self> {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        (ttl_ms > 0).then_some(Lifetime {
            ttl_ms,
            updated: Pages::new(),
            next: 0,
            credit: 0,
        })
    }

    fn until(&self, now: ProcessingTime) -> i64 {
        now.millis().saturating_sub(self.ttl_ms)
    }

    /// Makes room for the numbers below `bound`, with nothing under new ones.
    pub fn grow(&mut self, bound: usize) {
        self.updated.grow(bound, NOTHING);
    }

    /// The same with something new under them.
    pub fn grow_updated(&mut self, bound: usize, now: ProcessingTime) {
        self.updated.grow(bound, now.millis());
    }

    /// What was restored without a time lives from now on.
    pub fn begin(&mut self, now: ProcessingTime) {
        for number in 0..self.updated.len() as u32 {
            if *self.updated.get(number) == RESTORED {
                *self.updated.get_mut(number) = now.millis();
            }
        }
    }

    /// Something was written under a number.
    pub fn touch(&mut self, number: u32, now: ProcessingTime) {
        *self.updated.get_mut(number) = now.millis();
    }

    /// Nothing is under a number any more.
    pub fn clear(&mut self, number: u32) {
        *self.updated.get_mut(number) = NOTHING;
    }

    /// Something was restored, with the time of its last update if that was stored.
    pub fn restore(&mut self, number: u32, updated_ms: Option<i64>) {
        *self.updated.get_mut(number) = updated_ms.unwrap_or(RESTORED);
    }

    /// Whether the time of what is under a number is over.
    pub fn is_expired(&self, number: u32, now: ProcessingTime) -> bool {
        *self.updated.get(number) <= self.until(now)
    }

    /// Numbers whose times are those that other numbers had.
    pub fn take_over(&mut self, other: &Lifetime, numbers: &[u32]) {
        for (new, old) in (0..).zip(numbers) {
            *self.updated.get_mut(new) = *other.updated.get(*old);
        }
    }

    /// Lets some numbers be examined: as many as so many accesses pay for, or as a barrier does.
    pub fn pay(&mut self, accesses: Option<usize>) {
        self.credit += match accesses {
            Some(accesses) => EXAMINED_PER_ACCESS.saturating_mul(accesses as i64),
            None => EXAMINED_AT_BARRIER_MAX,
        };
    }

    /// Examines further numbers, as many as are paid for and each once at most. Returns the next whose
    /// time is over: each time again, until it is cleared.
    pub fn next_expired(&mut self, now: ProcessingTime) -> Option<u32> {
        let (until, bound) = (self.until(now), self.updated.len());
        self.credit = self.credit.min(bound as i64);
        while self.credit > 0 {
            self.credit -= 1;
            let number = if self.next < bound { self.next } else { 0 };
            self.next = number + 1;
            if *self.updated.get(number as u32) <= until {
                return Some(number as u32);
            }
        }
        None
    }

    /// The times as they are now, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self, now: ProcessingTime) -> SharedLifetime {
        SharedLifetime {
            until_ms: self.until(now),
            updated: self.updated.share(),
        }
    }
}

/// The times at one moment, to be written on another thread.
pub struct SharedLifetime {
    updated: Pages<i64>,
    until_ms: i64,
}

impl SharedLifetime {
    /// When something was written under a number, if that is known.
    pub fn updated(&self, number: u32) -> Option<i64> {
        Some(*self.updated.get(number)).filter(|updated| *updated < RESTORED)
    }

    /// Whether the time of what is under a number is over: it is not written.
    pub fn is_expired(&self, number: u32) -> bool {
        *self.updated.get(number) <= self.until_ms
    }
}

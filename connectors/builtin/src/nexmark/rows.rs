//! Which events a batch holds, and what their values hang on: number, time, and how many persons
//! and auctions there have been.

use std::ops::Range;

use super::schedule::Schedule;
use super::shape::Entity;

/// How many of each type a round of events has; persons come first, then auctions, then bids.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Persons.
    pub persons: u64,
    /// Auctions.
    pub auctions: u64,
    /// Bids.
    pub bids: u64,
}

impl Mix {
    /// Events of a round.
    pub fn total(&self) -> u64 {
        self.persons + self.auctions + self.bids
    }

    /// Where in a round the events of an entity are.
    pub fn offsets(&self, entity: Entity) -> Range<u64> {
        let auctions = self.persons + self.auctions;
        match entity {
            Entity::Person => 0..self.persons,
            Entity::Auction => self.persons..auctions,
            Entity::Bid => auctions..self.total(),
        }
    }
}

/// Some events, a column each of what their values hang on.
#[derive(Debug, Default)]
pub struct Rows {
    /// The events' numbers.
    numbers: Vec<u64>,
    /// The latest person's number, 0 if there is none yet.
    persons: Vec<u64>,
    /// The latest auction's number, 0 if there is none yet.
    auctions: Vec<u64>,
    /// Event times in ms.
    times: Vec<i64>,
    /// Places in the round, for telling types apart.
    offsets: Vec<u64>,
}

/// One event of some.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    rows: &'a Rows,
    at: usize,
}

impl Event<'_> {
    /// Its number.
    #[inline(always)]
    pub fn number(self) -> u64 {
        self.rows.numbers[self.at]
    }

    /// The latest person's number.
    #[inline(always)]
    pub fn person(self) -> u64 {
        self.rows.persons[self.at]
    }

    /// The latest auction's number.
    #[inline(always)]
    pub fn auction(self) -> u64 {
        self.rows.auctions[self.at]
    }

    /// Its time.
    #[inline(always)]
    pub fn time(self) -> i64 {
        self.rows.times[self.at]
    }
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.persons.clear();
        self.auctions.clear();
        self.times.clear();
        self.offsets.clear();
    }

    /// Which rows are of an entity.
    pub fn of(&self, mix: &Mix, entity: Entity) -> Vec<u32> {
        let wanted = mix.offsets(entity);
        let of = |(_, offset): &(u32, &u64)| wanted.contains(offset);
        (0..)
            .zip(&self.offsets)
            .filter(of)
            .map(|(at, _)| at)
            .collect()
    }

    /// The place of each row in its round.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// Appends those of the `events` that are at `wanted` places of their rounds, until there are
    /// `rows_max` rows. Returns how far it came.
    pub fn extend(
        &mut self,
        mix: &Mix,
        schedule: &Schedule,
        wanted: &Range<u64>,
        events: Range<u64>,
        rows_max: usize,
    ) -> u64 {
        let total = mix.total();
        let (mut round, mut offset) = (events.start / total, events.start % total);
        loop {
            let room = rows_max.saturating_sub(self.len()) as u64;
            let from = offset.max(wanted.start);
            // Events may be numbered up to the largest number, so sums may overflow.
            let first = round.checked_mul(total).and_then(|n| n.checked_add(from));
            let Some(first) = first.filter(|first| *first < events.end) else {
                return events.end;
            };
            if room == 0 {
                return first;
            }
            let run = wanted.end.saturating_sub(from);
            let run = run.min(events.end - first).min(room);
            self.push_run(mix, round, from, run);
            schedule.times(first, run, &mut self.times);
            if from + run < wanted.end {
                return first + run;
            }
            round += 1;
            offset = 0;
        }
    }

    fn push_run(&mut self, mix: &Mix, round: u64, from: u64, count: u64) {
        let first = round * mix.total() + from;
        let offsets = from..from + count;
        self.numbers.extend(first..first + count);
        let persons = round * mix.persons;
        self.persons.extend(
            offsets
                .clone()
                .map(|offset| (persons + (offset + 1).min(mix.persons)).saturating_sub(1)),
        );
        let auctions = round * mix.auctions;
        self.auctions.extend(offsets.clone().map(|offset| {
            let made = (offset + 1).saturating_sub(mix.persons).min(mix.auctions);
            (auctions + made).saturating_sub(1)
        }));
        self.offsets.extend(offsets);
    }
}

/// Rows that get values, among the rows of a batch.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    rows: &'a Rows,
    at: Option<&'a [u32]>,
}

impl<'a> Selection<'a> {
    /// All of them.
    pub fn all(rows: &'a Rows) -> Self {
        Selection { rows, at: None }
    }

    /// Those at the given places; the others get a default.
    pub fn some(rows: &'a Rows, at: &'a [u32]) -> Self {
        Selection { rows, at: Some(at) }
    }

    /// A column of values, as long as the batch.
    #[inline(always)]
    pub fn values<T: Copy + Default>(&self, mut value: impl FnMut(Event<'a>) -> T) -> Vec<T> {
        let rows = self.rows;
        match self.at {
            None => (0..rows.len())
                .map(|at| value(Event { rows, at }))
                .collect(),
            Some(places) => {
                let mut values = vec![T::default(); rows.len()];
                for at in places.iter().map(|at| *at as usize) {
                    values[at] = value(Event { rows, at });
                }
                values
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix = Mix {
        persons: 1,
        auctions: 3,
        bids: 46,
    };
    const SCHEDULE: Schedule = Schedule {
        base_ms: 0,
        first_rate: 1000,
        next_rate: 1000,
    };

    #[test]
    fn the_events_of_an_entity_are_found_from_anywhere_and_in_any_portions() {
        for entity in [Entity::Person, Entity::Auction, Entity::Bid] {
            let wanted = MIX.offsets(entity);
            let expected: Vec<u64> = (7..1234).filter(|n| wanted.contains(&(n % 50))).collect();
            for rows_max in [1, 3, 10_000] {
                let (mut found, mut next) = (Vec::new(), 7);
                while next < 1234 {
                    let mut rows = Rows::default();
                    next = rows.extend(&MIX, &SCHEDULE, &wanted, next..1234, rows_max);
                    assert!(rows.len() <= rows_max);
                    assert_eq!(rows.times.len(), rows.len());
                    found.extend(rows.numbers);
                }
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn the_latest_person_and_auction_are_counted_over_all_events() {
        let mut rows = Rows::default();
        rows.extend(&MIX, &SCHEDULE, &(0..50), 0..60, 100);
        assert_eq!(rows.persons[..50], [0; 50]);
        assert_eq!(rows.persons[50..], [1; 10]);
        assert_eq!(rows.auctions[..5], [0, 0, 1, 2, 2]);
        assert_eq!(rows.auctions[49..55], [2, 2, 3, 4, 5, 5]);
    }

    #[test]
    fn the_last_numbers_do_not_overflow() {
        let mut rows = Rows::default();
        let events = u64::MAX - 40..u64::MAX;
        let end = rows.extend(&MIX, &SCHEDULE, &(0..50), events, 100);
        assert_eq!((end, rows.len()), (u64::MAX, 40));
    }
}

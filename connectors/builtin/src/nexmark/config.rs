//! The options of a table.

use std::str::FromStr;

use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

use super::rows::Mix;
use super::schedule::Schedule;
use super::shape::Entity;
use crate::options::{parsed, wrong};

/// The most that an option for a rate or a proportion takes, so that sums and products fit.
const NUMBER_MAX: u64 = 1_000_000_000;

/// What a table's options say.
#[derive(Clone, Debug)]
pub struct Config {
    /// Only these events, flat; all events if there is none.
    pub entity: Option<Entity>,
    /// How many events; `None` for no end.
    pub events: Option<u64>,
    /// Which run.
    pub seed: u64,
    /// When event n happens.
    pub schedule: Schedule,
    /// What event n is.
    pub mix: Mix,
    /// The limit of processing time.
    pub rows_per_second: Option<u64>,
    /// Whether all batches are made when the source opens.
    pub preload: bool,
}

impl Config {
    /// Reads the options.
    ///
    /// # Errors
    /// `User`, naming the option.
    pub fn new(table: &TableSpec) -> Result<Self> {
        let first_rate = number(table, "first-event.rate", 1)?.unwrap_or(10_000);
        let next_rate = number(table, "next-event.rate", 1)?.unwrap_or(first_rate);
        let base_time = parsed(table, "base-time", "a time in ms since the epoch")?;
        let config = Config {
            entity: entity(table)?,
            events: parsed(table, "events.num", "a number of events")?,
            seed: parsed(table, "seed", "a whole number that is not negative")?.unwrap_or(1),
            schedule: Schedule {
                base_ms: base_time.unwrap_or(1_700_000_000_000),
                first_rate,
                next_rate,
            },
            mix: Mix {
                persons: number(table, "person.proportion", 0)?.unwrap_or(1),
                auctions: number(table, "auction.proportion", 0)?.unwrap_or(3),
                bids: number(table, "bid.proportion", 0)?.unwrap_or(46),
            },
            rows_per_second: number(table, "rows-per-second", 1)?,
            preload: parsed(table, "preload", "true or false")?.unwrap_or(false),
        };
        config.check(table)?;
        Ok(config)
    }

    fn check(&self, table: &TableSpec) -> Result<()> {
        let made = match self.entity {
            Some(entity) => self.mix.offsets(entity),
            None => 0..self.mix.total(),
        };
        let problem = if made.is_empty() {
            "the proportions leave no event to make"
        } else if self.preload && self.events.is_none() {
            "option `preload` needs option `events.num`"
        } else if self.preload && self.rows_per_second.is_some() {
            "options `preload` and `rows-per-second` exclude each other"
        } else {
            return Ok(());
        };
        Err(Error::user(format!("table `{}`: {problem}", table.name)))
    }
}

fn number(table: &TableSpec, key: &str, min: u64) -> Result<Option<u64>> {
    let what = format!("a whole number between {min} and {NUMBER_MAX}");
    let value: Option<u64> = parsed(table, key, &what)?;
    match value {
        Some(value) if value < min || value > NUMBER_MAX => {
            Err(wrong(table, key, &value.to_string(), &what))
        }
        _ => Ok(value),
    }
}

fn entity(table: &TableSpec) -> Result<Option<Entity>> {
    parsed(table, "entity", "`person`, `auction` or `bid`")
}

impl FromStr for Entity {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let all = [Entity::Person, Entity::Auction, Entity::Bid];
        all.into_iter()
            .find(|entity| entity.name() == text)
            .ok_or(())
    }
}

//! `nexmark`: the auction house of the Nexmark benchmark, made on the spot.
//!
//! Event `n` is a function of `seed` and `n` alone, so a shorter run is the beginning of a longer
//! one, and neither the parallelism nor the columns that a query reads change a value. The event's
//! time is a function of `n` and the two rates: the rates are those of event time, and events are
//! made as fast as they are read unless `rows-per-second` is set.
//!
//! ```text
//!   n mod 50:  0       1 2 3      4 … 49         with the proportions 1 : 3 : 46
//!              person  auctions   bids
//! ```
//!
//! A table has one of two shapes:
//!
//! - all events: any of the columns `event_type INT` (0 person, 1 auction, 2 bid) and `person`,
//!   `auction`, `bid`, each a `ROW`; those of the other types are NULL;
//! - with `'entity' = 'bid'` (or `person`, `auction`) the fields of that row as columns, and only
//!   the events of that type, with the numbers and times they have among all events.
//!
//! Columns and fields are found by name and may be left out. If the two rates differ, event time
//! runs 300 s at the first and 300 s at the next rate, in turn.
//!
//! With `preload` an instance makes all its batches when it opens, before any record flows, keeps
//! them in memory until the job ends, and only hands them out when polled: for measuring queries
//! without the cost of making their input. A row of `bid` takes about 80 bytes.

mod auction;
mod bid;
mod config;
mod generator;
mod person;
mod rows;
mod schedule;
mod shape;
mod source;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::source::SourceFactory;

use crate::options::option;

const OPTIONS: &[ConnectorOption] = &[
    option(
        "entity",
        "person, auction or bid: only these, as flat rows.",
        "",
    ),
    option(
        "events.num",
        "How many events there are, of all types. Without it they do not end.",
        "",
    ),
    option("seed", "Which of the possible runs.", "1"),
    option(
        "first-event.rate",
        "Events a second of event time.",
        "10000",
    ),
    option(
        "next-event.rate",
        "Events a second of event time in every other 300 s.",
        "that of first-event.rate",
    ),
    option("person.proportion", "Persons of each round of events.", "1"),
    option(
        "auction.proportion",
        "Auctions of each round of events.",
        "3",
    ),
    option("bid.proportion", "Bids of each round of events.", "46"),
    option(
        "base-time",
        "The time of event 0, in ms since the epoch.",
        "1700000000000",
    ),
    option(
        "rows-per-second",
        "Rows a second of processing time, of all instances together. Without it: no limit.",
        "",
    ),
    option(
        "preload",
        "Whether to make all rows before the first is handed out, and keep them in memory.",
        "false",
    ),
];

/// The connector.
pub struct Nexmark;

impl TableConnector for Nexmark {
    fn identifier(&self) -> &'static str {
        "nexmark"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        OPTIONS
    }

    fn prunes_fields(&self, _: &TableSpec) -> bool {
        true
    }

    fn source(&self, table: &TableSpec, scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        Ok(Arc::new(source::NexmarkSource::new(table, scan)?))
    }
}

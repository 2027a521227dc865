//! Hourly departures and mean delay of each New York airport in January 2013: the DataStream form
//! of `examples/flights/hourly.sql`.
//!
//!     cargo run --package thalweg-examples --bin flights

use std::io::{BufRead, BufReader};

use flate2::read::GzDecoder;
use thalweg::dataflow::window::TumblingEventTimeWindows;
use thalweg::prelude::*;

/// A departure as the log has it.
#[derive(Clone, Debug, Data)]
#[data(crate = "thalweg::core")]
struct Departure {
    origin: String,
    /// Milliseconds since 1970, UTC.
    scheduled: i64,
    /// Minutes; cancelled flights have none.
    delay: Option<i64>,
}

/// Counts departures and sums their delays.
#[derive(Clone)]
struct MeanDelay;

impl AggregateFunction for MeanDelay {
    type Input = Departure;
    type Accumulator = (String, u64, i64);
    type Output = (String, u64, f64);

    fn create_accumulator(&self) -> Self::Accumulator {
        (String::new(), 0, 0)
    }

    fn add(&self, sums: &mut Self::Accumulator, flight: Departure) {
        sums.0 = flight.origin;
        if let Some(delay) = flight.delay {
            sums.1 += 1;
            sums.2 += delay;
        }
    }

    fn result(&self, sums: &Self::Accumulator) -> Self::Output {
        (sums.0.clone(), sums.1, sums.2 as f64 / sums.1.max(1) as f64)
    }

    fn merge(&self, a: Self::Accumulator, b: Self::Accumulator) -> Self::Accumulator {
        (a.0, a.1 + b.1, a.2 + b.2)
    }
}

fn main() -> Result<()> {
    let env = StreamExecutionEnvironment::new();
    let hourly = env
        .from_collection(departures()?)
        .assign_timestamps_and_watermarks(
            WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(22 * 3600))
                .with_timestamp_assigner(|flight: &Departure| flight.scheduled),
        )
        .key_by(|flight| flight.origin.clone())
        .window(TumblingEventTimeWindows::of(Duration::from_secs(3600)))
        .aggregate(MeanDelay)
        .execute_and_collect_records()?;
    for record in hourly.iter().take(10) {
        let (origin, departures, mean) = &record.value;
        let hour = (record.time.millis() / 3_600_000) % 24;
        println!("{origin} {hour:02}h UTC: {departures} departures, mean delay {mean:.1} min");
    }
    println!("… {} rows", hourly.len());
    Ok(())
}

/// The log of January, in the order in which the flights left.
fn departures() -> Result<Vec<Departure>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/data/flights/flights-2013-01.csv.gz"
    );
    let lines = BufReader::new(GzDecoder::new(std::fs::File::open(path)?)).lines();
    let mut flights = Vec::new();
    for line in lines.skip(1) {
        let line = line?;
        let fields: Vec<&str> = line.split(',').collect();
        let [year, month, day] = [0, 1, 2].map(|i| fields[i].parse::<i64>().unwrap_or(0));
        let minute: i64 = fields[17].parse().unwrap_or(0);
        // `time_hour` is the scheduled hour in UTC: 2013-01-01T10:00:00Z.
        let hour: i64 = fields[18][11..13].parse().unwrap_or(0);
        let utc_day: i64 = fields[18][8..10].parse().unwrap_or(day);
        let utc_month: i64 = fields[18][5..7].parse().unwrap_or(month);
        let days = days_since_1970(year, utc_month, utc_day);
        flights.push(Departure {
            origin: fields[12].to_owned(),
            scheduled: ((days * 24 + hour) * 60 + minute) * 60_000,
            delay: fields[5].parse().ok(),
        });
    }
    Ok(flights)
}

/// Days from 1970-01-01 of a date of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 {
        (year - 1, month + 12)
    } else {
        (year, month)
    };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day - 719_469
}

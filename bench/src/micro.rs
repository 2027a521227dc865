//! Small jobs that show what one part of the engine costs.
//!
//!     cargo run --release --package thalweg-bench --bin micro -- --records 20000000
//!
//! - `hop`: batches of numbers from one thread to another through the runtime's channels; each
//!   batch is allocated and filled by the one and summed and freed by the other.
//! - `round_trip`: one element to the other thread and one back, both threads asleep in between.
//! - `count`: DataStream; a generator, `key_by`, a running count that emits every change.
//! - `window_count`: DataStream; a generator, `key_by`, a count each 10 s of event time.
//!
//! One line each: name, parameter, records, wall seconds, CPU seconds, million records a second.
#![allow(clippy::disallowed_methods)] // A benchmark makes its own threads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use thalweg::core::container::downcast;
use thalweg::core::element::StreamElement;
use thalweg::core::rows::Rows;
use thalweg::core::watermark::Watermark;
use thalweg::dataflow::window::TumblingEventTimeWindows;
use thalweg::prelude::*;
use thalweg::runtime::exchange::{Parker, Receiver, Sender, channel};
use thalweg_bench::arguments::Arguments;
use thalweg_bench::discard::Discard;
use thalweg_bench::measure::{Moment, Span, median};

/// As many batches as the engine's channels hold.
const CHANNEL_BATCHES: usize = 16;
/// Records of one second of event time, as in the Nexmark runs.
const RECORDS_PER_SECOND: u64 = 100_000;

struct Options {
    records: u64,
    keys: u64,
    repetitions: usize,
    only: Vec<String>,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::of_process();
    let options = Options {
        records: arguments.value("--records", 20_000_000)?,
        keys: arguments.value("--keys", 100_000)?.max(1),
        repetitions: arguments.value("--repetitions", 3)?,
        only: arguments.list("--only")?,
    };
    arguments.finish()?;
    println!("name\tparameter\trecords\twall_s\tcpu_s\tmillion_records_per_s");
    for batch in [1, 64, 1024, 4096] {
        // Small batches are slow: fewer records take as long.
        let records = options
            .records
            .min(options.records / 16 * (batch as u64 + 1));
        let run = || hop(records, batch);
        line(&options, "hop", &format!("batch={batch}"), records, run)?;
    }
    let trips = (options.records / 200).max(1);
    line(&options, "round_trip", "-", trips, || round_trip(trips))?;
    for parallelism in [1, 2] {
        let parameter = format!("parallelism={parallelism}");
        let (records, keys) = (options.records, options.keys);
        let run = || count(records, keys, parallelism);
        line(&options, "count", &parameter, records, run)?;
        let run = || window_count(records, keys, parallelism);
        line(&options, "window_count", &parameter, records, run)?;
    }
    Ok(())
}

fn line(
    options: &Options,
    name: &str,
    parameter: &str,
    records: u64,
    run: impl FnMut() -> Result<Span>,
) -> Result<()> {
    if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
        return Ok(());
    }
    let Span { wall, cpu } = median(options.repetitions, run)?;
    let rate = records as f64 / wall / 1e6;
    println!("{name}\t{parameter}\t{records}\t{wall:.3}\t{cpu:.3}\t{rate:.2}");
    Ok(())
}

/// Takes the next element, asleep until it is there.
fn receive(receiver: &mut Receiver, parker: &Parker) -> StreamElement {
    loop {
        if let Some(element) = receiver.receive() {
            return element;
        }
        parker.announce();
        if receiver.is_empty() {
            parker.park(None);
        } else {
            parker.retract();
        }
    }
}

/// Sends an element, asleep until there is room.
fn send(sender: &mut Sender, parker: &Parker, mut element: StreamElement) {
    while let Err(back) = sender.send(element) {
        parker.announce();
        match sender.send(back) {
            Ok(()) => return parker.retract(),
            Err(back) => element = back,
        }
        parker.park(None);
    }
}

fn hop(records: u64, batch: usize) -> Result<Span> {
    let (here, there) = (Arc::new(Parker::default()), Arc::new(Parker::default()));
    let (mut sender, mut receiver) = channel(CHANNEL_BATCHES, here.clone(), there.clone());
    here.bind();
    let started = Moment::now()?;
    let consumer = thread::spawn(move || -> thalweg::Result<u64> {
        there.bind();
        let mut sum = 0u64;
        while let StreamElement::Batch(batch) = receive(&mut receiver, &there) {
            let rows = *downcast::<Rows<u64>>(batch)?;
            sum = sum.wrapping_add(rows.values.iter().sum());
        }
        Ok(sum)
    });
    let mut next = 0;
    while next < records {
        let end = records.min(next + batch as u64);
        let rows = Rows::<u64> {
            values: (next..end).collect(),
            times: vec![0; (end - next) as usize],
            hashes: Vec::new(),
        };
        send(&mut sender, &here, StreamElement::Batch(Box::new(rows)));
        next = end;
    }
    send(&mut sender, &here, StreamElement::EndOfInput);
    let sum = consumer
        .join()
        .map_err(|_| anyhow!("the receiving thread panicked"))??;
    let expected = records * (records - 1) / 2;
    if sum != expected {
        return Err(anyhow!("{expected} was sent, but {sum} received"));
    }
    started.elapsed()
}

fn round_trip(trips: u64) -> Result<Span> {
    let (here, there) = (Arc::new(Parker::default()), Arc::new(Parker::default()));
    let (mut ping, mut pinged) = channel(CHANNEL_BATCHES, here.clone(), there.clone());
    let (mut pong, mut ponged) = channel(CHANNEL_BATCHES, there.clone(), here.clone());
    here.bind();
    let started = Moment::now()?;
    let partner = thread::spawn(move || {
        there.bind();
        while let element @ StreamElement::Watermark(_) = receive(&mut pinged, &there) {
            send(&mut pong, &there, element);
        }
    });
    for trip in 0..trips {
        let element = StreamElement::Watermark(Watermark(trip.cast_signed()));
        send(&mut ping, &here, element);
        receive(&mut ponged, &here);
    }
    send(&mut ping, &here, StreamElement::EndOfInput);
    let joined = partner.join();
    joined.map_err(|_| anyhow!("the answering thread panicked"))?;
    started.elapsed()
}

/// Record n: one of `keys` keys, with no order, and a count of one.
fn keyed(n: u64, keys: u64) -> (u64, u64) {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 32)) % keys, 1)
}

fn environment(parallelism: u32) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::new();
    env.set_parallelism(parallelism);
    env.configure(|config| config.checkpointing.interval = Some(Duration::from_secs(1)));
    env
}

fn count(records: u64, keys: u64, parallelism: u32) -> Result<Span> {
    let env = environment(parallelism);
    env.from_generator(Some(records), move |n| keyed(n, keys))
        .key_by(|(key, _)| *key)
        .sum(|(_, count)| count)
        .sink_to("Discard", Arc::new(Discard));
    let started = Moment::now()?;
    env.execute()?;
    started.elapsed()
}

fn window_count(records: u64, keys: u64, parallelism: u32) -> Result<Span> {
    let env = environment(parallelism);
    let strategy = WatermarkStrategy::for_monotonous_timestamps()
        .with_timestamp_assigner(|(_, _, millis): &(u64, u64, i64)| *millis);
    env.from_generator(Some(records), move |n| {
        let (key, one) = keyed(n, keys);
        (key, one, (n * 1000 / RECORDS_PER_SECOND).cast_signed())
    })
    .assign_timestamps_and_watermarks(strategy)
    .key_by(|(key, _, _)| *key)
    .window(TumblingEventTimeWindows::of(Duration::from_secs(10)))
    .sum(|(_, count, _)| count)
    .sink_to("Discard", Arc::new(Discard));
    let started = Moment::now()?;
    env.execute()?;
    started.elapsed()
}

//! Runs Nexmark queries from memory into a blackhole and prints events and CPU seconds.
//!
//!     cargo run --release --package thalweg-bench --bin nexmark -- --events 10000000 --only q0,q5
//!
//! The events are made before the clock starts (`'preload' = 'true'`): what is measured is the
//! engine, not the generator. A rate counts all events, those that a query filters out included.
//! One line a query: name, parallelism, events, wall seconds, CPU seconds, million events a second.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use thalweg::core::container::Payload;
use thalweg::core::operator::{Context as OperatorContext, Setup};
use thalweg::core::sink::{SinkFactory, SinkWriter};
use thalweg::core::watermark::Watermark;
use thalweg::runtime::MiniCluster;
use thalweg::sql::dialect::{Statement, parse_script};

// As the command line has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Options {
    events: u64,
    parallelism: u32,
    repetitions: usize,
    only: Vec<String>,
    checkpoints: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    println!("query\tparallelism\tevents\twall_s\tcpu_s\tmillion_events_per_s");
    for query in queries(&options)? {
        let mut runs = Vec::new();
        for _ in 0..options.repetitions {
            runs.push(run(&query, &options).with_context(|| query.clone())?);
        }
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (wall, cpu) = runs[runs.len() / 2];
        let rate = options.events as f64 / wall / 1e6;
        println!(
            "{query}\t{}\t{}\t{wall:.3}\t{cpu:.3}\t{rate:.2}",
            options.parallelism, options.events
        );
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options {
        events: 10_000_000,
        parallelism: 1,
        repetitions: 3,
        only: Vec::new(),
        checkpoints: true,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .context(format!("`{argument}` needs a value"))
        };
        match argument.as_str() {
            "--events" => options.events = value()?.parse()?,
            "--parallelism" => options.parallelism = value()?.parse()?,
            "--repetitions" => options.repetitions = value()?.parse()?,
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--no-checkpoints" => options.checkpoints = false,
            other => bail!("unknown argument `{other}`"),
        }
    }
    Ok(options)
}

fn queries(options: &Options) -> Result<Vec<String>> {
    if !options.only.is_empty() {
        return Ok(options.only.clone());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir("examples/nexmark").context("run this from the repository's root")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(query) = name
            .strip_suffix(".sql")
            .filter(|name| name.starts_with('q'))
        {
            names.push(query.to_owned());
        }
    }
    names.sort_by_key(|name| name[1..].parse::<u32>().unwrap_or(u32::MAX));
    Ok(names)
}

/// Wall and CPU seconds of one run, planning and generating left out.
fn run(query: &str, options: &Options) -> Result<(f64, f64)> {
    let directory = Path::new("examples/nexmark");
    let mut ddl = fs::read_to_string(directory.join("ddl.sql"))?;
    let given = "'events.num' = '100000'";
    let wanted = format!("'events.num' = '{}', 'preload' = 'true'", options.events);
    if !ddl.contains(given) {
        bail!("examples/nexmark/ddl.sql has no `{given}`");
    }
    ddl = ddl.replace(given, &wanted).replace("'1000'", "'100000'");
    let select = fs::read_to_string(directory.join(format!("{query}.sql")))?;
    let mut session = thalweg::session();
    session
        .options_mut()
        .set("parallelism.default", &options.parallelism.to_string())?;
    if options.checkpoints {
        session
            .options_mut()
            .set("execution.checkpointing.interval", "1 s")?;
    }
    for statement in parse_script(&ddl)? {
        session.execute(&statement.node)?;
    }
    let statements = parse_script(&select)?;
    let [statement] = statements.as_slice() else {
        bail!("`{query}` is not one statement")
    };
    let Statement::Query(tree) = &statement.node else {
        bail!("`{query}` is no query")
    };
    let started: Started = Arc::default();
    let job = session.query_into(tree, Arc::new(Discard(started.clone())))?;
    MiniCluster.start(&job.graph, &job.config)?.join()?;
    let started = started.lock().ok().and_then(|mut started| started.take());
    let Some((wall, cpu)) = started else {
        bail!("`{query}` gave no rows")
    };
    Ok((wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu))
}

/// When the first barrier, watermark or batch came: the preloading is over by then.
type Started = Arc<Mutex<Option<(Instant, f64)>>>;

/// Takes rows and drops them.
struct Discard(Started);

impl SinkFactory for Discard {
    fn create(&self, _: &mut Setup<'_>) -> thalweg::Result<Box<dyn SinkWriter>> {
        Ok(Box::new(DiscardWriter(self.0.clone())))
    }
}

struct DiscardWriter(Started);

impl DiscardWriter {
    fn mark(&self) {
        if let Ok(mut started) = self.0.lock() {
            started.get_or_insert_with(|| (Instant::now(), cpu_seconds().unwrap_or(0.0)));
        }
    }
}

impl SinkWriter for DiscardWriter {
    fn write(&mut self, _: Payload, _: &mut OperatorContext) -> thalweg::Result<()> {
        self.mark();
        Ok(())
    }

    fn write_watermark(&mut self, _: Watermark, _: &mut OperatorContext) -> thalweg::Result<()> {
        self.mark();
        Ok(())
    }

    fn flush(&mut self, _: &mut OperatorContext) -> thalweg::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut OperatorContext) -> thalweg::Result<()> {
        self.mark();
        Ok(())
    }
}

/// CPU seconds of this process so far.
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    // The kernel counts in hundredths of a second on every Linux there is.
    Ok(ticks / 100.0)
}

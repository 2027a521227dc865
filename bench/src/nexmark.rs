//! Runs Nexmark queries into a sink that keeps nothing and prints events and CPU seconds.
//!
//!     cargo run --release --package thalweg-bench --bin nexmark -- --events 10000000 --only q0,q5
//!
//! The queries are those of `examples/nexmark` and, by name only, of `bench/queries`. Without
//! `--json` the events are made before the clock starts (`'preload' = 'true'`): what is measured is
//! the engine, not the generator. With `--json` they are read from a directory of JSON lines, and
//! the clock runs from the start of the job to its end. Planning is never in it.
//! A rate counts all events, those that a query filters out included.
//! One line a query: name, parallelism, events, wall seconds, CPU seconds, million events a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use thalweg::runtime::MiniCluster;
use thalweg::sql::dialect::{Statement, parse_script};
use thalweg_bench::arguments::Arguments;
use thalweg_bench::discard::Discard;
use thalweg_bench::gate::Gate;
use thalweg_bench::measure::{Moment, Span, median};

const EXAMPLES: &str = "examples/nexmark";

struct Options {
    events: u64,
    /// Events a second of event time.
    rate: u64,
    parallelism: u32,
    repetitions: usize,
    only: Vec<String>,
    checkpoints: bool,
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = options()?;
    println!("query\tparallelism\tevents\twall_s\tcpu_s\tmillion_events_per_s");
    for query in queries(&options)? {
        let Span { wall, cpu } = median(options.repetitions, || run(&query, &options))
            .with_context(|| format!("query `{query}`"))?;
        let rate = options.events as f64 / wall / 1e6;
        println!(
            "{query}\t{}\t{}\t{wall:.3}\t{cpu:.3}\t{rate:.2}",
            options.parallelism, options.events
        );
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut arguments = Arguments::of_process();
    let options = Options {
        events: arguments.value("--events", 10_000_000)?,
        rate: arguments.value("--rate", 100_000)?,
        parallelism: arguments.value("--parallelism", 1)?,
        repetitions: arguments.value("--repetitions", 3)?,
        only: arguments.list("--only")?,
        checkpoints: !arguments.flag("--no-checkpoints"),
        json: arguments.optional("--json")?,
    };
    arguments.finish()?;
    Ok(options)
}

fn queries(options: &Options) -> Result<Vec<String>> {
    if !options.only.is_empty() {
        return Ok(options.only.clone());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(EXAMPLES).context("run this from the repository's root")? {
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

/// The tables over the events that are asked for.
fn tables(options: &Options) -> Result<String> {
    let path = Path::new(EXAMPLES).join("ddl.sql");
    let ddl = fs::read_to_string(&path)
        .with_context(|| format!("`{}`: run this from the repository's root", path.display()))?;
    let (head, rest) = ddl
        .split_once("'connector' = 'nexmark'")
        .with_context(|| format!("`{}` has no nexmark table", path.display()))?;
    let (given, views) = rest
        .split_once("\n);")
        .with_context(|| format!("`{}`: the table has no end", path.display()))?;
    let source = match &options.json {
        Some(directory) => format!(
            "'connector' = 'filesystem', 'format' = 'json', 'path' = '{}'",
            directory.display()
        ),
        None => {
            let given = replaced(given, "'1000'", &format!("'{}'", options.rate))?;
            let num = format!("'{}'", options.events);
            let given = replaced(&given, "'100000'", &num)?;
            format!("'connector' = 'nexmark', 'preload' = 'true'{given}")
        }
    };
    Ok(format!("{head}{source}\n);{views}"))
}

fn replaced(text: &str, old: &str, new: &str) -> Result<String> {
    if !text.contains(old) {
        bail!("`{EXAMPLES}/ddl.sql` has no option of value {old}");
    }
    Ok(text.replace(old, new))
}

fn query_text(query: &str) -> Result<String> {
    let file = format!("{query}.sql");
    let example = Path::new(EXAMPLES).join(&file);
    let path = if example.exists() {
        example
    } else {
        Path::new("bench/queries").join(&file)
    };
    fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))
}

/// What one run takes, planning and preloading left out.
fn run(query: &str, options: &Options) -> Result<Span> {
    let mut session = thalweg::session();
    let settings = session.options_mut();
    settings.set("parallelism.default", &options.parallelism.to_string())?;
    if options.checkpoints {
        settings.set("execution.checkpointing.interval", "1 s")?;
    }
    for statement in parse_script(&tables(options)?)? {
        session.execute(&statement.node)?;
    }
    let statements = parse_script(&query_text(query)?)?;
    let [statement] = statements.as_slice() else {
        bail!("it is not one statement")
    };
    let Statement::Query(tree) = &statement.node else {
        bail!("it is no query")
    };
    let mut job = session.query_into(tree, Arc::new(Discard))?;
    let gate = Gate::default();
    if options.json.is_none() {
        gate.put_before(&mut job.graph);
    }
    let launched = Moment::now()?;
    MiniCluster.start(&job.graph, &job.config)?.join()?;
    match gate.opened() {
        Some(opened) => opened.elapsed(),
        None => launched.elapsed(),
    }
}

//! Runs seeds: `cargo xtask sim --seed S --count N`.

use std::process::ExitCode;

use thalweg_sim::{Counts, run};

const HELP: &str = "\
Deterministic simulation of jobs, checkpoints and failures: one seed is one run.

  --seed S     the first seed (1)
  --count N    how many seeds, one after another (1000)
  --trace      shows every step on standard error
";

// A line of progress after so many seeds.
const PROGRESS: u64 = 1000;
// Failing seeds are told up to here; more say nothing new.
const FAILURES_MAX: usize = 10;

struct Arguments {
    seed: u64,
    count: u64,
    trace: bool,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)) {
        Ok(Some(arguments)) => simulate(&arguments),
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments {
        seed: 1,
        count: 1000,
        trace: false,
    };
    while let Some(argument) = given.next() {
        let mut number = || {
            let value = given.next().ok_or(format!("`{argument}` needs a number"))?;
            let parsed = value.parse::<u64>();
            parsed.map_err(|_| format!("`{value}` is not a number for `{argument}`"))
        };
        match argument.as_str() {
            "--seed" => arguments.seed = number()?,
            "--count" => arguments.count = number()?,
            "--trace" => arguments.trace = true,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("no option `{other}`; `--help` lists them")),
        }
    }
    Ok(Some(arguments))
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let mut counts = Counts::default();
    let mut failing = Vec::new();
    let mut done = 0;
    for seed in (arguments.seed..).take(arguments.count as usize) {
        let report = run(seed, None, arguments.trace);
        counts.add(&report.counts);
        done += 1;
        if let Some(violation) = report.violation {
            println!("seed {seed}: {violation}");
            println!("  again: cargo xtask sim --seed {seed} --count 1 --trace");
            failing.push(seed);
            if failing.len() == FAILURES_MAX {
                break;
            }
        }
        if done % PROGRESS == 0 && done < arguments.count {
            println!(
                "{done} of {} seeds, {} failing",
                arguments.count,
                failing.len()
            );
        }
    }
    println!("seeds        {done} from {}", arguments.seed);
    println!("{counts}");
    println!("failing      {} {failing:?}", failing.len());
    if failing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

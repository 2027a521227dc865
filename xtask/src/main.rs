//! Tools of the house: `cargo xtask help` lists them.

mod commands;
mod python;
mod shell;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const HELP: &str = "\
Tools of the house.

  cargo xtask tidy        the rules of the house that no compiler knows
  cargo xtask test        format, clippy, tidy, all tests, the checks of the examples
  cargo xtask examples    only the checks of the examples; arguments go to examples/checks/run.py
                          (`--only NAME,NAME`, `--quick`); THALWEG names a binary to use
  cargo xtask rocksdb     clippy and tests of the store in RocksDB, with a libclang of its own if the
                          system has none; arguments go to `cargo test`
  cargo xtask services    the servers that tests start, installed under the target directory; a minute
                          and a half, once
  cargo xtask sim         the simulator, built for speed: `--seed S`, `--count N`, `--trace`
  cargo xtask help        this text
";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command of the arguments; `false` means that something was found wrong.
fn run() -> Result<bool> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    let root = workspace_root()?;
    match command.as_str() {
        "tidy" => tidy::command(&root),
        "test" => commands::test::run(&root),
        "examples" => commands::examples::run(&root, commands::examples::Profile::Release, &rest),
        "rocksdb" => commands::rocksdb::run(&root, &rest).map(|(passed, _)| passed),
        "services" => commands::services::install(&root),
        "sim" => commands::sim::run(&root, &rest),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => bail!("no command `{other}`; `cargo xtask help` lists them"),
    }
}

/// The directory of the workspace: the parent of this crate's.
fn workspace_root() -> Result<PathBuf> {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root.canonicalize()
        .with_context(|| format!("cannot open `{}`", root.display()))
}

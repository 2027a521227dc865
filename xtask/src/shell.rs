//! The commands' hands: other programs and the clock.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Variables of the environment that a program gets besides those of this one.
pub(crate) type Variables = [(&'static str, String)];

/// Runs a program in `root`; whether it ended with 0.
pub(crate) fn succeeds(root: &Path, program: &str, arguments: &[&str]) -> Result<bool> {
    succeeds_with(root, program, arguments, &[])
}

/// Like [`succeeds`], with more variables.
pub(crate) fn succeeds_with(
    root: &Path,
    program: &str,
    arguments: &[&str],
    variables: &Variables,
) -> Result<bool> {
    let status = Command::new(program)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot run `{program}`"))?;
    Ok(status.success())
}

/// What a program prints on standard output; an error if it does not end with 0.
pub(crate) fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{program}`"))?;
    if !output.status.success() {
        bail!("`{program} {}`: {}", arguments.join(" "), output.status);
    }
    let text =
        String::from_utf8(output.stdout).with_context(|| format!("`{program}` prints no text"))?;
    Ok(text.trim_end().to_owned())
}

/// Like [`succeeds_with`], and returns the lines of standard output, which are also passed on.
pub(crate) fn tee(
    root: &Path,
    program: &str,
    arguments: &[&str],
    variables: &Variables,
) -> Result<(bool, Vec<String>)> {
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{program}`"))?;
    let mut lines = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.with_context(|| format!("cannot read from `{program}`"))?;
            println!("{line}");
            lines.push(line);
        }
    }
    Ok((child.wait()?.success(), lines))
}

/// Named steps, each with a header, a last line and a time.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, bool, Duration)>,
}

impl Steps {
    /// Runs one step and remembers how it ended; one that cannot run has failed.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<bool>) {
        println!("\n== {name}");
        let start = now();
        let passed = step().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            false
        });
        let took = start.elapsed();
        println!("-- {}", line(name, passed, took));
        self.done.push((name.to_owned(), passed, took));
    }

    /// Prints how each step ended; whether all of them passed.
    pub(crate) fn summary(&self) -> bool {
        println!("\n== summary");
        for (name, passed, took) in &self.done {
            println!("{}", line(name, *passed, *took));
        }
        self.done.iter().all(|(_, passed, _)| *passed)
    }
}

fn line(name: &str, passed: bool, took: Duration) -> String {
    let word = if passed { "ok" } else { "FAILED" };
    format!("{name}: {word} ({:.1} s)", took.as_secs_f64())
}

#[allow(clippy::disallowed_methods, reason = "a tool times its own steps")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_step_fails_the_run_and_the_later_steps_still_run() {
        let mut steps = Steps::default();
        steps.run("first", || Ok(false));
        steps.run("second", || Ok(true));
        assert_eq!(steps.done.len(), 2);
        assert!(!steps.summary());
    }

    #[test]
    fn a_step_that_cannot_run_has_failed() {
        let mut steps = Steps::default();
        steps.run("format", || {
            succeeds(Path::new("."), "no-such-program", &[])
        });
        assert!(!steps.summary());
    }

    #[test]
    fn a_run_of_steps_that_passed_passes() {
        let mut steps = Steps::default();
        steps.run("first", || succeeds(Path::new("."), "true", &[]));
        assert!(steps.summary());
    }

    #[test]
    fn tee_hands_back_the_lines_it_passed_on() {
        let (passed, lines) = tee(
            Path::new("."),
            "sh",
            &["-c", "echo a; echo $B; exit 3"],
            &[("B", "b".to_owned())],
        )
        .unwrap();
        assert!(!passed);
        assert_eq!(lines, ["a", "b"]);
    }

    #[test]
    fn output_is_what_a_program_printed_if_it_ended_well() {
        let root = Path::new(".");
        assert_eq!(output(root, "sh", &["-c", "echo a"]).unwrap(), "a");
        let failed = output(root, "sh", &["-c", "echo a; exit 3"]).unwrap_err();
        assert!(failed.to_string().contains("exit 3"), "{failed}");
    }
}

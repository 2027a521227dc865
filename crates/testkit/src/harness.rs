//! The operator harness: one case, rerun in every way that must not matter.
//!
//! | Run              | What differs                                                              |
//! |------------------|---------------------------------------------------------------------------|
//! | one by one       | every record is a batch of its own                                        |
//! | in one batch     | all records between two controls are one batch                            |
//! | in batches       | the same, cut at random from three seeds                                  |
//! | capacity 1       | output batches of one record, no fusing, channels of one element          |
//! | restored         | after every element a snapshot is restored into a fresh job               |
//! | rescaled         | 1 → 2 → 1 instances, at every element in turn (at some of a long case)    |
//!
//! All must emit the expected elements in order; rescaled runs, whose instances interleave, must
//! emit the same records between the same watermarks.

mod live;
mod run;
mod script;

use std::sync::Arc;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::container::Payload;
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{OperatorFactory, OutputTag};
use thalweg_core::rows::Rows;
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;

use crate::notation::{Notation, parse_input};
use run::{Case, Run};
use script::{Recorder, Script};

/// Checks an operator of one input: `build` adds it to a stream.
///
/// # Panics
/// If any run emits something else than `expected`; the message shows both and names the run.
///
/// # Examples
/// ```
/// use thalweg_testkit::check;
///
/// check::<i64, i64>(|stream| stream.map(|n| n * n), "3@0 W@1 4@5", "9@0 W@1 16@5");
/// ```
#[track_caller]
pub fn check<I: Notation, O: Notation>(
    build: impl Fn(DataStream<I>) -> DataStream<O> + 'static,
    input: &str,
    expected: &str,
) {
    Harness::one(build).check(input, expected);
}

/// Checks an operator of two inputs; elements of the second are written `2>b@3`, a control
/// without a number goes to both.
///
/// # Panics
/// As [`check`].
#[track_caller]
pub fn check_two<A: Notation, B: Notation, O: Notation>(
    build: impl Fn(DataStream<A>, DataStream<B>) -> DataStream<O> + 'static,
    input: &str,
    expected: &str,
) {
    Harness::two(build).check(input, expected);
}

/// Checks an operator without keys by its factory.
///
/// # Panics
/// As [`check`].
#[track_caller]
pub fn check_factory<I: Notation, O: Notation>(
    factory: Arc<dyn OperatorFactory>,
    input: &str,
    expected: &str,
) {
    let build = move |stream: DataStream<I>| stream.apply_batches("Tested", factory.clone(), false);
    Harness::<O>::one(build).check(input, expected);
}

pub(crate) type MakeBatch = fn(&[(String, EventTime)]) -> Result<Payload>;
type Compose<O> = Box<dyn Fn(&StreamExecutionEnvironment, &[Script]) -> DataStream<O>>;
type Attach<O> = Box<dyn Fn(&DataStream<O>, &Recorder)>;
type Change = Box<dyn Fn(&mut ExecutionConfig)>;

/// An operator under test with settings; [`check`] is the plain form.
pub struct Harness<O> {
    compose: Compose<O>,
    batches: Vec<MakeBatch>,
    sides: Vec<(Recorder, Attach<O>)>,
    changes: Vec<Change>,
    rescales: bool,
}

impl<O: Notation> Harness<O> {
    /// An operator of one input.
    pub fn one<I: Notation>(build: impl Fn(DataStream<I>) -> DataStream<O> + 'static) -> Self {
        let compose: Compose<O> = Box::new(move |env, scripts| build(source(env, scripts, 0)));
        Self::of(compose, vec![make_batch::<I>])
    }

    /// An operator of two inputs.
    pub fn two<A: Notation, B: Notation>(
        build: impl Fn(DataStream<A>, DataStream<B>) -> DataStream<O> + 'static,
    ) -> Self {
        let compose: Compose<O> =
            Box::new(move |env, scripts| build(source(env, scripts, 0), source(env, scripts, 1)));
        Self::of(compose, vec![make_batch::<A>, make_batch::<B>])
    }

    fn of(compose: Compose<O>, batches: Vec<MakeBatch>) -> Self {
        Harness {
            compose,
            batches,
            sides: Vec::new(),
            changes: Vec::new(),
            rescales: true,
        }
    }

    /// Expects the records of a side output, too: `name>value@time`, in their own order.
    #[must_use]
    pub fn side<S: Notation>(mut self, tag: &OutputTag<S>) -> Self {
        let tag = tag.clone();
        let recorder = Recorder::side(tag.name());
        let attach = move |stream: &DataStream<O>, recorder: &Recorder| {
            let side = stream.side_output(&tag).global();
            side.sink_to("Side", recorder.sink::<S>());
        };
        self.sides.push((recorder, Box::new(attach)));
        self
    }

    /// Changes the settings of every run.
    #[must_use]
    pub fn configure(mut self, change: impl Fn(&mut ExecutionConfig) + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Leaves out the rescaled runs: for operators whose result depends on which instance a
    /// record meets.
    #[must_use]
    pub fn without_rescaling(mut self) -> Self {
        self.rescales = false;
        self
    }

    /// Runs the case in every way.
    ///
    /// # Panics
    /// As [`check`].
    #[track_caller]
    pub fn check(&self, input: &str, expected: &str) {
        let tokens: Vec<String> = expected.split_whitespace().map(str::to_owned).collect();
        let elements = parse_input(input).unwrap_or_else(|error| panic!("input: {error}"));
        for run in Run::all(elements.len(), self.rescales) {
            let actual = self
                .run(&elements, run)
                .unwrap_or_else(|error| panic!("run `{run}` failed: {error}\n   input: {input}"));
            if let Some(difference) = self.difference(&tokens, &actual, run) {
                panic!(
                    "run `{run}` differs: {difference}\n   input: {input}\nexpected: {}\n  actual: {}",
                    tokens.join(" "),
                    actual.join(" "),
                );
            }
        }
    }

    /// Runs the case once, every record a batch of its own, and returns what came out.
    ///
    /// # Panics
    /// If the input is no stream or the operator fails.
    #[track_caller]
    pub fn output(&self, input: &str) -> String {
        let run = || {
            let elements = parse_input(input)?;
            self.run(&elements, Run::OneByOne)
        };
        match run() {
            Ok(tokens) => tokens.join(" "),
            Err(error) => panic!("the operator failed: {error}\n   input: {input}"),
        }
    }

    fn run(
        &self,
        elements: &[(Option<usize>, crate::notation::Element)],
        run: Run,
    ) -> Result<Vec<String>> {
        let scripts: Vec<Script> = self.batches.iter().map(|_| Script::default()).collect();
        let main = Recorder::main();
        let compose = |parallelism: u32| {
            let env = crate::environment();
            env.configure(|config| self.changes.iter().for_each(|change| change(config)));
            env.configure(|config| run.configure(config));
            env.set_parallelism(parallelism);
            let stream = (self.compose)(&env, &scripts);
            stream.global().sink_to("Main", main.sink::<O>());
            for (recorder, attach) in &self.sides {
                attach(&stream, recorder);
            }
            Ok((env.job_graph()?, env.config()))
        };
        let case = Case {
            compose: &compose,
            scripts: &scripts,
            batches: &self.batches,
        };
        // What an earlier, failed run left behind.
        self.sides
            .iter()
            .for_each(|(recorder, _)| drop(recorder.take()));
        case.run(elements, run)?;
        let mut tokens = main.take();
        for (recorder, _) in &self.sides {
            tokens.extend(recorder.take());
        }
        Ok(tokens)
    }

    /// Compares the main output, then each side output.
    fn difference(&self, expected: &[String], actual: &[String], run: Run) -> Option<String> {
        let prefixes: Vec<&str> = self
            .sides
            .iter()
            .map(|(recorder, _)| recorder.prefix())
            .collect();
        let of_side = |token: &str| prefixes.iter().any(|prefix| token.starts_with(prefix));
        let main = |tokens: &[String]| -> Vec<String> {
            let tokens = tokens.iter().filter(|token| !of_side(token));
            run.canonical(tokens.cloned().collect())
        };
        let mut outputs = vec![("the main output".to_owned(), main(expected), main(actual))];
        for prefix in &prefixes {
            let side = |tokens: &[String]| -> Vec<String> {
                let tokens = tokens.iter().filter(|token| token.starts_with(prefix));
                run.canonical(tokens.cloned().collect())
            };
            let name = format!("side output `{}`", prefix.trim_end_matches('>'));
            outputs.push((name, side(expected), side(actual)));
        }
        outputs.into_iter().find_map(|(name, expected, actual)| {
            (0..expected.len().max(actual.len())).find_map(|i| {
                let (e, a) = (expected.get(i), actual.get(i));
                let text = |token: Option<&String>| token.map_or("nothing", |t| t).to_owned();
                (e != a).then(|| format!("{name}: expected {}, found {}", text(e), text(a)))
            })
        })
    }
}

fn make_batch<T: Notation>(records: &[(String, EventTime)]) -> Result<Payload> {
    let mut rows = Rows::with_capacity(records.len());
    for (text, time) in records {
        rows.push(T::parse(text)?, *time);
    }
    Ok(Box::new(rows))
}

fn source<T: Data>(
    env: &StreamExecutionEnvironment,
    scripts: &[Script],
    port: usize,
) -> DataStream<T> {
    env.from_source("Script", Arc::new(scripts[port].clone()), Some(1))
        .uid(&format!("script-{port}"))
}

//! What has happened in a run: its hash, its counts, the first property that did not hold.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::key_group::stable_hash_bytes;

/// How much of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps of subtasks.
    pub steps: u64,
    /// Processes that ended with everything they had in memory.
    pub crashes: u64,
    /// Attempts that failed inside of a process that went on.
    pub failures: u64,
    /// Regions that failed alone.
    pub region_failures: u64,
    /// Completed checkpoints.
    pub checkpoints: u64,
    /// Savepoints that users were given.
    pub savepoints: u64,
    /// Stops with a savepoint.
    pub stops: u64,
    /// Starts from a checkpoint.
    pub restores: u64,
    /// Starts with records in flight.
    pub in_flight: u64,
    /// Starts that passed over a damaged checkpoint.
    pub passed_over: u64,
    /// Layers of keyed state that were written: all of it, and what had changed.
    pub layers: (u64, u64),
    /// The longest way from the last fault to the end, in steps.
    pub longest_end: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Runs by workload.
    pub workloads: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Counts) {
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.failures += other.failures;
        self.region_failures += other.region_failures;
        self.checkpoints += other.checkpoints;
        self.savepoints += other.savepoints;
        self.stops += other.stops;
        self.restores += other.restores;
        self.in_flight += other.in_flight;
        self.passed_over += other.passed_over;
        self.layers.0 += other.layers.0;
        self.layers.1 += other.layers.1;
        self.longest_end = self.longest_end.max(other.longest_end);
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (workload, count) in &other.workloads {
            *self.workloads.entry(workload).or_default() += count;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<&str, u64>| {
            let texts: Vec<String> = counts.iter().map(|(k, n)| format!("{k} {n}")).collect();
            texts.join(", ")
        };
        writeln!(f, "steps        {}", self.steps)?;
        writeln!(f, "crashes      {}", self.crashes)?;
        let regions = self.region_failures;
        writeln!(f, "failures     {}, {regions} of regions", self.failures)?;
        writeln!(f, "checkpoints  {}", self.checkpoints)?;
        let stops = self.stops;
        writeln!(f, "savepoints   {}, {stops} stops", self.savepoints)?;
        let (passed_over, in_flight) = (self.passed_over, self.in_flight);
        writeln!(
            f,
            "restores     {} ({passed_over} past a damaged checkpoint, {in_flight} with records in flight)",
            self.restores
        )?;
        let (whole, changes) = self.layers;
        writeln!(f, "layers       {whole} of all state, {changes} of changes")?;
        writeln!(
            f,
            "longest end  {} steps after the last fault",
            self.longest_end
        )?;
        writeln!(f, "workloads    {}", list(&self.workloads))?;
        write!(f, "faults       {}", list(&self.faults))
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The hash of everything noted: equal for equal runs.
    pub hash: u64,
    /// How much happened.
    pub counts: Counts,
    /// The first property that did not hold.
    pub violation: Option<String>,
}

#[derive(Default)]
struct State {
    hash: u64,
    counts: Counts,
    violation: Option<String>,
}

/// Written by every part of the world.
#[derive(Clone, Default)]
pub struct Journal {
    state: Arc<Mutex<State>>,
    print: bool,
}

impl Journal {
    /// An empty journal; `print` shows every note on standard error.
    pub fn new(print: bool) -> Self {
        Journal {
            state: Arc::default(),
            print,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that every run of this seed must do at this place.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        let text = what.to_string();
        if self.print {
            eprintln!("{text}");
        }
        let mut state = self.state();
        let mut bytes = state.hash.to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        state.hash = stable_hash_bytes(&bytes);
    }

    /// Counts something.
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.state().counts);
    }

    /// A property does not hold. The first one is kept; the others may be its consequences.
    pub fn violate(&self, violation: String) {
        self.note(format_args!("VIOLATION {violation}"));
        self.state().violation.get_or_insert(violation);
    }

    /// Whether a property did not hold.
    pub fn is_violated(&self) -> bool {
        self.state().violation.is_some()
    }

    /// What came of the run.
    pub fn report(&self, seed: u64) -> Report {
        let state = self.state();
        Report {
            seed,
            hash: state.hash,
            counts: state.counts.clone(),
            violation: state.violation.clone(),
        }
    }
}

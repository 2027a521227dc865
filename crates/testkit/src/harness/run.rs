//! The runs of a case: how the input is cut, and where the job is stopped and restored.

use std::fmt;
use std::sync::Arc;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::Result;
use thalweg_core::graph::JobGraph;
use thalweg_core::host::{ManualClock, Random};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::{Watermark, WatermarkStatus};
use thalweg_runtime::checkpoint::JobSnapshot;

use super::MakeBatch;
use super::live::Live;
use super::script::{Cue, Script};
use crate::notation::Element;

const RANDOM_SEEDS: u64 = 3;
// Longer cases are rescaled at so many elements only.
const RESCALES_MAX: usize = 12;

/// One way to run a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    OneByOne,
    InOneBatch,
    InBatches(u64),
    CapacityOne,
    Restored,
    /// To two instances before this piece, and back half-way to the end.
    Rescaled(usize),
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Run::OneByOne => f.write_str("one by one"),
            Run::InOneBatch => f.write_str("in one batch"),
            Run::InBatches(seed) => write!(f, "in batches, seed {seed}"),
            Run::CapacityOne => f.write_str("capacity 1"),
            Run::Restored => f.write_str("restored after every element"),
            Run::Rescaled(at) => write!(f, "rescaled 1 → 2 → 1 at element {at}"),
        }
    }
}

impl Run {
    /// All runs of a case of so many elements.
    pub(super) fn all(elements: usize, rescales: bool) -> Vec<Run> {
        let mut runs = vec![Run::OneByOne, Run::InOneBatch];
        runs.extend((0..RANDOM_SEEDS).map(Run::InBatches));
        runs.extend([Run::CapacityOne, Run::Restored]);
        if rescales {
            let stride = elements.div_ceil(RESCALES_MAX).max(1);
            runs.extend((0..elements).step_by(stride).map(Run::Rescaled));
        }
        runs
    }

    pub(super) fn configure(self, config: &mut ExecutionConfig) {
        if self == Run::CapacityOne {
            config.batch_rows = 1;
            config.channel_batches = 1;
            config.chaining = false;
        }
    }

    /// The tokens in the form in which they are compared.
    pub(super) fn canonical(self, mut tokens: Vec<String>) -> Vec<String> {
        if matches!(self, Run::Rescaled(_)) {
            let control =
                |token: &String| token.starts_with("W@") || token == "idle" || token == "active";
            tokens
                .split_mut(control)
                .for_each(|section| section.sort_unstable());
        }
        tokens
    }

    /// How many of the records that follow each other become one batch.
    fn batch_rows(self, random: &mut Random) -> usize {
        match self {
            Run::InOneBatch | Run::CapacityOne => usize::MAX,
            Run::InBatches(_) => 1 + random.below(4) as usize,
            Run::OneByOne | Run::Restored | Run::Rescaled(_) => 1,
        }
    }

    /// The parallelism behind a piece of the input.
    fn parallelism(self, piece: usize, pieces: usize) -> u32 {
        match self {
            Run::Rescaled(at) if piece >= at && piece < at + (pieces - at).div_ceil(2) => 2,
            _ => 1,
        }
    }
}

/// A piece of the input: records of one port, or a control.
enum Piece {
    Records(usize, Vec<(String, EventTime)>),
    Control(Option<usize>, Element),
}

/// A job between its scripts.
pub(super) struct Case<'a> {
    /// The job at a parallelism.
    pub compose: &'a dyn Fn(u32) -> Result<(JobGraph, ExecutionConfig)>,
    pub scripts: &'a [Script],
    pub batches: &'a [MakeBatch],
}

impl Case<'_> {
    /// Runs the job over the elements.
    pub(super) fn run(&self, elements: &[(Option<usize>, Element)], run: Run) -> Result<()> {
        let pieces = cut(elements, run);
        let clock = Arc::new(ManualClock::default());
        let mut player = Player {
            case: self,
            last: vec![(Watermark::MIN, WatermarkStatus::Active); self.scripts.len()],
            clock,
        };
        let mut parallelism = run.parallelism(0, pieces.len());
        let mut live = player.start(parallelism, None)?;
        for (index, piece) in pieces.iter().enumerate() {
            let wanted = run.parallelism(index, pieces.len());
            if !live.is_finished() && (run == Run::Restored || wanted != parallelism) {
                parallelism = wanted;
                let snapshot = live.snapshot()?;
                live = player.start(parallelism, Some(&snapshot))?;
            }
            player.play(piece)?;
            live.settle()?;
        }
        Ok(())
    }
}

struct Player<'a> {
    case: &'a Case<'a>,
    // What each port was told last: told again to a restored job, whose snapshot has it not.
    last: Vec<(Watermark, WatermarkStatus)>,
    clock: Arc<ManualClock>,
}

impl Player<'_> {
    fn start(&self, parallelism: u32, restore: Option<&JobSnapshot>) -> Result<Live> {
        let (job, config) = (self.case.compose)(parallelism)?;
        let mut live = Live::start(&job, &config, &self.clock, restore)?;
        for (script, (watermark, status)) in self.case.scripts.iter().zip(&self.last) {
            if *watermark != Watermark::MIN {
                script.push(Cue::Watermark(*watermark));
            }
            if *status != WatermarkStatus::Active {
                script.push(Cue::Status(*status));
            }
        }
        live.settle()?;
        Ok(live)
    }

    fn play(&mut self, piece: &Piece) -> Result<()> {
        match piece {
            Piece::Records(port, records) => {
                let batch = (self.case.batches[*port])(records)?;
                self.case.scripts[*port].push(Cue::Batch(batch));
            }
            Piece::Control(_, Element::Clock(millis)) => self.clock.set(*millis),
            Piece::Control(port, element) => {
                let ports = match port {
                    Some(port) => *port..*port + 1,
                    None => 0..self.case.scripts.len(),
                };
                for port in ports {
                    self.control(port, element);
                }
            }
        }
        Ok(())
    }

    fn control(&mut self, port: usize, element: &Element) {
        let script = &self.case.scripts[port];
        match element {
            Element::Watermark(millis) => {
                self.last[port].0 = Watermark(*millis);
                script.push(Cue::Watermark(Watermark(*millis)));
            }
            Element::Status(status) => {
                self.last[port].1 = *status;
                script.push(Cue::Status(*status));
            }
            Element::End => script.push(Cue::End),
            Element::Record(..) | Element::Clock(_) => {}
        }
    }
}

fn cut(elements: &[(Option<usize>, Element)], run: Run) -> Vec<Piece> {
    let mut random = Random::new(match run {
        Run::InBatches(seed) => seed,
        _ => 0,
    });
    let mut pieces: Vec<Piece> = Vec::new();
    let mut room = 0usize;
    for (port, element) in elements {
        let Element::Record(text, time) = element else {
            pieces.push(Piece::Control(*port, element.clone()));
            continue;
        };
        let (port, record) = (port.unwrap_or(0), (text.clone(), *time));
        match pieces.last_mut() {
            Some(Piece::Records(last, records)) if *last == port && records.len() < room => {
                records.push(record);
            }
            _ => {
                room = run.batch_rows(&mut random);
                pieces.push(Piece::Records(port, vec![record]));
            }
        }
    }
    pieces
}

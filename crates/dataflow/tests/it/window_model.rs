//! Windows against a naive model, on random streams: out of order, late, interrupted.

use std::collections::BTreeMap;

use proptest::prelude::*;
use thalweg_core::operator::OutputTag;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::window::{
    EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows, WindowAssigner,
};
use thalweg_testkit::Harness;

use crate::windows::{Row, by_word, ms};

#[derive(Clone, Copy, Debug)]
enum Element {
    Record { key: u8, value: i64, time: i64 },
    Watermark(i64),
}

/// Records of three keys around the epoch, and watermarks that rise.
fn elements() -> impl Strategy<Value = Vec<Element>> {
    let element = prop_oneof![
        4 => (0..3u8, 1..100i64, -30..30i64)
            .prop_map(|(key, value, time)| Element::Record { key, value, time }),
        1 => (1..12i64).prop_map(Element::Watermark),
    ];
    prop::collection::vec(element, 0..40).prop_map(|mut elements| {
        let mut watermark = -40;
        for element in &mut elements {
            if let Element::Watermark(step) = element {
                watermark += *step;
                *step = watermark;
            }
        }
        elements
    })
}

fn input(elements: &[Element]) -> String {
    let tokens = elements.iter().map(|element| match element {
        Element::Record { key, value, time } => format!("k{key}:{value}@{time}"),
        Element::Watermark(at) => format!("W@{at}"),
    });
    tokens
        .chain(["end".to_owned()])
        .collect::<Vec<_>>()
        .join(" ")
}

/// One window of the model: its end is exclusive.
#[derive(Clone, Debug)]
struct Open {
    key: u8,
    start: i64,
    end: i64,
    sum: i64,
    fired: bool,
    // Windows fire in the order in which they were opened.
    opened: usize,
}

struct Model {
    open: Vec<Open>,
    watermark: i64,
    lateness: i64,
    counter: usize,
    main: Vec<String>,
    late: Vec<String>,
}

impl Model {
    fn new(lateness: i64) -> Self {
        Model {
            open: Vec::new(),
            watermark: i64::MIN,
            lateness,
            counter: 0,
            main: Vec::new(),
            late: Vec::new(),
        }
    }

    fn emit(&mut self, window: &Open) {
        let token = format!("k{}:{}@{}", window.key, window.sum, window.end - 1);
        self.main.push(token);
    }

    fn is_past(&self, end: i64) -> bool {
        end - 1 + self.lateness <= self.watermark
    }

    fn record(&mut self, key: u8, value: i64, time: i64, windows: &[(i64, i64)], merges: bool) {
        let mut taken = false;
        for (start, end) in windows {
            let mut window = Open {
                key,
                start: *start,
                end: *end,
                sum: 0,
                fired: false,
                opened: self.counter,
            };
            self.counter += 1;
            let touches = |other: &Open| {
                other.key == key
                    && if merges {
                        other.start <= *end && *start <= other.end
                    } else {
                        other.start == *start
                    }
            };
            let (touched, rest): (Vec<Open>, Vec<Open>) = std::mem::take(&mut self.open)
                .into_iter()
                .partition(touches);
            self.open = rest;
            for other in &touched {
                window.start = window.start.min(other.start);
                window.end = window.end.max(other.end);
                window.sum += other.sum;
                window.opened = window.opened.min(other.opened);
                window.fired |= other.fired && other.end == window.end;
            }
            if self.is_past(window.end) {
                continue;
            }
            taken = true;
            window.sum += value;
            window.fired = window.end - 1 <= self.watermark;
            if window.fired {
                self.emit(&window);
            }
            self.open.push(window);
        }
        if !taken && time + self.lateness <= self.watermark {
            self.late.push(format!("late>k{key}:{value}@{time}"));
        }
    }

    fn watermark(&mut self, watermark: i64) {
        self.watermark = watermark;
        let mut due: BTreeMap<(i64, usize), Open> = BTreeMap::new();
        for window in &mut self.open {
            if !window.fired && window.end - 1 <= watermark {
                window.fired = true;
                due.insert((window.end, window.opened), window.clone());
            }
        }
        for window in due.into_values() {
            self.emit(&window);
        }
        let open = std::mem::take(&mut self.open);
        self.open = open.into_iter().filter(|w| !self.is_past(w.end)).collect();
    }

    fn run(
        mut self,
        elements: &[Element],
        assign: &dyn Fn(i64) -> Vec<(i64, i64)>,
        merges: bool,
    ) -> String {
        for element in elements {
            match *element {
                Element::Record { key, value, time } => {
                    self.record(key, value, time, &assign(time), merges);
                }
                Element::Watermark(at) => {
                    self.watermark(at);
                    self.main.push(format!("W@{at}"));
                }
            }
        }
        self.watermark(i64::MAX - 1_000_000);
        self.main.push("end".to_owned());
        self.main.extend(self.late);
        self.main.join(" ")
    }
}

/// Within one instant the order of keys is that of their timers, which the model does not have.
fn sorted_within_instants(tokens: &str) -> String {
    let mut tokens: Vec<&str> = tokens.split(' ').collect();
    let is_control = |token: &&str| token.starts_with("W@") || *token == "end";
    tokens
        .split_mut(is_control)
        .for_each(|section| section.sort_unstable());
    tokens.join(" ")
}

fn compare<A: WindowAssigner<Row>>(
    elements: &[Element],
    assigner: A,
    lateness: i64,
    assign: &dyn Fn(i64) -> Vec<(i64, i64)>,
    merges: bool,
) {
    let late = OutputTag::<Row>::new("late");
    let tag = late.clone();
    let harness = Harness::one(move |stream: DataStream<Row>| {
        by_word(&stream)
            .window(assigner.clone())
            .allowed_lateness(ms(lateness.unsigned_abs()))
            .side_output_late_data(&tag)
            .sum(|row| &mut row.1)
    })
    .side(&late);
    let input = input(elements);
    let expected = Model::new(lateness).run(elements, assign, merges);
    let actual = harness.output(&input);
    assert_eq!(
        sorted_within_instants(&actual),
        sorted_within_instants(&expected),
        "input: {input}"
    );
    // And however it is cut, restored and rescaled.
    harness.check(&input, &actual);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tumbling_windows_agree_with_the_model(
        elements in elements(), size in 1..12i64, offset in -15..15i64, lateness in 0..15i64,
    ) {
        let assigner = TumblingEventTimeWindows::of(ms(size.unsigned_abs())).with_offset_ms(offset);
        let assign = |time: i64| {
            let start = (time - offset).div_euclid(size) * size + offset;
            vec![(start, start + size)]
        };
        compare(&elements, assigner, lateness, &assign, false);
    }

    #[test]
    fn sliding_windows_agree_with_the_model(
        elements in elements(), size in 1..12i64, slide in 1..8i64, offset in -15..15i64,
        lateness in 0..15i64,
    ) {
        let length = ms(size.unsigned_abs());
        let assigner = SlidingEventTimeWindows::of(length, ms(slide.unsigned_abs()))
            .with_offset_ms(offset);
        // Of all starts there are, those whose window holds the record, the latest first.
        let assign = |time: i64| {
            let starts = (-100..100).rev().map(|n| n * slide + offset);
            let starts = starts.filter(|start| *start <= time && time < start + size);
            starts.map(|start| (start, start + size)).collect()
        };
        compare(&elements, assigner, lateness, &assign, false);
    }

    #[test]
    fn session_windows_agree_with_the_model(
        elements in elements(), gap in 1..12i64, lateness in 0..15i64,
    ) {
        let assigner = EventTimeSessionWindows::with_gap(ms(gap.unsigned_abs()));
        compare(&elements, assigner, lateness, &|time| vec![(time, time + gap)], true);
    }
}

//! Gates whose channels are full when a barrier is announced.

use std::sync::Arc;

use thalweg_core::config::CheckpointMode;
use thalweg_core::container::{ContainerCodec, downcast};
use thalweg_core::data::{Data, Schema};
use thalweg_core::element::{Barrier, StreamElement};
use thalweg_core::graph::Partitioning;
use thalweg_core::rows::{Record, Rows};
use thalweg_core::state::TableSnapshot;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

use crate::checkpoint::in_flight::{Dealer, InFlightLog, Place, Restored, Target};
use crate::exchange::{Sender, channel};
use crate::input::{GateEvent, InputChannel, InputGate};
use crate::output::{Control, ResultPartition};

const CAPACITY: usize = 2;

fn barrier(checkpoint: u64) -> Barrier {
    Barrier {
        overtakes_from: Some(ProcessingTime(0)),
        ..Barrier::of_checkpoint(checkpoint)
    }
}

fn rows(value: u64) -> StreamElement {
    let rows: Rows<u64> = std::iter::once(Record::new(value, EventTime(0))).collect();
    StreamElement::Batch(Box::new(rows))
}

fn gate(channels: u32, restored: Restored) -> (Vec<Sender>, InputGate) {
    let (mut senders, mut inputs) = (Vec::new(), Vec::new());
    for sender in 0..channels {
        let (sending, receiver) = channel(CAPACITY, Arc::default(), Arc::default());
        senders.push(sending);
        inputs.push(InputChannel {
            port: 0,
            place: Place { edge: 0, sender },
            stays_aligned: false,
            receiver,
        });
    }
    let gate = InputGate::new(inputs, CheckpointMode::ExactlyOnce, true, restored);
    (senders, gate)
}

fn values(gate: &mut InputGate) -> Vec<u64> {
    let mut values = Vec::new();
    while let Some(event) = gate.poll().unwrap() {
        if let GateEvent::Batch(_, batch) = event {
            values.extend(downcast::<Rows<u64>>(batch).unwrap().values);
        }
    }
    values
}

/// What was written down, as a restore would see it.
fn restored(log: InFlightLog) -> Restored {
    let Some(table) = log.into_table(u64::schema()) else {
        return Restored::new();
    };
    let dealer = Dealer {
        parallelism: 1,
        max_parallelism: 1,
        codecs: &[Some(ContainerCodec::rows::<u64>())],
        targets: &[Target::Instance],
        schema: &Schema::UInt(8),
    };
    let old: [Option<TableSnapshot>; 1] = [Some(table)];
    dealer.deal(&old).unwrap().remove(0)
}

fn written(restored: Restored) -> Vec<u64> {
    let batches = restored
        .into_iter()
        .filter_map(|(_, element)| match element {
            StreamElement::Batch(batch) => Some(downcast::<Rows<u64>>(batch).unwrap().values),
            _ => None,
        });
    batches.flatten().collect()
}

#[test]
fn a_barrier_overtakes_a_full_channel_and_what_its_sender_could_not_send() {
    let (mut senders, mut gate) = gate(1, Restored::new());
    let sender = senders.remove(0);
    let mut partition = ResultPartition::new(Partitioning::Forward, vec![sender], 1, 1, 0);
    for value in 0..5 {
        let StreamElement::Batch(batch) = rows(value) else {
            unreachable!()
        };
        partition.emit(batch).unwrap();
    }
    assert!(!partition.is_ready(), "two are in the channel, three wait");
    assert!(gate.announced().is_none());
    partition.control(Control::Barrier(barrier(1)));
    assert_eq!(gate.announced(), Some(barrier(1)));
    gate.overtake(barrier(1), InFlightLog::default()).unwrap();
    assert!(gate.announced().is_none(), "it has passed");
    let mut captured = gate.capture().unwrap();
    while captured.is_none() {
        assert!(gate.is_capturing());
        assert!(!partition.is_ready(), "what is behind the barrier waits");
        captured = gate.capture().unwrap();
    }
    let (checkpoint, log) = captured.unwrap();
    assert_eq!(
        (checkpoint, written(restored(log))),
        (1, vec![0, 1, 2, 3, 4])
    );
    assert!(
        !partition.is_ready(),
        "the receiver holds five batches already"
    );
    assert_eq!(
        values(&mut gate),
        [0, 1, 2, 3, 4],
        "all are processed as well"
    );
    assert!(partition.is_ready());
}

#[test]
fn a_channel_without_a_barrier_is_read_on_and_written_down_up_to_it() {
    let (mut senders, mut gate) = gate(2, Restored::new());
    senders[0].announce(barrier(4));
    senders[0].send(StreamElement::Barrier(barrier(4))).unwrap();
    gate.overtake(barrier(4), InFlightLog::default()).unwrap();
    assert!(gate.capture().unwrap().is_none());
    senders[1].send(rows(7)).unwrap();
    assert_eq!(values(&mut gate), [7]);
    senders[0].send(rows(1)).unwrap();
    senders[1].announce(barrier(4));
    senders[1].send(StreamElement::Barrier(barrier(4))).unwrap();
    senders[1].send(rows(8)).unwrap();
    let (_, log) = gate.capture().unwrap().unwrap();
    assert_eq!(
        written(restored(log)),
        [7],
        "what is behind a barrier is not in it"
    );
    assert_eq!(values(&mut gate).len(), 2);
}

#[test]
fn the_end_of_a_channel_stands_for_its_barrier() {
    let (mut senders, mut gate) = gate(2, Restored::new());
    senders[0].announce(barrier(1));
    senders[0].send(StreamElement::Barrier(barrier(1))).unwrap();
    senders[1].send(rows(3)).unwrap();
    senders[1].send(StreamElement::EndOfInput).unwrap();
    senders[1].announce_end();
    gate.overtake(barrier(1), InFlightLog::default()).unwrap();
    let (_, log) = gate.capture().unwrap().unwrap();
    assert_eq!(written(restored(log)), [3]);
}

#[test]
fn a_newer_barrier_behind_an_abandoned_one_is_not_read_past() {
    let (mut senders, mut gate) = gate(2, Restored::new());
    senders[0].announce(barrier(1));
    senders[0].send(StreamElement::Barrier(barrier(1))).unwrap();
    gate.overtake(barrier(1), InFlightLog::default()).unwrap();
    assert!(gate.capture().unwrap().is_none());
    // The other sender has never heard of checkpoint 1.
    senders[1].announce(barrier(2));
    senders[1].send(StreamElement::Barrier(barrier(2))).unwrap();
    senders[1].send(rows(9)).unwrap();
    let abandoned = gate.capture().unwrap();
    assert!(abandoned.is_some(), "nothing of it is left to come");
    assert!(
        values(&mut gate).is_empty(),
        "`9` belongs behind checkpoint 2"
    );
    gate.overtake(barrier(2), InFlightLog::default()).unwrap();
    assert_eq!(values(&mut gate), [9]);
}

#[test]
fn watermarks_come_back_where_they_were_and_before_anything_new() {
    let (mut senders, mut gate) = gate(1, Restored::new());
    let send = |sender: &mut Sender, element| sender.send(element).unwrap();
    send(&mut senders[0], StreamElement::Watermark(Watermark(5)));
    assert!(matches!(
        gate.poll().unwrap(),
        Some(GateEvent::Watermark(Watermark(5)))
    ));
    send(&mut senders[0], rows(1));
    send(&mut senders[0], StreamElement::Watermark(Watermark(8)));
    senders[0].announce(barrier(1));
    gate.overtake(barrier(1), InFlightLog::default()).unwrap();
    assert!(gate.capture().unwrap().is_none());
    let held = senders[0].send(rows(3));
    assert!(held.is_err(), "only what the barrier waits for");
    senders[0]
        .press(StreamElement::Barrier(barrier(1)))
        .unwrap();
    let (_, log) = gate.capture().unwrap().unwrap();

    let (mut senders, mut gate) = self::gate(1, restored(log));
    send(&mut senders[0], rows(2));
    send(&mut senders[0], StreamElement::Watermark(Watermark(6)));
    let mut seen = Vec::new();
    while let Some(event) = gate.poll().unwrap() {
        seen.push(match event {
            GateEvent::Batch(_, batch) => {
                format!("{:?}", downcast::<Rows<u64>>(batch).unwrap().values)
            }
            GateEvent::Watermark(watermark) => format!("W{}", watermark.0),
            _ => "other".to_owned(),
        });
    }
    assert_eq!(
        seen,
        ["W5", "[1]", "W8", "[2]"],
        "`W6` would be a step back"
    );
}

//! `GROUP BY` over session windows.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | insertions with a time column, keyed by the other group columns             |
//! | Output   | insertions: one row a session, when the watermark reaches its end - 1       |
//! | Late     | a row whose session, merged with all it touches, has ended is dropped       |
//! | State    | `sessions`: bounds and accumulators of every open session                   |
//! | Timers   | event time, one a session end                                               |
//! | Cost     | one hash look-up and a search among the key's open sessions a row           |
//! | Source   | Flink SQL, SESSION; sessions exactly a gap apart touch and merge            |

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{Array, ArrayRef};
use thalweg_columnar::{ColumnBatch, GroupKeys};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{EntrySink, ErasedKeyIndex, Slot, StateTable, TableHandle};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

use super::aggregate::{Accumulator, EvaluatedCall, Input, accumulators};
use super::expr::{evaluate, evaluate_all};
use super::group_aggregate::{read_group, write_groups};
use super::window_aggregate::WindowAggregateSpec;
use super::window_spec::to_millis;

/// The operator.
pub struct SessionAggregate {
    spec: WindowAggregateSpec,
    gap: i64,
    table: TableHandle<SessionTable>,
    keys: Vec<u32>,
    firing: Vec<(u32, Session)>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    start: i64,
    end: i64,
    // The number of its accumulators.
    group: u32,
}

impl SessionAggregate {
    /// Declares the state.
    ///
    /// # Errors
    /// `User` for argument types that an aggregate does not take.
    pub fn new(spec: WindowAggregateSpec, setup: &mut Setup<'_>) -> Result<Self> {
        let table = SessionTable {
            keys: GroupKeys::new(spec.key_types.clone()),
            global: spec.key_types.is_empty(),
            sessions: Vec::new(),
            ends: BTreeMap::new(),
            accumulators: accumulators(&spec.calls, false)?,
            groups: 0,
            free: Vec::new(),
        };
        let table = setup.states.table("sessions", table);
        let gap = spec.window.size();
        Ok(SessionAggregate {
            spec,
            gap,
            table,
            keys: Vec::new(),
            firing: Vec::new(),
        })
    }

    fn emit(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        while !self.firing.is_empty() {
            if out.is_full() {
                return Ok(Progress::Pending);
            }
            let rest = self.firing.split_off(out.rows_max().min(self.firing.len()));
            let now = std::mem::replace(&mut self.firing, rest);
            let keys: Vec<u32> = now.iter().map(|(key, _)| *key).collect();
            let groups: Vec<u32> = now.iter().map(|(_, session)| session.group).collect();
            let table = ctx.states_mut().get_mut(&self.table);
            let key_columns = if table.global {
                Vec::new()
            } else {
                table.keys.columns(&keys)?
            };
            let results: Result<Vec<ArrayRef>> = table
                .accumulators
                .iter()
                .map(|a| a.result(&groups))
                .collect();
            let bounds = |row: usize| (now[row].1.start, now[row].1.end);
            let rows = self
                .spec
                .output(&key_columns, &results?, &bounds, now.len())?;
            groups.into_iter().for_each(|group| table.give_back(group));
            out.emit(Box::new(rows));
        }
        Ok(Progress::Done)
    }
}

impl BatchOperator for SessionAggregate {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        _: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        if input.kinds().is_some() {
            return Err(Error::unsupported(
                "a session window over an input with updates",
            ));
        }
        let times = to_millis(&evaluate(&self.spec.time, input.records())?)?;
        if times.null_count() > 0 {
            return Err(Error::user(
                "the time attribute of a window is NULL; rows need a timestamp",
            ));
        }
        let columns = evaluate_all(&self.spec.keys, input.records())?;
        let evaluated: Result<Vec<_>> = self
            .spec
            .calls
            .iter()
            .map(|call| call.evaluate(input.records()))
            .collect();
        let evaluated = evaluated?;
        let watermark = ctx.watermark();
        let table = ctx.states_mut().get_mut(&self.table);
        self.keys.clear();
        if table.global {
            self.keys.resize(input.num_rows(), 0);
        } else {
            table
                .keys
                .intern(&columns, input.num_rows(), &mut self.keys)?;
        }
        let mut placed = Placed::default();
        let mut late = 0;
        for (row, time) in times.values().iter().enumerate() {
            match table.place(self.keys[row], *time, self.gap, watermark, &mut placed)? {
                Some(group) => placed.rows.push((row as u32, group)),
                None => late += 1,
            }
            if placed.merged {
                table.update(&mut placed, &evaluated)?;
            }
        }
        table.update(&mut placed, &evaluated)?;
        ctx.metrics().late_dropped.add(late);
        for end in placed.new_ends {
            ctx.register_event_timer(EventTime(end - 1));
        }
        Ok(Progress::Done)
    }

    fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.emit(ctx, out)
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let table = ctx.states_mut().get_mut(&self.table);
        self.firing = table.fire(time.millis() + 1);
        self.emit(ctx, out)
    }
}

/// Rows of a batch that have a session but are not added yet.
#[derive(Default)]
struct Placed {
    rows: Vec<(u32, u32)>,
    // Sessions were merged: what was placed must be added before their numbers are used again.
    merged: bool,
    moves: Vec<(u32, u32)>,
    new_ends: BTreeSet<i64>,
}

/// The open sessions.
pub struct SessionTable {
    keys: GroupKeys,
    global: bool,
    // By key, in order of time.
    sessions: Vec<Vec<Session>>,
    // Which keys have a session that ends there.
    ends: BTreeMap<i64, BTreeSet<u32>>,
    accumulators: Vec<Box<dyn Accumulator>>,
    groups: u32,
    free: Vec<u32>,
}

impl SessionTable {
    fn place(
        &mut self,
        key: u32,
        time: i64,
        gap: i64,
        watermark: Watermark,
        placed: &mut Placed,
    ) -> Result<Option<u32>> {
        let index = key as usize;
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, Vec::new);
        }
        let sessions = &self.sessions[index];
        let (mut start, mut end) = (time, time + gap);
        // Touching counts: sessions exactly a gap apart are one.
        let first = sessions
            .iter()
            .position(|s| s.end >= start && s.start <= end);
        let Some(first) = first else {
            if watermark >= Watermark(end - 1) {
                return Ok(None);
            }
            let group = self.take_group();
            let at = self.sessions[index].partition_point(|s| s.start < start);
            self.sessions[index].insert(at, Session { start, end, group });
            self.move_end(key, None, end, placed);
            return Ok(Some(group));
        };
        let touched = sessions[first..]
            .iter()
            .take_while(|s| s.end >= start && s.start <= end)
            .count();
        let own = sessions[first];
        let last = sessions[first + touched - 1];
        start = start.min(own.start);
        end = end.max(last.end);
        if touched == 1 && own.start == start && own.end == end {
            return Ok(Some(own.group));
        }
        let others: Vec<Session> = self.sessions[index]
            .drain(first + 1..first + touched)
            .collect();
        self.sessions[index][first] = Session {
            start,
            end,
            group: own.group,
        };
        self.move_end(key, Some(own.end), end, placed);
        for other in others {
            self.forget_end(key, other.end, end);
            placed.moves.push((other.group, own.group));
            placed.merged = true;
        }
        Ok(Some(own.group))
    }

    fn move_end(&mut self, key: u32, from: Option<i64>, to: i64, placed: &mut Placed) {
        if from == Some(to) {
            return;
        }
        if let Some(from) = from {
            self.forget_end(key, from, to);
        }
        self.ends.entry(to).or_default().insert(key);
        placed.new_ends.insert(to);
    }

    fn forget_end(&mut self, key: u32, end: i64, kept: i64) {
        if end == kept {
            return;
        }
        if let Some(keys) = self.ends.get_mut(&end) {
            keys.remove(&key);
            if keys.is_empty() {
                self.ends.remove(&end);
            }
        }
    }

    fn take_group(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.groups += 1;
            for accumulator in &mut self.accumulators {
                accumulator.resize(self.groups as usize);
            }
            self.groups - 1
        })
    }

    fn give_back(&mut self, group: u32) {
        for accumulator in &mut self.accumulators {
            accumulator.clear(group);
        }
        self.free.push(group);
    }

    /// Adds the placed rows, then carries out the merges.
    fn update(&mut self, placed: &mut Placed, calls: &[EvaluatedCall]) -> Result<()> {
        let rows: Vec<u32> = placed.rows.iter().map(|(row, _)| *row).collect();
        let groups: Vec<u32> = placed.rows.iter().map(|(_, group)| *group).collect();
        placed.rows.clear();
        if !rows.is_empty() {
            let rows = arrow_array::UInt32Array::from(rows);
            for (accumulator, call) in self.accumulators.iter_mut().zip(calls) {
                let args: Result<Vec<ArrayRef>> = call
                    .args
                    .iter()
                    .map(|arg| arrow_select::take::take(arg, &rows, None))
                    .map(|taken| taken.map_err(thalweg_columnar::arrow_error))
                    .collect();
                let filter = call.filter.as_ref().map(|filter| {
                    let values = rows.values().iter().map(|row| filter.value(*row as usize));
                    arrow_array::BooleanArray::from(values.collect::<Vec<bool>>())
                });
                accumulator.update(&Input {
                    groups: &groups,
                    args: &args?,
                    filter: filter.as_ref(),
                    kinds: None,
                })?;
            }
        }
        for (from, to) in placed.moves.drain(..) {
            for accumulator in &mut self.accumulators {
                let state = accumulator.state(&[from])?;
                accumulator.merge(&[to], &state)?;
            }
            self.give_back(from);
        }
        placed.merged = false;
        Ok(())
    }

    fn fire(&mut self, end: i64) -> Vec<(u32, Session)> {
        let mut fired = Vec::new();
        for key in self.ends.remove(&end).into_iter().flatten() {
            let sessions = &mut self.sessions[key as usize];
            if let Some(at) = sessions.iter().position(|session| session.end == end) {
                fired.push((key, sessions.remove(at)));
            }
        }
        fired
    }
}

impl StateTable for SessionTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn snapshot(
        &self,
        _: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
        sink: &mut EntrySink<'_>,
    ) {
        let no_keys = GroupKeys::new(Vec::new());
        for (key, sessions) in self.sessions.iter().enumerate() {
            let mut key_bytes = Vec::new();
            if !self.global && !sessions.is_empty() {
                self.keys.write_key(key as u32, &mut key_bytes);
            }
            for session in sessions {
                let mut bytes = Vec::new();
                (session.start, session.end).encode(&mut bytes);
                (key_bytes.len() as u32).encode(&mut bytes);
                bytes.extend_from_slice(&key_bytes);
                let each = |_: u32, _: &[u8], state: &[u8]| bytes.extend_from_slice(state);
                let groups = [session.group];
                let written = write_groups(&no_keys, &self.accumulators, &groups, each);
                assert!(
                    written.is_ok(),
                    "accumulators in memory can be written: {written:?}"
                );
                sink(
                    Some(key_group(stable_hash_bytes(&key_bytes), max_parallelism)),
                    &bytes,
                );
            }
        }
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let (start, end) = <(i64, i64)>::decode(&mut entry)?;
        let len = take_len(&mut entry, 1)?;
        let key_bytes = take_bytes(&mut entry, len)?;
        let key = if self.global {
            0
        } else {
            self.keys.intern_bytes(key_bytes)?
        };
        let group = self.take_group();
        if self.sessions.len() <= key as usize {
            self.sessions.resize_with(key as usize + 1, Vec::new);
        }
        let sessions = &mut self.sessions[key as usize];
        let at = sessions.partition_point(|session| session.start < start);
        sessions.insert(at, Session { start, end, group });
        self.ends.entry(end).or_default().insert(key);
        read_group(&mut self.accumulators, group, entry)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

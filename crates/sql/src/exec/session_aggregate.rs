//! `GROUP BY` over session windows.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | insertions with a time column, keyed by the other group columns             |
//! | Output   | insertions: one row a session, when the watermark reaches its end - 1       |
//! | Late     | a row whose session, merged with all it touches, has ended is dropped       |
//! | State    | `sessions`: bounds and accumulators of every open session, by key           |
//! | Timers   | event time, one: the earliest end that a session was seen with              |
//! | Cost     | one hash look-up and a search among the key's open sessions a row; a session |
//! |          | that grows is not moved: it is looked at again when its old end has come    |
//! | Source   | Flink SQL, SESSION; sessions exactly a gap apart touch and merge            |

mod open_sessions;

use std::collections::BTreeMap;

use arrow_array::{Array, UInt32Array};
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

use self::open_sessions::{OpenSessions, Session};
use super::aggregate::{Accumulators, Changes, EvaluatedCall, evaluate_calls};
use super::expr::{evaluate, evaluate_all};
use super::keyed::entries::KeyedWriter;
use super::keyed::{KeyedPayload, KeyedTable, SharedPayload, SharedStateKeys, StateKeys};
use super::window_aggregate::WindowAggregateSpec;
use super::window_spec::to_millis;

/// The operator.
pub struct SessionAggregate {
    spec: WindowAggregateSpec,
    gap: i64,
    table: TableHandle<KeyedTable<Sessions>>,
    // The earliest timer that is registered, as far as this instance knows.
    armed: Option<i64>,
    placed: Placed,
    firing: Vec<(u32, Session)>,
    // Keys that may have no session any more.
    passed: Vec<u32>,
}

impl SessionAggregate {
    /// Declares the state.
    ///
    /// # Errors
    /// `User` for argument types that an aggregate does not take.
    pub fn new(spec: WindowAggregateSpec, setup: &mut Setup<'_>) -> Result<Self> {
        let changes = Changes {
            retracts: false,
            clears: true,
        };
        let sessions = Sessions {
            sessions: OpenSessions::default(),
            ends: BTreeMap::new(),
            accumulators: Accumulators::new(&spec.calls, changes)?,
            groups: 0,
            free: Vec::new(),
        };
        let table = KeyedTable {
            // A session lives as long as its window.
            keys: StateKeys::new(spec.key_types.clone(), None),
            payload: sessions,
        };
        let table = setup.states.table("sessions", table);
        let gap = spec.window.size();
        Ok(SessionAggregate {
            spec,
            gap,
            table,
            armed: None,
            placed: Placed::default(),
            firing: Vec::new(),
            passed: Vec::new(),
        })
    }

    /// Makes sure of a timer at the earliest listed end.
    fn arm(&mut self, ctx: &mut Context) {
        let table = ctx.states().get(&self.table);
        let first = table.payload.ends.first_key_value();
        let Some(end) = first.map(|(end, _)| *end) else {
            return;
        };
        if self.armed.is_none_or(|armed| end < armed) {
            self.armed = Some(end);
            ctx.register_event_timer(EventTime(end - 1));
        }
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
            let key_columns = table.keys.columns(&keys)?;
            let results = table.payload.accumulators.results(&groups)?;
            let bounds = |row: usize| (now[row].1.start, now[row].1.end);
            let rows = self
                .spec
                .output(&key_columns, &results, &bounds, now.len())?;
            let sessions = &mut table.payload;
            groups.into_iter().for_each(|g| sessions.give_back(g));
            self.passed.extend(keys);
            out.emit(Box::new(rows));
        }
        self.forget_passed(ctx);
        Ok(Progress::Done)
    }

    /// Forgets keys without a session.
    fn forget_passed(&mut self, ctx: &mut Context) {
        let table = ctx.states_mut().get_mut(&self.table);
        table.forget_empty(self.passed.drain(..));
    }
}

impl BatchOperator for SessionAggregate {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.arm(ctx);
        Ok(())
    }

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
        let evaluated = evaluate_calls(&self.spec.calls, input.records())?;
        let watermark = ctx.watermark();
        let table = ctx.states_mut().get_mut(&self.table);
        let placed = &mut self.placed;
        placed.clear();
        table
            .keys
            .intern(&columns, input.num_rows(), &mut placed.keys)?;
        let bound = table.keys.bound();
        let table = &mut table.payload;
        table.grow(bound);
        let mut late = 0;
        for (row, time) in times.values().iter().enumerate() {
            let key = placed.keys[row];
            match table.place(key, *time, self.gap, watermark, &mut placed.moves) {
                Some(group) => placed.put(row, group),
                None => {
                    placed.leave_out(row);
                    self.passed.push(key);
                    late += 1;
                }
            }
            if !placed.moves.is_empty() {
                table.update(placed, row + 1, &evaluated)?;
            }
        }
        table.update(placed, times.len(), &evaluated)?;
        ctx.metrics().late_dropped.add(late);
        self.forget_passed(ctx);
        self.arm(ctx);
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
        // All that is due at once: the timers of a watermark fire before it goes on.
        let upto = ctx.watermark().0.max(time.millis()).saturating_add(1);
        let table = ctx.states_mut().get_mut(&self.table);
        self.firing = table.payload.fire(upto);
        self.armed = None;
        self.arm(ctx);
        self.emit(ctx, out)
    }
}

/// Rows of a batch that have a session but are not added yet.
#[derive(Default)]
struct Placed {
    /// The key of every row of the batch.
    keys: Vec<u32>,
    /// How many rows of the batch were added before.
    added: usize,
    /// The group of every row since then that has one.
    groups: Vec<u32>,
    /// The numbers of these rows, if some between them have no group.
    rows: Option<Vec<u32>>,
    /// Sessions that were merged, from and to: what was placed must be added before their numbers
    /// are used again.
    moves: Vec<(u32, u32)>,
}

impl Placed {
    fn clear(&mut self) {
        self.keys.clear();
        self.start_at(0);
    }

    fn start_at(&mut self, row: usize) {
        self.added = row;
        self.groups.clear();
        self.rows = None;
    }

    fn put(&mut self, row: usize, group: u32) {
        self.groups.push(group);
        if let Some(rows) = &mut self.rows {
            rows.push(row as u32);
        }
    }

    fn leave_out(&mut self, row: usize) {
        let before = self.added as u32..row as u32;
        self.rows.get_or_insert_with(|| before.collect());
    }

    /// The rows with a group, where not all have one or some were added before.
    fn selected(&mut self, upto: usize, rows: usize) -> Option<UInt32Array> {
        match self.rows.take() {
            Some(rows) => Some(UInt32Array::from(rows)),
            None if self.groups.len() == rows => None,
            None => Some(UInt32Array::from_iter_values(
                self.added as u32..upto as u32,
            )),
        }
    }
}

/// Touching counts: sessions exactly a gap apart are one.
fn touches(session: &Session, start: i64, end: i64) -> bool {
    session.end >= start && session.start <= end
}

/// The open sessions.
pub struct Sessions {
    sessions: OpenSessions,
    // The keys of sessions by an end they had once. A key is in vain where its session was merged.
    ends: BTreeMap<i64, Vec<u32>>,
    accumulators: Accumulators,
    groups: u32,
    free: Vec<u32>,
}

impl Sessions {
    /// The group of a row's session; `None` if the row is late.
    #[inline]
    fn place(
        &mut self,
        key: u32,
        time: i64,
        gap: i64,
        watermark: Watermark,
        moves: &mut Vec<(u32, u32)>,
    ) -> Option<u32> {
        let (start, end) = (time, time + gap);
        if let Some(only) = self.sessions.only(key)
            && touches(only, start, end)
        {
            only.start = only.start.min(start);
            only.end = only.end.max(end);
            return Some(only.group);
        }
        let joined = self.join(key, start, end, moves);
        if joined.is_none() && watermark < Watermark(end - 1) {
            let group = self.take_group();
            self.insert(key, start, end, group);
            return Some(group);
        }
        joined
    }

    /// Joins all sessions of a key that a time span touches, if there are any.
    fn join(
        &mut self,
        key: u32,
        mut start: i64,
        mut end: i64,
        moves: &mut Vec<(u32, u32)>,
    ) -> Option<u32> {
        let known = self.sessions.get(key);
        let first = known.iter().position(|s| touches(s, start, end))?;
        let inside = known[first..].iter();
        let touched = inside.take_while(|s| touches(s, start, end)).count();
        start = start.min(known[first].start);
        end = end.max(known[first + touched - 1].end);
        self.sessions.change(key, |sessions| {
            let own = &mut sessions[first];
            let group = own.group;
            (own.start, own.end) = (start, end);
            let others = sessions.drain(first + 1..first + touched);
            moves.extend(others.map(|other| (other.group, group)));
            Some(group)
        })
    }

    fn insert(&mut self, key: u32, start: i64, end: i64, group: u32) {
        let session = Session {
            start,
            end,
            listed: end,
            group,
        };
        self.sessions.insert(key, session);
        self.ends.entry(end).or_default().push(key);
    }

    fn take_group(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.groups += 1;
            self.accumulators.resize(self.groups as usize);
            self.groups - 1
        })
    }

    fn give_back(&mut self, group: u32) {
        self.accumulators.clear(group);
        self.free.push(group);
    }

    /// Adds the rows placed before row `upto`, then carries out the merges.
    fn update(&mut self, placed: &mut Placed, upto: usize, calls: &[EvaluatedCall]) -> Result<()> {
        let selected = placed.selected(upto, placed.keys.len());
        match selected {
            Some(rows) => {
                let taken: Result<Vec<_>> = calls.iter().map(|call| call.take(&rows)).collect();
                self.accumulators.update(&taken?, &placed.groups, None)?;
            }
            None => self.accumulators.update(calls, &placed.groups, None)?,
        }
        placed.start_at(upto);
        for (from, to) in placed.moves.drain(..) {
            let state = self.accumulators.state(&[from])?;
            self.accumulators.merge(&[to], &state)?;
            self.give_back(from);
        }
        Ok(())
    }

    /// Takes out the sessions that end at or before `upto`, in order of their ends.
    fn fire(&mut self, upto: i64) -> Vec<(u32, Session)> {
        let mut fired = Vec::new();
        while let Some(bucket) = self.ends.first_entry().filter(|first| *first.key() <= upto) {
            let (listed, keys) = bucket.remove_entry();
            for key in keys {
                let known = self.sessions.get(key);
                let Some(at) = known.iter().position(|s| s.listed == listed) else {
                    continue;
                };
                let end = known[at].end;
                if end == listed {
                    let session = self.sessions.change(key, |sessions| sessions.remove(at));
                    fired.push((key, session));
                } else {
                    let list = |sessions: &mut Vec<Session>| sessions[at].listed = end;
                    self.sessions.change(key, list);
                    self.ends.entry(end).or_default().push(key);
                }
            }
        }
        fired
    }
}

/// The open sessions at one moment.
pub struct SharedSessions {
    sessions: OpenSessions,
    accumulators: Accumulators,
}

impl KeyedPayload for Sessions {
    type Head = (i64, i64);
    type Shared = SharedSessions;

    fn grow(&mut self, bound: usize) {
        self.sessions.make_room(bound);
    }

    fn restore(&mut self, key: u32, (start, end): (i64, i64), body: &[u8]) -> Result<()> {
        let group = self.take_group();
        self.insert(key, start, end, group);
        self.accumulators.restore(group, body)
    }

    fn is_empty(&self, key: u32) -> bool {
        self.sessions.get(key).is_empty()
    }

    fn clear(&mut self, key: u32) {
        let sessions = self.sessions.change(key, std::mem::take);
        sessions.into_iter().for_each(|s| self.give_back(s.group));
    }

    fn share(&mut self) -> SharedSessions {
        SharedSessions {
            sessions: self.sessions.share(),
            accumulators: self.accumulators.share(),
        }
    }
}

impl SharedPayload for SharedSessions {
    fn write(&self, keys: &SharedStateKeys, entries: &mut KeyedWriter<'_, '_>) -> Result<()> {
        let mut open = Vec::new();
        for key in 0..self.sessions.keys() as u32 {
            open.extend(self.sessions.get(key).iter().map(|session| (key, *session)));
        }
        let groups: Vec<u32> = open.iter().map(|(_, session)| session.group).collect();
        let mut open = open.into_iter();
        self.accumulators.each_state(&groups, |_, state| {
            // Each group is a session's, in the same order.
            if let Some((key, session)) = open.next() {
                let bounds = (session.start, session.end);
                entries.push(&bounds, keys, key, |out| out.extend_from_slice(state))?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

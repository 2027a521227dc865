//! The writer's schema against the reader's: a plan, or what stands in its way.

use super::plan::{Plan, Step};
use super::span::{Span, recursive};
use crate::data::{Field, Name, Schema, Variant};
use crate::error::{Error, Result};

/// Where a value stands, which says how much it may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere else.
    Value,
    /// In the key of a map: different keys must stay different.
    MapKey,
    /// In the key of a stream: its bytes must stay as they are.
    StreamKey,
}

pub(super) struct Resolver {
    place: Place,
    // Of the pair at hand, for errors: `sum.counts[].n`.
    path: String,
}

impl Resolver {
    pub(super) fn new(place: Place) -> Self {
        Resolver {
            place,
            path: String::new(),
        }
    }

    pub(super) fn pair(&mut self, writer: &Schema, reader: &Schema) -> Result<Plan> {
        let shapes = format!("stored as {writer}, now {reader}");
        let Some(plan) = self.resolve(writer, reader)? else {
            return Err(self.refuse(format!("{shapes}{}", renamed(writer, reader))));
        };
        match plan {
            Plan::Copy(_) => Ok(plan),
            _ if self.place == Place::StreamKey => Err(self.refuse(format!(
                "{shapes}; the bytes of a key say its key group and cannot change"
            ))),
            _ => Ok(plan),
        }
    }

    /// None if the two shapes have nothing to do with each other.
    fn resolve(&mut self, writer: &Schema, reader: &Schema) -> Result<Option<Plan>> {
        let widen = |from: u8, to: u8, signed| Plan::Widen {
            from: usize::from(from),
            to: usize::from(to),
            signed,
        };
        Ok(Some(match (writer, reader) {
            (Schema::Recursive(name), _) | (_, Schema::Recursive(name)) => {
                return Err(recursive(name));
            }
            (
                Schema::Unit
                | Schema::Bool
                | Schema::Int(_)
                | Schema::UInt(_)
                | Schema::Float(_)
                | Schema::Text
                | Schema::Bytes,
                _,
            ) if writer == reader => Plan::Copy(Span::of(writer)?),
            (Schema::Int(from), Schema::Int(to)) if from < to => widen(*from, *to, true),
            (Schema::UInt(from), Schema::UInt(to) | Schema::Int(to)) if from < to => {
                widen(*from, *to, false)
            }
            (Schema::Float(4), Schema::Float(8)) => Plan::WidenFloat,
            (Schema::Option(writer), Schema::Option(reader)) => {
                match self.resolve(writer, reader)? {
                    Some(Plan::Copy(span)) => Plan::Copy(Span::Option(Box::new(span))),
                    Some(plan) => Plan::Option(Box::new(plan)),
                    None => return Ok(None),
                }
            }
            (_, Schema::Option(reader)) => match self.resolve(writer, reader)? {
                Some(plan) => Plan::Some(Box::new(plan)),
                None => return Ok(None),
            },
            (Schema::List(writer), Schema::List(reader)) => {
                list(self.within("[]", |inner| inner.pair(writer, reader))?)
            }
            (Schema::Map(key, value), Schema::Map(reader_key, reader_value)) => {
                list(self.map((key, value), (reader_key, reader_value))?)
            }
            (Schema::Struct(stored, writer), Schema::Struct(name, reader))
                if name.reads(stored) =>
            {
                self.fields(writer, reader)?
            }
            (Schema::Enum(stored, writer), Schema::Enum(name, reader)) if name.reads(stored) => {
                self.variants(writer, reader)?
            }
            _ => return Ok(None),
        }))
    }

    fn map(&mut self, writer: (&Schema, &Schema), reader: (&Schema, &Schema)) -> Result<Plan> {
        let place = self.place;
        if place == Place::Value {
            self.place = Place::MapKey;
        }
        let key = self.within("[key]", |inner| inner.pair(writer.0, reader.0));
        self.place = place;
        let value = self.within("[value]", |inner| inner.pair(writer.1, reader.1))?;
        Ok(Plan::in_turn([key?, value]))
    }

    fn fields(&mut self, writer: &[Field], reader: &[Field]) -> Result<Plan> {
        let names: Vec<&Name> = writer.iter().map(|field| &field.name).collect();
        let sources: Vec<_> = reader.iter().map(|f| find(&f.name, &names)).collect();
        let removed = |at: usize| !sources.contains(&Some(at));
        if self.place != Place::Value
            && let Some(at) = (0..writer.len()).find(|at| removed(*at))
        {
            let why = "stored and now gone, which could make two keys one";
            return self.within(&writer[at].name.text, |inner| Err(inner.refuse(why)));
        }
        let mut steps = Vec::new();
        let mut kept = Vec::new();
        let mut next = 0;
        for (turn, (field, source)) in reader.iter().zip(&sources).enumerate() {
            let Some(at) = *source else {
                steps.push(Step::Put(self.default_of(field)?));
                continue;
            };
            let wanted_later = |at: usize| sources[turn + 1..].contains(&Some(at));
            let plan = self.within(&field.name.text, |inner| {
                inner.pair(&writer[at].schema, &field.schema)
            })?;
            while next < at || next == at && wanted_later(at) {
                let span = Span::of(&writer[next].schema)?;
                if next == at || wanted_later(next) {
                    kept.push(next);
                    steps.push(Step::Keep(span));
                } else {
                    steps.push(Step::Pass(span));
                }
                next += 1;
            }
            match kept.iter().position(|kept| *kept == at) {
                Some(place) => steps.push(Step::Kept(place, plan)),
                None => {
                    steps.push(Step::Take(plan));
                    next = at + 1;
                }
            }
        }
        for field in &writer[next..] {
            steps.push(Step::Pass(Span::of(&field.schema)?));
        }
        Ok(Plan::fields(steps))
    }

    fn default_of(&mut self, field: &Field) -> Result<Vec<u8>> {
        self.within(&field.name.text, |inner| {
            match (field.default, &field.schema) {
                _ if inner.place == Place::StreamKey => Err(inner
                    .refuse("not stored; the bytes of a key say its key group and cannot change")),
                (Some(default), _) => Ok(default()),
                (None, Schema::Option(_)) => Ok(vec![0]),
                (None, _) => Err(inner.refuse(format!(
                    "not stored, now {}, without a default: `#[data(default)]` gives it one, \
                     `#[data(alias = \"…\")]` an older name",
                    field.schema
                ))),
            }
        })
    }

    fn variants(&mut self, writer: &[Variant], reader: &[Variant]) -> Result<Plan> {
        let mut plans: Vec<(u32, Plan)> = Vec::new();
        for stored in writer {
            let place = reader
                .iter()
                .position(|variant| variant.name == stored.name)
                .or_else(|| reader.iter().position(|v| v.name.reads(&stored.name)));
            let (number, plan) = self.within(&stored.name.text, |inner| {
                let Some(place) = place else {
                    return Err(inner.refuse(
                        "a variant that is stored and now gone: keep it, or give the one that \
                         takes its place `#[data(alias = \"…\")]`",
                    ));
                };
                let number = place as u32;
                if inner.place != Place::Value && plans.iter().any(|(other, _)| *other == number) {
                    return Err(inner.refuse(format!(
                        "two variants become `{}`, which could make two keys one",
                        reader[place].name.text
                    )));
                }
                Ok((number, inner.fields(&stored.fields, &reader[place].fields)?))
            })?;
            plans.push((number, plan));
        }
        let in_place = (0u32..).zip(&plans).all(|(at, (number, _))| at == *number);
        let copies = |(_, plan): &(u32, Plan)| matches!(plan, Plan::Copy(_));
        if in_place && plans.iter().all(copies) {
            let spans = plans.into_iter().filter_map(|(_, plan)| match plan {
                Plan::Copy(span) => Some(span),
                _ => None,
            });
            return Ok(Plan::Copy(Span::Enum(spans.collect())));
        }
        Ok(Plan::Enum(plans))
    }

    fn within<T>(&mut self, part: &str, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let len = self.path.len();
        if len > 0 && !part.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(part);
        let result = inner(self);
        self.path.truncate(len);
        result
    }

    fn refuse(&self, why: impl Into<String>) -> Error {
        let error = Error::user(why);
        if self.path.is_empty() {
            error
        } else {
            error.context(format!("field `{}`", self.path))
        }
    }
}

fn list(element: Plan) -> Plan {
    match element {
        Plan::Copy(span) => Plan::Copy(Span::List(Box::new(span))),
        plan => Plan::List(Box::new(plan)),
    }
}

/// The stored field that `name` reads: its own name counts before its older ones.
fn find(name: &Name, stored: &[&Name]) -> Option<usize> {
    stored
        .iter()
        .position(|stored| *stored == name)
        .or_else(|| stored.iter().position(|stored| name.reads(stored)))
}

/// What to do if only the name of a type has changed.
fn renamed(writer: &Schema, reader: &Schema) -> String {
    match (writer, reader) {
        (Schema::Struct(stored, _), Schema::Struct(name, _))
        | (Schema::Enum(stored, _), Schema::Enum(name, _))
            if !stored.text.is_empty() && !name.text.is_empty() =>
        {
            format!(
                "; if it was renamed, say so: `#[data(alias = \"{}\")]`",
                stored.text
            )
        }
        _ => String::new(),
    }
}

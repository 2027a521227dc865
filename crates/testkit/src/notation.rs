//! Streams as text: `a@0 k:v@5 W@9 idle active P@100 end`.
//!
//! | Token            | Means                                                                    |
//! |------------------|--------------------------------------------------------------------------|
//! | `value@time`     | a record with its timestamp, which may be negative                       |
//! | `value`          | a record that nobody gave a timestamp                                    |
//! | `W@9`            | the watermark                                                            |
//! | `idle`, `active` | the stream's status                                                      |
//! | `end`            | the end of the input, and the last watermark                             |
//! | `P@100`          | inputs only: the clock moves                                             |
//! | `2>value@time`   | inputs of two ports: this element is for the second                      |
//! | `late>value@5`   | outputs: a record of the side output `late`                              |
//!
//! Tokens stand between white space, so a value's text has none.

use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::WatermarkStatus;

/// A value that has a text: implement it for the types of your own operators.
pub trait Notation: Data {
    /// The value of a text.
    ///
    /// # Errors
    /// `User` if it is the text of none.
    fn parse(text: &str) -> Result<Self>;

    /// The text of a value, without white space.
    fn render(&self) -> String;
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Notation for $type {
            fn parse(text: &str) -> Result<Self> {
                text.parse().map_err(|_| {
                    Error::user(format!("`{text}` is no value of `{}`", stringify!($type)))
                })
            }
            fn render(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
plain!(String, i32, i64, u32, u64, f64, bool);

impl Notation for () {
    fn parse(text: &str) -> Result<Self> {
        match text {
            "()" => Ok(()),
            other => Err(Error::user(format!("`{other}` is no value of `()`"))),
        }
    }
    fn render(&self) -> String {
        "()".to_owned()
    }
}

fn split(text: &str) -> Result<(&str, &str)> {
    text.split_once(':')
        .ok_or_else(|| Error::user(format!("`{text}` is no tuple: it has too few colons")))
}

impl<A: Notation, B: Notation> Notation for (A, B) {
    fn parse(text: &str) -> Result<Self> {
        let (a, b) = split(text)?;
        Ok((A::parse(a)?, B::parse(b)?))
    }
    fn render(&self) -> String {
        format!("{}:{}", self.0.render(), self.1.render())
    }
}

impl<A: Notation, B: Notation, C: Notation> Notation for (A, B, C) {
    fn parse(text: &str) -> Result<Self> {
        let (a, rest) = split(text)?;
        let (b, c) = split(rest)?;
        Ok((A::parse(a)?, B::parse(b)?, C::parse(c)?))
    }
    fn render(&self) -> String {
        let (a, b, c) = self;
        format!("{}:{}:{}", a.render(), b.render(), c.render())
    }
}

impl<T: Notation> Notation for Vec<T> {
    fn parse(text: &str) -> Result<Self> {
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let inner = inner.ok_or_else(|| Error::user(format!("`{text}` is no list")))?;
        let parts = inner.split(',').filter(|part| !part.is_empty());
        parts.map(T::parse).collect()
    }
    fn render(&self) -> String {
        let parts: Vec<String> = self.iter().map(Notation::render).collect();
        format!("[{}]", parts.join(","))
    }
}

impl<T: Notation> Notation for Option<T> {
    fn parse(text: &str) -> Result<Self> {
        match text {
            "-" => Ok(None),
            value => T::parse(value).map(Some),
        }
    }
    fn render(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), T::render)
    }
}

/// An element of an input stream, its value still text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Record(String, EventTime),
    Watermark(i64),
    Status(WatermarkStatus),
    Clock(i64),
    End,
}

fn number(text: &str) -> Result<i64> {
    text.parse()
        .map_err(|_| Error::user(format!("`{text}` is no time")))
}

/// Reads an input stream: elements with their ports; `None` stands for all ports.
pub(crate) fn parse_input(text: &str) -> Result<Vec<(Option<usize>, Element)>> {
    text.split_whitespace()
        .map(|token| {
            let (port, token) = match token.split_once('>') {
                Some(("1", rest)) => (Some(0), rest),
                Some(("2", rest)) => (Some(1), rest),
                _ => (None, token),
            };
            let element = parse_element(token)?;
            let record = matches!(element, Element::Record(..));
            Ok((port.or(record.then_some(0)), element))
        })
        .collect()
}

fn parse_element(token: &str) -> Result<Element> {
    Ok(match token {
        "idle" => Element::Status(WatermarkStatus::Idle),
        "active" => Element::Status(WatermarkStatus::Active),
        "end" => Element::End,
        _ => match token.rsplit_once('@') {
            Some(("W", at)) => Element::Watermark(number(at)?),
            Some(("P", at)) => Element::Clock(number(at)?),
            Some((value, at)) => Element::Record(value.to_owned(), EventTime(number(at)?)),
            None => Element::Record(token.to_owned(), EventTime::NONE),
        },
    })
}

/// The text of a record.
pub(crate) fn render_record<T: Notation>(value: &T, time: EventTime) -> String {
    if time == EventTime::NONE {
        value.render()
    } else {
        format!("{}@{time}", value.render())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_text() {
        for text in ["a:-3:[1,2]", "b:0:[]"] {
            let value = <(String, i64, Vec<u32>)>::parse(text).unwrap();
            assert_eq!(value.render(), text);
        }
        assert_eq!(<(String, Option<i64>)>::parse("k:-").unwrap().1, None);
        assert!(<(String, i64)>::parse("k").is_err());
        assert!(i64::parse("x").is_err());
    }

    #[test]
    fn a_stream_is_read_token_by_token() {
        let elements = parse_input("k:v@-5 2>x W@9 1>idle end").unwrap();
        assert_eq!(
            elements,
            [
                (Some(0), Element::Record("k:v".into(), EventTime(-5))),
                (Some(1), Element::Record("x".into(), EventTime::NONE)),
                (None, Element::Watermark(9)),
                (Some(0), Element::Status(WatermarkStatus::Idle)),
                (None, Element::End),
            ]
        );
        assert!(parse_input("a@b").is_err());
    }
}

//! Dates, times and timestamps to and from text, in the proleptic Gregorian calendar.
//!
//! Timestamps have a fixed width, and successive records mostly share their day; so a day is
//! looked up by its ten bytes before it is computed.

use arrow_schema::TimeUnit;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// How a timestamp is written between date and time, and what may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standard {
    /// `yyyy-MM-dd HH:mm:ss[.fffffffff]`.
    Sql,
    /// `yyyy-MM-ddTHH:mm[:ss[.fffffffff]]`.
    Iso,
    /// As `Iso`, with an optional offset such as `+08:00`; without one, UTC.
    IsoOffset,
    /// A blank or a `T`, and an offset where an instant is meant.
    Lenient,
}

/// An instant, or a wall-clock value as if it were one in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Seconds since 1970, rounded down.
    pub seconds: i64,
    pub nanos: u32,
}

impl Stamp {
    /// The number a column of `unit` holds, rounded down; `None` if it does not fit.
    #[inline]
    pub fn to_unit(self, unit: TimeUnit) -> Option<i64> {
        let nanos = i64::from(self.nanos);
        match unit {
            TimeUnit::Second => Some(self.seconds),
            TimeUnit::Millisecond => self
                .seconds
                .checked_mul(1_000)?
                .checked_add(nanos / 1_000_000),
            TimeUnit::Microsecond => self
                .seconds
                .checked_mul(1_000_000)?
                .checked_add(nanos / 1_000),
            TimeUnit::Nanosecond => self.seconds.checked_mul(1_000_000_000)?.checked_add(nanos),
        }
    }

    /// The instant of `value` in a column of `unit`.
    pub fn from_unit(value: i64, unit: TimeUnit) -> Stamp {
        let per_second = per_second(unit);
        let nanos = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
        Stamp {
            seconds: value.div_euclid(per_second),
            nanos: nanos as u32,
        }
    }
}

/// How many of `unit` make a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Remembers the last day and the last minute read, because the next record is mostly of the same.
#[derive(Clone, Debug)]
pub(crate) struct DayCache {
    text: [u8; 10],
    days: i64,
    /// `yyyy-MM-dd HH:mm`, with whatever stood between date and time.
    minute: [u8; 16],
    /// Milliseconds since 1970 at the start of that minute.
    minute_millis: i64,
}

impl Default for DayCache {
    fn default() -> Self {
        DayCache {
            text: *b"1970-01-01",
            days: 0,
            minute: *b"1970-01-01 00:00",
            minute_millis: 0,
        }
    }
}

impl DayCache {
    #[inline(always)]
    fn days(&mut self, text: &[u8; 10]) -> Option<i64> {
        if *text != self.text {
            self.days = parse_date(text)?;
            self.text = *text;
        }
        Some(self.days)
    }

    /// Milliseconds since 1970 of `yyyy-MM-dd HH:mm:ss.SSS"`, the most usual form of a timestamp,
    /// with `separator` between date and time. `None` if it is none, or has another form.
    #[inline(always)]
    pub fn quoted_millis(&mut self, text: &[u8; 24], separator: u8) -> Option<i64> {
        let (minute, rest) = (text.first_chunk::<16>()?, text.last_chunk::<8>()?);
        if text[10] != separator {
            return None;
        }
        // As in `clock`: digits become 0..=9, what stands between them 0.
        let lanes = u64::from_le_bytes(*rest) ^ u64::from_le_bytes(*b":00.000\"");
        let limits = u64::from_le_bytes([0x7f, 0x7a, 0x76, 0x7f, 0x76, 0x76, 0x76, 0x7f]);
        if (lanes.wrapping_add(limits) | lanes) & 0x8080_8080_8080_8080 != 0 {
            return None;
        }
        if u128::from_le_bytes(*minute) != u128::from_le_bytes(self.minute) {
            self.begin_minute(minute)?;
        }
        let lane = |at: u32| (lanes >> (8 * at)) & 0xff;
        let millis = lane(1) * 10_000 + lane(2) * 1_000 + lane(4) * 100 + lane(5) * 10 + lane(6);
        Some(self.minute_millis + millis as i64)
    }

    #[cold]
    #[inline(never)]
    fn begin_minute(&mut self, minute: &[u8; 16]) -> Option<()> {
        let days = self.days(minute.first_chunk()?)?;
        let &[a, b, colon, c, d] = minute.last_chunk()?;
        let second = clock(&[a, b, colon, c, d, b':', b'0', b'0'])?;
        self.minute = *minute;
        self.minute_millis = (days * DAY + second) * 1_000;
        Some(())
    }
}

/// Milliseconds since 1970 as the number a column of `unit` holds; `None` for the units that are
/// not worth a shortcut.
#[inline(always)]
pub(crate) fn millis_to_unit(millis: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Millisecond => Some(millis),
        TimeUnit::Microsecond => millis.checked_mul(1_000),
        TimeUnit::Second | TimeUnit::Nanosecond => None,
    }
}

/// The timestamp at the head of `bytes` and the length of its text, if it has the usual form:
/// ten bytes of date, `separator`, eight of time, and up to nine digits of fraction.
#[inline(always)]
pub(crate) fn stamp_prefix(
    bytes: &[u8],
    separator: u8,
    cache: &mut DayCache,
) -> Option<(Stamp, usize)> {
    let days = cache.days(bytes.first_chunk()?)?;
    if *bytes.get(10)? != separator {
        return None;
    }
    let second = clock(bytes.get(11..)?.first_chunk()?)?;
    let seconds = days * DAY + second;
    let mut nanos = 0;
    let mut end = 19;
    if bytes.get(19) == Some(&b'.') {
        (nanos, end) = fraction(bytes, 20)?;
    }
    Some((Stamp { seconds, nanos }, end))
}

/// `HH:mm:ss` as seconds of the day.
#[inline(always)]
fn clock(text: &[u8; 8]) -> Option<i64> {
    // Digits become 0..=9 and colons 0; anything else leaves a lane out of range.
    let lanes = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*b"00:00:00");
    let limits = u64::from_le_bytes([0x7d, 0x76, 0x7f, 0x7a, 0x76, 0x7f, 0x7a, 0x76]);
    if (lanes.wrapping_add(limits) | lanes) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let two =
        |at: u32| (((lanes >> (8 * at)) & 0xff) * 10 + ((lanes >> (8 * at + 8)) & 0xff)) as i64;
    let hour = two(0);
    (hour < 24).then_some(hour * 3_600 + two(3) * 60 + two(6))
}

/// One to nine digits of a second from `at`, as nanoseconds, and the first byte after them.
#[inline(always)]
fn fraction(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    const SCALE: [u32; 10] = [
        0,
        100_000_000,
        10_000_000,
        1_000_000,
        100_000,
        10_000,
        1_000,
        100,
        10,
        1,
    ];
    let (value, end) = crate::number::digits(bytes, at)?;
    let scale = SCALE.get(end - at)?;
    Some((value as u32 * scale, end))
}

/// The whole of `text` as a timestamp under `standard`; `zoned` for TIMESTAMP_LTZ.
pub(crate) fn parse_stamp(
    text: &[u8],
    standard: Standard,
    zoned: bool,
    cache: &mut DayCache,
) -> Option<Stamp> {
    let days = cache.days(text.first_chunk()?)?;
    let separated = matches!(
        (text.get(10)?, standard),
        (b' ', Standard::Sql | Standard::Lenient)
            | (
                b'T',
                Standard::Iso | Standard::IsoOffset | Standard::Lenient
            )
    );
    if !separated {
        return None;
    }
    let seconds_optional = standard != Standard::Sql;
    let (second, nanos, end) = parse_clock(text.get(11..)?, seconds_optional)?;
    let offset = match (text.get(11 + end..)?, zoned, standard) {
        (b"", false, _) | (b"", _, Standard::IsoOffset) => 0,
        (b"Z", true, _) | (b"Z", _, Standard::IsoOffset) => 0,
        (zone, true, Standard::Lenient) | (zone, _, Standard::IsoOffset) => parse_offset(zone)?,
        _ => return None,
    };
    Some(Stamp {
        seconds: days * DAY + second - offset,
        nanos,
    })
}

/// The whole of `text` as a time of day: seconds and nanoseconds.
pub(crate) fn parse_time(text: &[u8], seconds_optional: bool) -> Option<Stamp> {
    let (seconds, nanos, end) = parse_clock(text, seconds_optional)?;
    (end == text.len()).then_some(Stamp { seconds, nanos })
}

fn parse_clock(text: &[u8], seconds_optional: bool) -> Option<(i64, u32, usize)> {
    if let Some(second) = text.first_chunk().and_then(clock) {
        return match text.get(8) {
            Some(b'.') => fraction(text, 9).map(|(nanos, end)| (second, nanos, end)),
            _ => Some((second, 0, 8)),
        };
    }
    if !seconds_optional {
        return None;
    }
    let &[a, b, colon, c, d] = text.first_chunk()?;
    let second = clock(&[a, b, colon, c, d, b':', b'0', b'0'])?;
    Some((second, 0, 5))
}

/// `Z`, `+hh`, `+hh:mm` or `+hhmm`, as seconds east of UTC.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [b'Z'] => return Some(0),
        [sign, a, b] => (sign, [a, b], *b"00"),
        [sign, a, b, b':', c, d] | [sign, a, b, c, d] => (sign, [a, b], [c, d]),
        _ => return None,
    };
    let seconds = clock(&[
        hours[0], hours[1], b':', minutes[0], minutes[1], b':', b'0', b'0',
    ])?;
    match sign {
        b'+' if seconds <= 18 * 3_600 => Some(seconds),
        b'-' if seconds <= 18 * 3_600 => Some(-seconds),
        _ => None,
    }
}

/// The whole of `text`, `yyyy-MM-dd`, as days since 1970.
pub(crate) fn parse_date(text: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    if ![y1, y2, y3, y4, m1, m2, d1, d2]
        .iter()
        .all(u8::is_ascii_digit)
    {
        return None;
    }
    let two = |high: u8, low: u8| i64::from(high - b'0') * 10 + i64::from(low - b'0');
    let (year, month, day) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| days_of(year, month, day))
}

/// Days since 1970 of a date (Hinnant's `days_from_civil`: years begin in March, so that the leap
/// day is the last).
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970.
fn date_of(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month as u8,
        day as u8,
    )
}

fn push_two(value: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
}

/// Appends `yyyy-MM-dd`; years outside 0 to 9999 take more digits and a sign.
pub(crate) fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = date_of(days);
    if (0..=9_999).contains(&year) {
        push_two((year / 100) as u8, out);
        push_two((year % 100) as u8, out);
    } else {
        out.extend_from_slice(format!("{year:+05}").as_bytes());
    }
    out.push(b'-');
    push_two(month, out);
    out.push(b'-');
    push_two(day, out);
}

/// Appends `HH:mm:ss`, and as many digits of the fraction as say all of it.
pub(crate) fn write_time(second_of_day: i64, nanos: u32, out: &mut Vec<u8>) {
    push_two((second_of_day / 3_600) as u8, out);
    out.push(b':');
    push_two((second_of_day / 60 % 60) as u8, out);
    out.push(b':');
    push_two((second_of_day % 60) as u8, out);
    if nanos != 0 {
        let mut digits = *b".000000000";
        let (mut rest, mut len) = (nanos, digits.len());
        for digit in digits.iter_mut().skip(1).rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        while digits.get(len - 1) == Some(&b'0') {
            len -= 1;
        }
        out.extend_from_slice(digits.get(..len).unwrap_or_default());
    }
}

/// Appends a timestamp with `separator` between date and time.
pub(crate) fn write_stamp(stamp: Stamp, separator: u8, out: &mut Vec<u8>) {
    write_date(stamp.seconds.div_euclid(DAY), out);
    out.push(separator);
    write_time(stamp.seconds.rem_euclid(DAY), stamp.nanos, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sql(text: &str) -> Option<Stamp> {
        parse_stamp(
            text.as_bytes(),
            Standard::Sql,
            false,
            &mut DayCache::default(),
        )
    }

    #[test]
    fn every_day_of_four_centuries_is_read_back() {
        let mut text = Vec::new();
        for days in -146_097..146_097 {
            text.clear();
            write_date(days, &mut text);
            assert_eq!(parse_date(&text), Some(days));
        }
    }

    #[test]
    fn known_instants_are_right() {
        assert_eq!(
            sql("1970-01-01 00:00:00"),
            Some(Stamp {
                seconds: 0,
                nanos: 0
            })
        );
        let spring = Stamp {
            seconds: 1_709_963_910,
            nanos: 123_000_000,
        };
        assert_eq!(sql("2024-03-09 05:58:30.123"), Some(spring));
        assert_eq!(
            spring.to_unit(TimeUnit::Millisecond),
            Some(1_709_963_910_123)
        );
        assert_eq!(
            sql("1969-12-31 23:59:59.5"),
            Some(Stamp {
                seconds: -1,
                nanos: 500_000_000
            })
        );
    }

    #[test]
    fn dates_and_times_that_do_not_exist_are_refused() {
        for wrong in [
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-00-01 00:00:00",
            "2024-01-32 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01 00:00:60",
            "2024-01-01T00:00:00",
            "2024-01-01 00:00",
            "2024-01-01",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567890",
            "2024-01-01 00:00:00Z",
            "2024-01-01 0a:00:00",
            "2024-01-01 00;00:00",
            "",
        ] {
            assert_eq!(sql(wrong), None, "{wrong}");
        }
        assert!(sql("2024-02-29 00:00:00").is_some());
    }

    #[test]
    fn an_instant_has_a_zone_and_a_wall_clock_has_none() {
        let mut cache = DayCache::default();
        let mut parse = |text: &str, standard, zoned| {
            parse_stamp(text.as_bytes(), standard, zoned, &mut cache).map(|stamp| stamp.seconds)
        };
        assert_eq!(parse("1970-01-01 00:00:01Z", Standard::Sql, true), Some(1));
        assert_eq!(parse("1970-01-01 00:00:01", Standard::Sql, true), None);
        assert_eq!(parse("1970-01-01T00:00:01Z", Standard::Iso, true), Some(1));
        assert_eq!(parse("1970-01-01T00:01", Standard::Iso, false), Some(60));
        assert_eq!(
            parse("1970-01-01T01:00:01+01:00", Standard::IsoOffset, true),
            Some(1)
        );
        assert_eq!(
            parse("1970-01-01T00:00:01", Standard::IsoOffset, true),
            Some(1)
        );
        assert_eq!(
            parse("1970-01-01T00:00:01Z", Standard::Lenient, true),
            Some(1)
        );
        assert_eq!(
            parse("1969-12-31 19:00:01-05:00", Standard::Lenient, true),
            Some(1)
        );
    }

    proptest! {
        #[test]
        fn any_timestamp_is_read_as_written(
            seconds in -62_167_219_200i64..253_402_300_800, nanos in 0u32..1_000_000_000,
        ) {
            let stamp = Stamp { seconds, nanos };
            let mut text = Vec::new();
            write_stamp(stamp, b' ', &mut text);
            let mut cache = DayCache::default();
            prop_assert_eq!(parse_stamp(&text, Standard::Sql, false, &mut cache), Some(stamp));
            prop_assert_eq!(stamp_prefix(&text, b' ', &mut cache), Some((stamp, text.len())));
        }

        #[test]
        fn a_timestamp_in_its_usual_form_is_read_as_any_other(
            seconds in -62_167_219_200i64..253_402_300_800, millis in 0u32..1_000, again in 0i64..99,
            change in prop::option::of((0usize..24, any::<u8>())),
        ) {
            let mut cache = DayCache::default();
            for seconds in [seconds, (seconds + again).min(253_402_300_799)] {
                let stamp = Stamp { seconds, nanos: 0 };
                let mut text = Vec::new();
                write_stamp(stamp, b' ', &mut text);
                text.extend_from_slice(format!(".{millis:03}\"").as_bytes());
                let mut text: [u8; 24] = *text.first_chunk().expect("a usual timestamp");
                if let Some((at, byte)) = change {
                    text[at] = byte;
                }
                let plain = parse_stamp(&text[..23], Standard::Sql, false, &mut DayCache::default());
                let plain = plain.and_then(|stamp| stamp.to_unit(TimeUnit::Millisecond));
                let plain = plain.filter(|_| text[23] == b'"');
                let quick = cache.quoted_millis(&text, b' ');
                // Other forms of a fraction are left to the general path.
                prop_assert!(quick == plain || quick.is_none() && text[19] != b'.');
            }
        }
    }

    #[test]
    fn units_round_towards_the_past() {
        let before = Stamp {
            seconds: -1,
            nanos: 999_999_999,
        };
        assert_eq!(before.to_unit(TimeUnit::Millisecond), Some(-1));
        assert_eq!(Stamp::from_unit(-1, TimeUnit::Millisecond).seconds, -1);
        assert_eq!(
            Stamp {
                seconds: i64::MAX,
                nanos: 0
            }
            .to_unit(TimeUnit::Nanosecond),
            None
        );
    }
}

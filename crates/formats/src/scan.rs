//! Finds the byte that ends a run of text, sixteen bytes at a time.
//!
//! Text formats spend most of their time looking for the end of strings. A call to a general
//! search costs as much as a short string, so the loops here are inlined, look for all ending
//! bytes at once, and tell in the same pass whether the run was ASCII, which spares a second pass
//! for UTF-8.

/// Where a run ends and what it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first byte that is not of the run; the length of the input if none is.
    pub end: usize,
    /// True if all bytes of the run are known to be ASCII.
    pub ascii: bool,
}

/// The run of a JSON string from `at`: up to a quote, a backslash or a control character.
#[inline]
pub(crate) fn json_string(bytes: &[u8], at: usize) -> Run {
    run(bytes, at, JsonStop)
}

/// The run of an unquoted CSV field from `at`: up to a delimiter or a line feed.
#[inline]
pub(crate) fn csv_field(bytes: &[u8], at: usize, delimiter: u8) -> Run {
    run(bytes, at, EitherStop(delimiter, b'\n'))
}

/// The run of the inside of a quoted CSV field: up to the quote or the escape character.
#[inline]
pub(crate) fn csv_quoted(bytes: &[u8], at: usize, quote: u8, escape: u8) -> Run {
    run(bytes, at, EitherStop(quote, escape))
}

/// True if `bytes` have one of `stops`.
#[inline]
pub(crate) fn has_any(bytes: &[u8], stops: [u8; 5]) -> bool {
    run(bytes, 0, AnyStop(stops)).end < bytes.len()
}

/// The position of the next line feed at or after `at`.
pub(crate) fn line_feed(bytes: &[u8], at: usize) -> Option<usize> {
    let run = run(bytes, at, EitherStop(b'\n', b'\n'));
    (run.end < bytes.len()).then_some(run.end)
}

/// Which bytes end a run.
trait Stop: Copy {
    fn stops(self, byte: u8) -> bool;

    #[cfg(target_arch = "x86_64")]
    fn lanes(self, chunk: std::arch::x86_64::__m128i) -> std::arch::x86_64::__m128i;
}

#[derive(Clone, Copy)]
struct JsonStop;

impl Stop for JsonStop {
    #[inline(always)]
    fn stops(self, byte: u8) -> bool {
        byte == b'"' || byte == b'\\' || byte < 0x20
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lanes(self, chunk: std::arch::x86_64::__m128i) -> std::arch::x86_64::__m128i {
        use std::arch::x86_64::*;
        // SAFETY: SSE2 belongs to every x86-64 processor.
        unsafe {
            let quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'"' as i8));
            let escape = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'\\' as i8));
            let control = _mm_cmpeq_epi8(_mm_min_epu8(chunk, _mm_set1_epi8(0x1f)), chunk);
            _mm_or_si128(_mm_or_si128(quote, escape), control)
        }
    }
}

#[derive(Clone, Copy)]
struct EitherStop(u8, u8);

impl Stop for EitherStop {
    #[inline(always)]
    fn stops(self, byte: u8) -> bool {
        byte == self.0 || byte == self.1
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lanes(self, chunk: std::arch::x86_64::__m128i) -> std::arch::x86_64::__m128i {
        use std::arch::x86_64::*;
        // SAFETY: SSE2 belongs to every x86-64 processor.
        unsafe {
            let first = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(self.0 as i8));
            let second = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(self.1 as i8));
            _mm_or_si128(first, second)
        }
    }
}

#[derive(Clone, Copy)]
struct AnyStop([u8; 5]);

impl Stop for AnyStop {
    #[inline(always)]
    fn stops(self, byte: u8) -> bool {
        self.0.contains(&byte)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lanes(self, chunk: std::arch::x86_64::__m128i) -> std::arch::x86_64::__m128i {
        use std::arch::x86_64::*;
        // SAFETY: SSE2 belongs to every x86-64 processor.
        unsafe {
            self.0.iter().fold(_mm_setzero_si128(), |found, stop| {
                _mm_or_si128(found, _mm_cmpeq_epi8(chunk, _mm_set1_epi8(*stop as i8)))
            })
        }
    }
}

/// Bit i of the first number: lane i stops. Bit i of the second: lane i is not ASCII.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn masks(chunk: &[u8; 16], stop: impl Stop) -> (u32, u32) {
    use std::arch::x86_64::*;
    // SAFETY: the load reads the sixteen bytes of `chunk` and needs no alignment; SSE2 belongs to
    // every x86-64 processor.
    unsafe {
        let lanes = _mm_loadu_si128(chunk.as_ptr().cast());
        let stops = _mm_movemask_epi8(stop.lanes(lanes)) as u32;
        (stops, _mm_movemask_epi8(lanes) as u32)
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn masks(chunk: &[u8; 16], stop: impl Stop) -> (u32, u32) {
    let (mut stops, mut high) = (0, 0);
    for (lane, &byte) in chunk.iter().enumerate() {
        stops |= u32::from(stop.stops(byte)) << lane;
        high |= u32::from(byte >= 0x80) << lane;
    }
    (stops, high)
}

/// As [`masks`], of 32 bytes. How often a loop turns depends on the length of a string and is
/// mispredicted; 16 bytes a turn and 64 were both slower on text of events.
#[inline(always)]
fn wide_masks(chunk: &[u8; 32], stop: impl Stop) -> (u32, u32) {
    let (parts, _) = chunk.as_chunks::<16>();
    let (mut stops, mut high) = (0, 0);
    for (place, part) in parts.iter().enumerate() {
        let (part_stops, part_high) = masks(part, stop);
        stops |= part_stops << (16 * place);
        high |= part_high << (16 * place);
    }
    (stops, high)
}

#[inline(always)]
fn run(bytes: &[u8], at: usize, stop: impl Stop) -> Run {
    let mut at = at;
    let mut high = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        let (stops, wide) = wide_masks(chunk, stop);
        if stops != 0 {
            let lane = stops.trailing_zeros();
            high |= wide & ((1 << lane) - 1);
            return Run {
                end: at + lane as usize,
                ascii: high == 0,
            };
        }
        high |= wide;
        at += 32;
    }
    run_at_the_end(bytes, at, high == 0, stop)
}

/// As [`run`] for a JSON string, by a search of 128 bytes: which of them end the run, and whether
/// all of them are ASCII.
///
/// Nearly all strings end in one turn of the loop. How long they are cannot be foreseen, and a
/// branch on it would be mispredicted.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn wide_run(bytes: &[u8], at: usize, simd: impl JsonStops) -> Run {
    let mut at = at;
    let mut ascii = true;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<128>()) {
        let (head, tail, all_ascii) = simd.json_stops(chunk);
        ascii &= all_ascii;
        if head | tail != 0 {
            let later = u32::from(head == 0).wrapping_neg();
            let lane = head.trailing_zeros() + (tail.trailing_zeros() & later);
            return Run {
                end: at + lane as usize,
                ascii,
            };
        }
        at += 128;
    }
    run_at_the_end(bytes, at, ascii, JsonStop)
}

/// Finds what ends the run of a JSON string.
///
/// A trait and no closure, because it must be inlined to be compiled for the processor it is for.
#[cfg(target_arch = "x86_64")]
pub(crate) trait JsonStops: Copy {
    /// Of the first and of the last 64 bytes: bit i says that byte i ends a run. And whether all
    /// 128 are ASCII.
    fn json_stops(self, chunk: &[u8; 128]) -> (u64, u64, bool);
}

/// The rest of a run that comes near the end of the input.
#[inline(never)]
fn run_at_the_end(bytes: &[u8], mut at: usize, mut ascii: bool, stop: impl Stop) -> Run {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let (stops, wide) = masks(chunk, stop);
        if stops != 0 {
            let lane = stops.trailing_zeros();
            ascii &= wide & ((1 << lane) - 1) == 0;
            return Run {
                end: at + lane as usize,
                ascii,
            };
        }
        ascii &= wide == 0;
        at += 16;
    }
    while let Some(&byte) = bytes.get(at) {
        if stop.stops(byte) {
            break;
        }
        ascii &= byte < 0x80;
        at += 1;
    }
    Run { end: at, ascii }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(bytes: &[u8], at: usize, stop: impl Stop) -> Run {
        let end = (at..bytes.len())
            .find(|&i| stop.stops(bytes[i]))
            .unwrap_or(bytes.len());
        Run {
            end,
            ascii: bytes[at..end].is_ascii(),
        }
    }

    proptest! {
        #[test]
        fn a_run_by_lanes_is_the_run_by_bytes(
            bytes in prop::collection::vec(
                prop_oneof![20 => b'a'..=b'z', 1 => Just(b'"'), 1 => any::<u8>()], 0..300),
            from in 0usize..80,
        ) {
            let at = from.min(bytes.len());
            prop_assert_eq!(json_string(&bytes, at), naive(&bytes, at, JsonStop));
            prop_assert_eq!(csv_field(&bytes, at, b'"'), naive(&bytes, at, EitherStop(b'"', b'\n')));
            let stops = *b"\"\n\\b\xff";
            prop_assert_eq!(has_any(&bytes, stops), bytes.iter().any(|byte| stops.contains(byte)));
        }
    }

    #[test]
    fn every_byte_at_every_place_of_a_chunk_is_judged_alike() {
        for byte in 0..=255u8 {
            for place in 0..150 {
                let mut bytes = [b'a'; 150];
                bytes[place] = byte;
                assert_eq!(json_string(&bytes, 0), naive(&bytes, 0, JsonStop));
            }
        }
    }

    #[test]
    fn the_next_line_feed_is_found_or_is_not_there() {
        assert_eq!(line_feed(b"ab\ncd\n", 3), Some(5));
        assert_eq!(line_feed(b"ab\ncd", 3), None);
    }
}

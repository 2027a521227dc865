//! The few instructions that make decoding text fast, for the processor at hand.
//!
//! A hot loop is written once, generic over [`Simd`], and compiled once a processor family; which
//! one runs is decided when a decoder is made. A value of [`Avx2`] exists only on a processor that
//! has these instructions: holding one is the proof that using them is sound.
//!
//! ```text
//!   Level::detect() ─► Level::Avx2(proof) ─► #[target_feature] wrapper ─► loop<S: Simd>(proof)
//! ```
//!
//! Each method is inlined into such a wrapper, and only there becomes the one instruction it is
//! meant to be; elsewhere it would be right, but slow. AVX-512 was tried and is no faster here: its
//! masks take longer to reach a register than they save.

use crate::scan::{self, Run};

/// What the loops ask of a processor.
pub(crate) trait Simd: Copy {
    /// The run of a JSON string from `at`: up to a quote, a backslash or a control character.
    fn json_string(self, bytes: &[u8], at: usize) -> Run;

    /// True if `chunk` and `pattern` differ in a byte whose bit `mask` has.
    fn differs(self, chunk: &[u8; 32], pattern: &[u8; 32], mask: u32) -> bool;

    /// The decimal digits at the front of `chunk`: their value, and how many they are (0 to 16).
    fn leading_digits(self, chunk: &[u8; 16]) -> (u64, usize);

    /// How many decimal digits there are at the front of `chunk` (0 to 16).
    fn count_digits(self, chunk: &[u8; 16]) -> usize;
}

/// The best this processor has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Baseline(Baseline),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

impl Level {
    /// Asks the processor.
    pub fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(proof) = Avx2::detect() {
                return Level::Avx2(proof);
            }
        }
        Level::Baseline(Baseline)
    }

    /// All this processor has, for tests that compare.
    #[cfg(test)]
    pub fn all() -> Vec<Level> {
        let mut all = vec![Level::Baseline(Baseline)];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx2::detect().map(Level::Avx2));
        }
        all
    }
}

/// What every processor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline;

impl Simd for Baseline {
    #[inline(always)]
    fn json_string(self, bytes: &[u8], at: usize) -> Run {
        scan::json_string(bytes, at)
    }

    #[inline(always)]
    fn differs(self, chunk: &[u8; 32], pattern: &[u8; 32], mask: u32) -> bool {
        let (chunk, _) = chunk.as_chunks::<8>();
        let (pattern, _) = pattern.as_chunks::<8>();
        let mut rest = mask;
        for (chunk, pattern) in chunk.iter().zip(pattern) {
            if rest == 0 {
                break;
            }
            // Masks are prefixes, so only the last word has bytes that do not count.
            let bytes = (rest as u8).trailing_ones();
            let ignored = u64::MAX.checked_shl(8 * bytes).unwrap_or(0);
            let different = u64::from_le_bytes(*chunk) ^ u64::from_le_bytes(*pattern);
            if different & !ignored != 0 {
                return true;
            }
            rest >>= 8;
        }
        false
    }

    #[inline(always)]
    fn leading_digits(self, chunk: &[u8; 16]) -> (u64, usize) {
        let (halves, _) = chunk.as_chunks::<8>();
        let [high, low] = halves else { return (0, 0) };
        let (high, count) = crate::number::leading_digits(u64::from_le_bytes(*high));
        if count < 8 {
            return (high, count);
        }
        let (low, count) = crate::number::leading_digits(u64::from_le_bytes(*low));
        (high * POWERS[count] + low, 8 + count)
    }

    #[inline(always)]
    fn count_digits(self, chunk: &[u8; 16]) -> usize {
        let digits = chunk.iter().take_while(|byte| byte.is_ascii_digit());
        digits.count()
    }
}

/// The powers of ten that eight digits may be shifted by.
const POWERS: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::Avx2;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Simd;
    use crate::scan::{self, JsonStops, Run};

    /// Proof that the processor has AVX2, SSE4.1 and BMI.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Avx2(());

    impl Avx2 {
        /// The proof, if the processor has the instructions.
        pub fn detect() -> Option<Avx2> {
            let has = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("ssse3")
                && is_x86_feature_detected!("sse4.1")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            has.then_some(Avx2(()))
        }
    }

    /// Right-aligns the first n of sixteen bytes when loaded from byte n; the rest becomes 0.
    static ALIGN: [u8; 32] = {
        let mut table = [0x80; 32];
        let mut byte = 0;
        while byte < 16 {
            table[16 + byte] = byte as u8;
            byte += 1;
        }
        table
    };

    /// All ones in the lanes that end the run of a JSON string.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn stop_lanes(lanes: __m256i) -> __m256i {
        let quote = _mm256_cmpeq_epi8(lanes, _mm256_set1_epi8(b'"' as i8));
        let escape = _mm256_cmpeq_epi8(lanes, _mm256_set1_epi8(b'\\' as i8));
        let low = _mm256_min_epu8(lanes, _mm256_set1_epi8(0x1f));
        let control = _mm256_cmpeq_epi8(low, lanes);
        _mm256_or_si256(_mm256_or_si256(quote, escape), control)
    }

    impl JsonStops for Avx2 {
        #[inline(always)]
        fn json_stops(self, chunk: &[u8; 128]) -> (u64, u64, bool) {
            let (quarters, _) = chunk.as_chunks::<32>();
            let mut stops = [0; 4];
            // SAFETY: `self` proves AVX2; each load reads the 32 bytes of its quarter.
            unsafe {
                let mut any = _mm256_setzero_si256();
                for (stops, quarter) in stops.iter_mut().zip(quarters) {
                    let lanes = _mm256_loadu_si256(quarter.as_ptr().cast());
                    let stop = stop_lanes(lanes);
                    *stops = u64::from(_mm256_movemask_epi8(stop) as u32);
                    any = _mm256_or_si256(any, lanes);
                }
                let [a, b, c, d] = stops;
                (a | b << 32, c | d << 32, _mm256_movemask_epi8(any) == 0)
            }
        }
    }

    impl Simd for Avx2 {
        #[inline(always)]
        fn json_string(self, bytes: &[u8], at: usize) -> Run {
            // Whether a string is a short one mostly depends on the column, and so is foreseen.
            if let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
                // SAFETY: `self` proves AVX2; the load reads the 32 bytes of `chunk`.
                let (stops, high) = unsafe {
                    let lanes = _mm256_loadu_si256(chunk.as_ptr().cast());
                    let stops = _mm256_movemask_epi8(stop_lanes(lanes)) as u32;
                    (stops, _mm256_movemask_epi8(lanes))
                };
                if stops != 0 {
                    let end = at + stops.trailing_zeros() as usize;
                    let ascii = high == 0;
                    return Run { end, ascii };
                }
            }
            scan::wide_run(bytes, at, self)
        }

        #[inline(always)]
        fn differs(self, chunk: &[u8; 32], pattern: &[u8; 32], mask: u32) -> bool {
            // SAFETY: `self` proves AVX2; the loads read the 32 bytes of each.
            let same = unsafe {
                let chunk = _mm256_loadu_si256(chunk.as_ptr().cast());
                let pattern = _mm256_loadu_si256(pattern.as_ptr().cast());
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(chunk, pattern)) as u32
            };
            mask & !same != 0
        }

        #[inline(always)]
        fn leading_digits(self, chunk: &[u8; 16]) -> (u64, usize) {
            // SAFETY: `self` proves SSSE3 and SSE4.1. The first load reads the 16 bytes of
            // `chunk`; the second begins at byte 0 to 16 of the 32 of `ALIGN`.
            unsafe {
                let lanes = _mm_sub_epi8(
                    _mm_loadu_si128(chunk.as_ptr().cast()),
                    _mm_set1_epi8(b'0' as i8),
                );
                let digit = _mm_cmpeq_epi8(_mm_min_epu8(lanes, _mm_set1_epi8(9)), lanes);
                // At most 16, because the upper half of the mask is 0.
                let count = (_mm_movemask_epi8(digit) as u32).trailing_ones() as usize;
                let align = _mm_loadu_si128(ALIGN.as_ptr().add(count).cast());
                let lanes = _mm_shuffle_epi8(lanes, align);
                let pairs = _mm_maddubs_epi16(lanes, _mm_set1_epi16(0x010a));
                let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x0001_0064));
                let fours = _mm_packus_epi32(fours, fours);
                let eights = _mm_madd_epi16(fours, _mm_set1_epi32(0x0001_2710));
                let both = _mm_cvtsi128_si64(eights) as u64;
                ((both & 0xffff_ffff) * 100_000_000 + (both >> 32), count)
            }
        }

        #[inline(always)]
        fn count_digits(self, chunk: &[u8; 16]) -> usize {
            // SAFETY: SSE2 belongs to every x86-64; the load reads the 16 bytes of `chunk`.
            unsafe {
                let lanes = _mm_sub_epi8(
                    _mm_loadu_si128(chunk.as_ptr().cast()),
                    _mm_set1_epi8(b'0' as i8),
                );
                let digit = _mm_cmpeq_epi8(_mm_min_epu8(lanes, _mm_set1_epi8(9)), lanes);
                (_mm_movemask_epi8(digit) as u32).trailing_ones() as usize
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the methods must say, byte by byte.
    fn check(simd: impl Simd, chunk: &[u8; 256], pattern: &[u8; 32], len: u32) {
        for at in 0..=chunk.len() {
            let (run, plain) = (simd.json_string(chunk, at), scan::json_string(chunk, at));
            assert_eq!(run.end, plain.end);
            assert!(plain.ascii || !run.ascii);
            assert!(run.ascii || !chunk[at..].is_ascii());
        }
        let head = chunk.first_chunk().expect("32 bytes");
        let mask = u32::MAX.checked_shl(len).map_or(u32::MAX, |rest| !rest);
        let prefix = ..len as usize;
        assert_eq!(
            simd.differs(head, pattern, mask),
            head[prefix] != pattern[prefix]
        );
        for digits in chunk.windows(16) {
            let digits = digits.first_chunk().expect("sixteen bytes");
            let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
            let text = std::str::from_utf8(&digits[..count]).expect("digits");
            let value = text.parse().unwrap_or(0);
            assert_eq!(simd.leading_digits(digits), (value, count));
            assert_eq!(simd.count_digits(digits), count);
        }
    }

    fn check_all(chunk: &[u8; 256], pattern: &[u8; 32], len: u32) {
        for level in Level::all() {
            match level {
                Level::Baseline(proof) => check(proof, chunk, pattern, len),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2(proof) => check(proof, chunk, pattern, len),
            }
        }
    }

    proptest! {
        #[test]
        fn every_level_says_what_a_loop_over_bytes_says(
            bytes in prop::collection::vec(
                prop_oneof![40 => b'0'..=b'9', 4 => b' '..=b'z', 1 => any::<u8>()], 256),
            change in prop::option::of((0usize..32, any::<u8>())), len in 0u32..=32,
        ) {
            let chunk = *bytes.first_chunk::<256>().expect("256 bytes");
            let mut pattern = *bytes.first_chunk::<32>().expect("32 bytes");
            if let Some((at, byte)) = change {
                pattern[at] = byte;
            }
            check_all(&chunk, &pattern, len);
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_alike() {
        for byte in 0..=255u8 {
            for place in (0..256).step_by(3) {
                let mut chunk = [b'7'; 256];
                chunk[place] = byte;
                check_all(&chunk, &[b'7'; 32], 32);
            }
        }
    }
}

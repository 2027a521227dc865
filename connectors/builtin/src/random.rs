//! Random numbers that are a function of a place: the same key and number give the same bits, in
//! whatever order and by whatever instance they are asked for.

/// The step of SplitMix64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A sequence of random numbers with access to any of them.
#[derive(Clone, Copy, Debug)]
pub struct Sequence(u64);

impl Sequence {
    /// The sequence of a field, different for every seed and field.
    pub fn new(seed: u64, field: u64) -> Self {
        Sequence(mix(seed ^ mix(field.wrapping_add(1).wrapping_mul(STEP))))
    }

    /// The random bits at place `n`.
    #[inline(always)]
    pub fn bits(self, n: u64) -> u64 {
        mix(self.0.wrapping_add(n.wrapping_mul(STEP)))
    }
}

/// The output function of SplitMix64.
#[inline(always)]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in `0..bound` from the high bits, so that the low ones may decide something else.
#[inline(always)]
pub fn below(bits: u64, bound: u64) -> u64 {
    // The product's high half is below `bound`.
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// A number in `0..1` from the high bits.
#[inline(always)]
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

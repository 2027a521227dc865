//! A hint that memory will be needed.

/// Asks for a place to be brought into the cache. Unlike for a read, nothing waits for it, so that
/// what comes before the place is needed is done meanwhile.
///
/// Nothing happens where the processor's hint is not known.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE belongs to every x86-64, and the hint takes any address: it neither faults nor
    // reads what the program could see.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

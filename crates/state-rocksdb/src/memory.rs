//! The memory that all stores of a backend share.

use rocksdb::{Cache, WriteBufferManager};
use thalweg_core::error::{Error, Result};

use crate::options::RocksDbOptions;

// Below this a cache has no room for the blocks of one lookup.
const BUDGET_BYTES_MIN: u64 = 4 << 20;
const WRITE_BUFFER_BYTES_MAX: u64 = 64 << 20;

/// One block cache, which also pays for indexes and filters, and one account of write buffers.
///
/// ```text
///   budget ├── write buffers, ratio · 2/3 ──┤── half as much again ──┤── cache: 1 - ratio ──┤
/// ```
///
/// Write buffers may grow half as large again as they are told to: one is written down while the
/// next fills. They are not charged to the cache, as they could be: blocks that make room for
/// them come back to the allocator in pieces of some KiB, which it does not give back, so that
/// the process would hold both.
///
/// # Source
/// Flink `RocksDBMemoryControllerUtils`, for the share of write buffers.
pub(crate) struct Memory {
    pub(crate) cache: Cache,
    pub(crate) write_buffers: WriteBufferManager,
    pub(crate) write_buffer_bytes: usize,
    pub(crate) budget_bytes: u64,
}

/// Has the C library's allocator give large pieces back to the system: it would keep up to half of
/// the budget beside it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_large_pieces_apart() {
    use std::ffi::c_int;

    // From `malloc.h`.
    const M_MMAP_THRESHOLD: c_int = -3;
    const THRESHOLD_BYTES: c_int = 256 << 10;
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: the function is the C library's, of this signature; it takes its own locks, so that
    // it may be called at any time from any thread, and a refusal changes nothing.
    unsafe {
        mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_large_pieces_apart() {}

impl Memory {
    pub(crate) fn new(options: &RocksDbOptions, managed_bytes: u64) -> Result<Self> {
        keep_large_pieces_apart();
        let budget_bytes = options.memory_fixed_per_slot.unwrap_or(managed_bytes);
        if budget_bytes < BUDGET_BYTES_MIN {
            return Err(Error::user(format!(
                "{budget_bytes} bytes are too little memory for a state store, which needs \
                 {BUDGET_BYTES_MIN}: raise `state.backend.rocksdb.memory.fixed-per-slot`"
            )));
        }
        let total = budget_bytes as f64;
        let buffers = (2.0 * total * options.write_buffer_ratio / 3.0) as usize;
        let capacity = ((1.0 - options.write_buffer_ratio) * total) as usize;
        // No stall: a stalled writer would wait for ever if the disk is full. Each store waits
        // for its own buffers instead, of which it has two.
        let write_buffers = WriteBufferManager::new_write_buffer_manager(buffers, false);
        Ok(Memory {
            cache: Cache::new_lru_cache(capacity),
            write_buffers,
            write_buffer_bytes: (buffers / 2).min(WRITE_BUFFER_BYTES_MAX as usize),
            budget_bytes,
        })
    }
    /// What the cache and the write buffers hold.
    pub(crate) fn used_bytes(&self) -> u64 {
        (self.cache.get_usage() + self.write_buffers.get_usage()) as u64
    }
}

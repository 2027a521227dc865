//! Keyed state larger than memory, in RocksDB: `state.backend.type = rocksdb`.
//!
//! ```text
//!   RocksDbBackend ── Memory: one block cache, one account of write buffers, for all its stores
//!        │ open
//!        ▼
//!   <directory>/db/000007.sst …     one database an operator instance, no log: the checkpoint
//!        │ checkpoint                is the log
//!        ▼
//!   <links>/000007.sst …            hard links; called `<id of the store>-000007.sst` in checkpoints
//! ```
//!
//! The store itself is C++ that takes minutes to build, so it stands behind the feature
//! `rocksdb`. Without it the options are still read and checked, and [`backend`] says what is
//! missing.

mod options;

#[cfg(feature = "rocksdb")]
mod backend;
#[cfg(feature = "rocksdb")]
mod failure;
#[cfg(feature = "rocksdb")]
mod memory;
#[cfg(feature = "rocksdb")]
mod restore;
#[cfg(feature = "rocksdb")]
mod store;
#[cfg(all(test, feature = "rocksdb"))]
mod tests;
#[cfg(feature = "rocksdb")]
mod tuning;

use thalweg_core::error::Result;
use thalweg_core::state::store::StateBackend;

#[cfg(feature = "rocksdb")]
pub use backend::RocksDbBackend;
pub use options::{CompactionStyle, RocksDbOptions, parse_bytes};
#[cfg(feature = "rocksdb")]
pub use store::RocksDbStore;

/// The value of `state.backend.type` that means this backend.
pub const NAME: &str = "rocksdb";

/// The backend of a slot, whose stores together hold `memory_bytes` of memory, unless
/// `state.backend.rocksdb.memory.fixed-per-slot` says otherwise.
///
/// # Errors
/// `User` if that is too little memory; `Unsupported` if this build has no RocksDB.
#[cfg(feature = "rocksdb")]
pub fn backend(options: RocksDbOptions, memory_bytes: u64) -> Result<Box<dyn StateBackend>> {
    Ok(Box::new(RocksDbBackend::new(options, memory_bytes)?))
}

/// Says that this build has no RocksDB.
///
/// # Errors
/// `Unsupported`, always.
#[cfg(not(feature = "rocksdb"))]
pub fn backend(_: RocksDbOptions, _: u64) -> Result<Box<dyn StateBackend>> {
    Err(thalweg_core::error::Error::unsupported(format!(
        "`state.backend.type` is `{NAME}`, but this program was built without it: build it with \
         `--features rocksdb` (CONTRIBUTING.md says what that needs), or use `hashmap`"
    )))
}

#[cfg(all(test, not(feature = "rocksdb")))]
mod without {
    use super::*;
    use thalweg_core::error::ErrorKind;

    #[test]
    fn a_build_without_rocksdb_says_how_to_get_one() {
        let Err(error) = backend(RocksDbOptions::default(), 1 << 30) else {
            panic!("opened");
        };
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("`--features rocksdb`"),
            "{error}"
        );
    }
}

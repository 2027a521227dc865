//! Keyed state of column operators: keys with numbers, and columns of values under these numbers.
//!
//! | Contract |                                                                              |
//! |----------|------------------------------------------------------------------------------|
//! | Numbers  | dense; that of a key that is gone is given again                             |
//! | Snapshot | the task shares keys and columns as they are and goes on; pages that it       |
//! |          | changes meanwhile it copies first ([`thalweg_columnar::Pages`])               |
//! | Entry    | a key with what is under it: one writer and one reader ([`entries`])         |
//! | Lifetime | with a time to live: a key is forgotten so long after its last update, in    |
//! |          | processing time; it is not seen after that, and cleaned up bit by bit        |
//!
//! ```text
//!   key columns ──keys──▶ numbers [ 4 0 4 9 ] ──▶ counts   [ 3 │ 1 │   │ … ]
//!                                                 sums     [ 7 │ 2 │   │ … ]
//!                                                 updated  [ … ]   with a time to live only
//! ```

pub mod entries;
mod keys;
pub mod lifetime;
mod table;

pub use keys::{SharedStateKeys, StateKeys};
pub use table::{KeyedPayload, KeyedTable, SharedPayload};

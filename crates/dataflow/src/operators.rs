//! The operators of the DataStream API, one a file.

pub mod collect;
pub mod collection;
pub mod connect;
pub mod filter;
pub mod flat_map;
pub mod map;
pub mod process;
pub mod watermarks;

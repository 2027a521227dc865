//! The operators of the DataStream API, one a file.

pub mod broadcast;
pub mod collect;
pub mod collection;
pub mod connect;
pub mod delivery;
pub mod filter;
pub mod flat_map;
pub mod interval_join;
pub mod map;
pub mod max;
pub mod min;
pub mod process;
pub mod reduce;
pub mod sum;
pub mod watermarks;
pub mod window;
pub mod write_ahead;

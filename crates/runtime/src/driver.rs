//! Drivers: who calls `step`.

pub mod stepped;
pub mod threads;

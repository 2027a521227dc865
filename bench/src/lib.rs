//! What the benchmarks share: arguments, clocks, sources that start together, a sink that keeps
//! nothing.
#![allow(clippy::disallowed_methods)] // A benchmark reads the clock.

pub mod arguments;
pub mod discard;
pub mod gate;
pub mod measure;
pub mod mix;
pub mod watch;

/// The allocator of the command line, so that both run alike.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

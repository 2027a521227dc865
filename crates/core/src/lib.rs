//! Vocabulary and contracts of the engine: what flows, what time is, what an operator may do.
//!
//! ```text
//!   graph ──────────── how operators are composed        (StreamGraph → JobGraph)
//!   operator, source, sink ── what user code implements   (synchronous state machines)
//!   state, timers ──── what an operator declares          (the runtime stores and fires them)
//!   element, container ─ what a channel carries           (batches, watermarks, barriers)
//!   host ───────────── the only door to clocks, randomness and wake-ups
//! ```
//!
//! Nothing here reads a clock, opens a file or spawns a thread. The crate has no heavy
//! dependency; `docs/decisions/0002-erased-batches.md` says why a channel carries
//! [`container::Payload`] and where types are recovered.

// Derived code names this crate; inside it the name has to resolve too.
extern crate self as thalweg_core;

pub mod collections;
pub mod config;
pub mod container;
pub mod data;
pub mod element;
pub mod error;
pub mod graph;
pub mod host;
pub mod id;
pub mod key_group;
pub mod metrics;
pub mod operator;
pub mod rows;
pub mod sink;
pub mod source;
pub mod state;
pub mod time;
pub mod timers;
pub mod watermark;

pub use error::{Error, ErrorKind, Result};
pub use thalweg_derive::Data;

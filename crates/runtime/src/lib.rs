//! Runs job graphs: tasks, channels, watermarks, barriers, timers, drivers.
//!
//! ```text
//!             ┌──────────────────────── subtask ───────────────────────┐
//!  channels ─▶│ input gate ─▶ stage ─▶ stage ─▶ … ─▶ result partitions │─▶ channels
//!             │ (aligns,      (one operator each; the tail runs first, │
//!             │  min watermark) so what is in flight stays small)      │
//!             └────────────────────────────────────────────────────────┘
//!  driver::threads   one thread a slot, parks when nothing can move
//!  driver::stepped   one thread, seeded order, a clock that stands: tests and simulation
//! ```
//!
//! Nothing here knows what a record is: batches are moved by pointer. The only clock is the host's.

pub mod checkpoint;
pub mod driver;
pub mod exchange;
pub mod input;
pub mod mini_cluster;
pub mod output;
pub mod task;

pub use mini_cluster::{MiniCluster, RunningJob};

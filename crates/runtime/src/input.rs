//! The input side of a subtask: channels, their combined watermark, and barrier alignment.

mod alignment;
mod gate;
mod watermark_valve;

pub use alignment::{Aligned, BarrierAligner};
pub use gate::{GateEvent, InputChannel, InputGate};
pub use watermark_valve::{ValveOutput, WatermarkValve};

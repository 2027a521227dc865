//! The input side of a subtask: channels, their combined watermark, and how barriers pass them.

mod alignment;
mod gate;
mod overtaking;
mod watermark_valve;

pub use alignment::{Aligned, BarrierAligner};
pub use gate::{GateEvent, InputChannel, InputGate};
pub use watermark_valve::{ValveOutput, WatermarkValve};

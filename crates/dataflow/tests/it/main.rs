//! Jobs and operators of the DataStream API on the real runtime.

mod pipelines;
mod rolling;

//! Jobs of the DataStream API on the real runtime.

mod pipelines;

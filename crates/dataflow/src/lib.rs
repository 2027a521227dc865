//! The DataStream API: streams of typed records and what can be done with them.
//!
//! A program builds a [`StreamGraph`](thalweg_core::graph::StreamGraph) through
//! [`environment::StreamExecutionEnvironment`]; [`translate`] fuses its operators into chains; the
//! executor that the facade put into the environment runs them. This crate never sees the runtime.

pub mod environment;
pub mod operators;
pub mod stream;
pub mod translate;
pub mod watermark_strategy;
pub mod window;

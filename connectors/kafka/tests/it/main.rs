//! The client against a real broker.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod server;

//! Checkpoints and savepoints in a real server that speaks S3, on loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checkpoints;
mod jobs;
mod server;
mod storage;

//! The commands, one a file.

pub(crate) mod examples;
pub(crate) mod rocksdb;
pub(crate) mod services;
pub(crate) mod sim;
pub(crate) mod test;

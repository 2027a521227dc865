//! The commands, one a file.

pub(crate) mod examples;
pub(crate) mod test;

//! Stateful stream processing in one binary and one library.

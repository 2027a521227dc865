//! Small complete programs.

//! Sequences that are dealt out.

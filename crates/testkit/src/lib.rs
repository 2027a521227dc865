//! Stream notation and the operator harness.

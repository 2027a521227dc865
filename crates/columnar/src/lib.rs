//! Arrow batches as a container with row kinds.

//! Text and columnar formats to and from Arrow batches.

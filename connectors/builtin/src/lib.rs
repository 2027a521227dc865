//! Connectors that need no client library.

//! Stream operators over column batches, one a file.
//!
//! Each is a [`BatchOperator`](thalweg_core::operator::BatchOperator): it keeps all it remembers
//! in one declared state table, and knows nothing of barriers, threads or parsing.

pub mod aggregate;
pub mod batch_join;
pub mod calc;
pub mod choose;
pub mod choose_text;
pub mod collect;
pub mod expr;
pub mod group_aggregate;
pub mod hash_join;
pub mod join_backlog;
pub mod join_codes;
pub mod join_emission;
pub mod join_heads;
pub mod join_index;
pub mod join_pairs;
pub mod join_side;
pub mod keyed;
pub mod limit;
pub mod prepared;
pub mod regular_join;
pub mod remainder;
pub mod scale;
pub mod session_aggregate;
pub mod short_circuit;
pub mod sort;
pub mod specialize;
pub mod text_match;
pub mod text_set;
pub mod top_n;
pub mod unnest;
pub mod values;
pub mod watermark;
pub mod window_aggregate;
pub mod window_assign;
pub mod window_buffer;
pub mod window_spec;

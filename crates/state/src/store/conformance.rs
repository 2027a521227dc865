//! What every store must do, written once and run by each backend.
//!
//! ```
//! // In a test module of the backend's crate:
//! thalweg_state::store_conformance!(thalweg_state::store::MemoryBackend);
//! # fn main() {}
//! ```
//!
//! Random runs are drawn from seeds; a failure names the seed, and the same seed fails again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests, which fail by panicking and are named as sentences"
)]

mod checkpoints;
mod expiry;
mod failures;
mod kit;
mod model;
mod rescaling;

pub use checkpoints::{
    files_of_a_checkpoint_never_change, incremental_files_keep_their_names,
    what_is_not_in_a_checkpoint_is_gone_after_a_crash,
};
pub use expiry::values_live_for_their_time_and_those_without_a_time_for_ever;
pub use failures::{
    a_damaged_file_is_an_error_that_names_it, a_directory_that_cannot_be_written_is_an_error,
    a_missing_or_shortened_file_is_an_error_that_names_it, another_backends_checkpoint_is_refused,
};
pub use kit::run;
pub use model::{
    a_store_reads_like_a_sorted_map, a_store_stays_within_its_memory,
    an_error_or_a_stop_of_the_caller_ends_a_call,
};
pub use rescaling::key_groups_move_from_one_to_two_to_three_to_one;

/// Makes a test of each property, for the backend that the expression gives.
#[macro_export]
macro_rules! store_conformance {
    ($backend:expr) => {
        $crate::store_conformance!(@tests $backend;
            a_store_reads_like_a_sorted_map
            a_store_stays_within_its_memory
            an_error_or_a_stop_of_the_caller_ends_a_call
            what_is_not_in_a_checkpoint_is_gone_after_a_crash
            files_of_a_checkpoint_never_change
            incremental_files_keep_their_names
            key_groups_move_from_one_to_two_to_three_to_one
            values_live_for_their_time_and_those_without_a_time_for_ever
            a_damaged_file_is_an_error_that_names_it
            a_missing_or_shortened_file_is_an_error_that_names_it
            a_directory_that_cannot_be_written_is_an_error
            another_backends_checkpoint_is_refused
        );
    };
    (@tests $backend:expr; $($test:ident)*) => {
        $(
            #[test]
            fn $test() {
                $crate::store::conformance::run(
                    concat!(module_path!(), "::", stringify!($test)),
                    &$backend,
                    $crate::store::conformance::$test,
                );
            }
        )*
    };
}

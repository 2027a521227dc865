//! Queries with hand-made answers, run in every way.

use crate::runner::check;

#[test]
fn projections_filters_and_casts_follow_flink() {
    check("scalar");
}

#[test]
fn group_aggregates_take_retractions_back() {
    check("aggregate");
}

#[test]
fn windows_have_the_rows_of_their_time() {
    check("window");
}

#[test]
fn top_n_and_deduplication_keep_the_right_rows() {
    check("rank");
}

#[test]
fn joins_match_every_pair_once_and_null_never() {
    check("join");
}

#[test]
fn relations_nest_in_every_way() {
    check("relation");
}

#[test]
fn state_is_forgotten_when_its_time_to_live_has_passed() {
    check("state");
}

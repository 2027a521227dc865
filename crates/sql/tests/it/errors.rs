//! Messages, word for word.

use crate::runner::check;

#[test]
fn errors_name_the_place_and_the_nearest_name() {
    check("errors");
}

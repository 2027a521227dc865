//! The kit itself: it must fail where an operator is wrong.

mod harness;

//! Which moments the operators of a chain have passed.

use crate::checkpoint::Moment;

/// Counts, for each moment that some operators have passed and others not. In a chain that
/// branches, one branch may be a moment ahead of another.
#[derive(Debug, Default)]
pub(super) struct Passed(Vec<(Moment, usize)>);

impl Passed {
    /// One more of `operators` operators has passed. Whether it was the last.
    pub(super) fn is_last(&mut self, moment: Moment, operators: usize) -> bool {
        let known = self.0.iter().position(|(known, _)| *known == moment);
        let at = known.unwrap_or_else(|| {
            self.0.push((moment, 0));
            self.0.len() - 1
        });
        self.0[at].1 += 1;
        let last = self.0[at].1 == operators;
        if last {
            self.0.remove(at);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_passed_when_every_operator_has_even_if_one_is_ahead() {
        let mut passed = Passed::default();
        let (one, two) = (Moment::Barrier(1), Moment::Barrier(2));
        assert!(!passed.is_last(one, 3));
        assert!(!passed.is_last(one, 3));
        assert!(!passed.is_last(two, 3));
        assert!(!passed.is_last(two, 3));
        assert!(passed.is_last(one, 3));
        assert!(passed.is_last(two, 3));
        assert!(passed.is_last(Moment::End, 1));
    }
}

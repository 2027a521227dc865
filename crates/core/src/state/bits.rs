//! A growing set of small numbers.

/// A set of indexes, a bit each.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Whether an index is in it.
    #[inline]
    pub fn contains(&self, index: usize) -> bool {
        let word = self.words.get(index >> 6).copied().unwrap_or(0);
        word >> (index & 63) & 1 == 1
    }

    /// Adds an index; false if it was in it.
    #[inline]
    pub fn insert(&mut self, index: usize) -> bool {
        let at = index >> 6;
        if at >= self.words.len() {
            self.words.resize((at + 1).max(self.words.len() * 2), 0);
        }
        let bit = 1 << (index & 63);
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        new
    }

    /// Takes an index out; false if it was not in it.
    #[inline]
    pub fn remove(&mut self, index: usize) -> bool {
        let Some(word) = self.words.get_mut(index >> 6) else {
            return false;
        };
        let bit = 1 << (index & 63);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    /// The lowest index in it that is not below `from`.
    pub fn next(&self, from: usize) -> Option<usize> {
        let mut at = from >> 6;
        let mut word = self.words.get(at)? & (!0 << (from & 63));
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some((at << 6) + word.trailing_zeros() as usize)
    }

    /// The indexes in it, rising.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = self.next(from)?;
            from = found + 1;
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn bits_are_a_set(uses in proptest::collection::vec((any::<bool>(), 0usize..300), 0..60)) {
            let (mut bits, mut model) = (Bits::default(), BTreeSet::new());
            for (adds, index) in uses {
                if adds {
                    prop_assert_eq!(bits.insert(index), model.insert(index));
                } else {
                    prop_assert_eq!(bits.remove(index), model.remove(&index));
                }
                prop_assert_eq!(bits.contains(index), model.contains(&index));
                prop_assert_eq!(bits.next(index), model.range(index..).next().copied());
            }
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
        }
    }
}

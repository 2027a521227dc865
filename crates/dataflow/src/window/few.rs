//! A list that is short almost always: a single element lies in place, without an allocation.

use std::ops::{Deref, DerefMut};

/// Elements in order of addition.
#[derive(Clone, Default, thalweg_core::Data)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Appends an element.
    pub(crate) fn push(&mut self, value: T) {
        *self = match std::mem::take(self) {
            Few::None => Few::One(value),
            Few::One(first) => Few::Many(vec![first, value]),
            Few::Many(mut values) => {
                values.push(value);
                Few::Many(values)
            }
        };
    }

    /// Removes and returns the element at `index`, if there is one.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        match self {
            Few::Many(values) if index < values.len() => Some(values.remove(index)),
            Few::One(_) if index == 0 => match std::mem::take(self) {
                Few::One(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Few::None => &[],
            Few::One(value) => std::slice::from_ref(value),
            Few::Many(values) => values,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::None => &mut [],
            Few::One(value) => std::slice::from_mut(value),
            Few::Many(values) => values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_what_a_vector_does() {
        let (mut few, mut vec) = (Few::default(), Vec::new());
        for step in 0..200u32 {
            if step % 7 < 4 {
                few.push(step);
                vec.push(step);
            } else {
                let index = (step / 3) as usize % 4;
                let removed = (index < vec.len()).then(|| vec.remove(index));
                assert_eq!(few.remove(index), removed);
            }
            assert_eq!(&*few, &*vec);
        }
    }
}

//! The open sessions of every key.
//!
//! Nearly every key has one session open at a time, so that one lies in a plain array; only keys
//! with several, between rows that came out of order, have a list.

use thalweg_columnar::Pages;
use thalweg_core::collections::HashMap;

/// An open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The time of its first row.
    pub start: i64,
    /// A gap after the time of its last row.
    pub end: i64,
    /// The end under which the firing order knows it: its end of some time ago.
    pub listed: i64,
    /// The number of its accumulators.
    pub group: u32,
}

// Groups that stand for something else.
const NONE: u32 = u32::MAX;
const SEVERAL: u32 = u32::MAX - 1;

const EMPTY: Session = Session {
    start: 0,
    end: 0,
    listed: 0,
    group: NONE,
};

/// Sessions by key number.
#[derive(Debug, Default)]
pub struct OpenSessions {
    // INVARIANT: `several` has a list of two or more exactly for the keys marked so here.
    firsts: Pages<Session>,
    several: HashMap<u32, Vec<Session>>,
}

impl OpenSessions {
    /// Makes room for keys `0..keys`.
    pub fn make_room(&mut self, keys: usize) {
        self.firsts.grow(keys, EMPTY);
    }

    /// The same sessions, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self) -> Self {
        OpenSessions {
            firsts: self.firsts.share(),
            several: self.several.clone(),
        }
    }

    /// How many keys there is room for.
    pub fn keys(&self) -> usize {
        self.firsts.len()
    }

    /// The key's session, if it has exactly one.
    #[inline]
    pub fn only(&mut self, key: u32) -> Option<&mut Session> {
        let first = self.firsts.get_mut(key);
        (first.group < SEVERAL).then_some(first)
    }

    /// The key's sessions in order of time.
    pub fn get(&self, key: u32) -> &[Session] {
        let first = self.firsts.get(key);
        match first.group {
            NONE => &[],
            SEVERAL => self.several.get(&key).map_or(&[], Vec::as_slice),
            _ => std::slice::from_ref(first),
        }
    }

    /// Changes the list of the key's sessions, which must stay in order of time.
    pub fn change<T>(&mut self, key: u32, change: impl FnOnce(&mut Vec<Session>) -> T) -> T {
        let first = self.firsts.get_mut(key);
        let mut list = match first.group {
            NONE => Vec::new(),
            SEVERAL => self.several.remove(&key).unwrap_or_default(),
            _ => vec![*first],
        };
        let result = change(&mut list);
        match list.as_slice() {
            [] => *first = EMPTY,
            [only] => *first = *only,
            _ => {
                first.group = SEVERAL;
                self.several.insert(key, list);
            }
        }
        result
    }

    /// Adds a session.
    pub fn insert(&mut self, key: u32, session: Session) {
        let first = self.firsts.get_mut(key);
        if first.group == NONE {
            *first = session;
            return;
        }
        self.change(key, |list| {
            let at = list.partition_point(|known| known.start < session.start);
            list.insert(at, session);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(start: i64) -> Session {
        Session {
            start,
            end: start + 5,
            listed: start + 5,
            group: start as u32,
        }
    }

    #[test]
    fn a_key_goes_from_none_to_one_to_several_and_back() {
        let mut open = OpenSessions::default();
        open.make_room(2);
        assert!(open.get(1).is_empty());
        open.insert(1, session(20));
        assert_eq!(open.only(1), Some(&mut session(20)));
        open.insert(1, session(10));
        assert_eq!(open.get(1), [session(10), session(20)]);
        assert_eq!(open.only(1), None);
        let removed = open.change(1, |list| list.remove(0));
        assert_eq!(removed, session(10));
        assert_eq!(open.only(1), Some(&mut session(20)));
        open.change(1, Vec::clear);
        assert!(open.get(1).is_empty() && open.get(0).is_empty());
    }
}

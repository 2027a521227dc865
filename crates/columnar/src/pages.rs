//! Arrays that are shared with a snapshot as they are, and copied page by page where they change.
//!
//! Sharing takes a pointer a page, whatever the page holds. The first write to a page that is still
//! shared copies it; so a snapshot costs its owner the pages that change while it is written.
//!
//! ```text
//!   pages ─┬▶ owned                        written in place
//!          ├▶ shared ◀── a snapshot        copied by the next write
//!          └▶ shared                       taken back by the next write: the snapshot is gone
//! ```

use std::sync::Arc;

/// A vector that is one page, or all there is.
#[derive(Debug)]
pub enum CowVec<T> {
    /// Nobody else has it.
    Owned(Vec<T>),
    /// Somebody else may have it.
    Shared(Arc<Vec<T>>),
}

impl<T> Default for CowVec<T> {
    fn default() -> Self {
        CowVec::Owned(Vec::new())
    }
}

impl<T> CowVec<T> {
    /// What it holds.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        match self {
            CowVec::Owned(values) => values,
            CowVec::Shared(values) => values,
        }
    }

    /// The same once more, without a copy.
    #[must_use]
    pub fn share(&mut self) -> Self {
        let shared = match self {
            CowVec::Shared(values) => values.clone(),
            CowVec::Owned(values) => {
                let values = Arc::new(std::mem::take(values));
                *self = CowVec::Shared(values.clone());
                values
            }
        };
        CowVec::Shared(shared)
    }
}

impl<T: Clone> CowVec<T> {
    /// What it holds, to be changed.
    #[inline]
    pub fn make_mut(&mut self) -> &mut Vec<T> {
        if let CowVec::Shared(values) = self {
            *self = CowVec::Owned(take_over(values));
        }
        match self {
            CowVec::Owned(values) => values,
            CowVec::Shared(_) => unreachable!("a shared vector was just taken over"),
        }
    }
}

#[cold]
fn take_over<T: Clone>(values: &mut Arc<Vec<T>>) -> Vec<T> {
    match Arc::get_mut(values) {
        Some(values) => std::mem::take(values),
        None => values.to_vec(),
    }
}

/// Values by place.
///
/// A vector that doubles copies all that it holds each time, into memory that nobody has touched;
/// pages stay where they are.
#[derive(Debug)]
pub struct Pages<T> {
    // INVARIANT: all but the last are full.
    pages: Vec<CowVec<T>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages::new()
    }
}

/// Bits of a place that count within a page. Small pages, so that a batch of far places copies
/// little behind a snapshot: 4 KiB of numbers, and few values that take long to copy because they own
/// memory.
const fn page_bits<T>() -> u32 {
    if std::mem::needs_drop::<T>() { 6 } else { 9 }
}

const fn page_len<T>() -> usize {
    1 << page_bits::<T>()
}

#[inline]
const fn split<T>(place: usize) -> (usize, usize) {
    (place >> page_bits::<T>(), place & (page_len::<T>() - 1))
}

impl<T> Pages<T> {
    /// No places.
    #[must_use]
    pub const fn new() -> Self {
        Pages {
            pages: Vec::new(),
            len: 0,
        }
    }

    /// How many places there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value at a place.
    ///
    /// # Panics
    /// If there is no such place.
    #[inline]
    pub fn get(&self, place: u32) -> &T {
        let (page, within) = split::<T>(place as usize);
        &self.pages[page].as_slice()[within]
    }

    /// The values at some places in a row, which are all on one page.
    ///
    /// # Panics
    /// If they are not.
    #[inline]
    pub fn range(&self, first: usize, len: usize) -> &[T] {
        let (page, within) = split::<T>(first);
        &self.pages[page].as_slice()[within..within + len]
    }

    /// All values, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.pages.iter().flat_map(|page| page.as_slice())
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// The bytes that the places take.
    pub fn byte_size(&self) -> usize {
        self.len * size_of::<T>() + self.pages.len() * size_of::<CowVec<T>>()
    }

    /// The same places with the same values, without a copy.
    #[must_use]
    pub fn share(&mut self) -> Self {
        Pages {
            pages: self.pages.iter_mut().map(CowVec::share).collect(),
            len: self.len,
        }
    }
}

impl<T: Clone> Pages<T> {
    /// The value at a place, to be changed.
    ///
    /// # Panics
    /// If there is no such place.
    #[inline]
    pub fn get_mut(&mut self, place: u32) -> &mut T {
        let (page, within) = split::<T>(place as usize);
        &mut self.pages[page].make_mut()[within]
    }

    /// The values at some places in a row, which are all on one page, to be changed.
    ///
    /// # Panics
    /// If they are not.
    #[inline]
    pub fn range_mut(&mut self, first: usize, len: usize) -> &mut [T] {
        let (page, within) = split::<T>(first);
        &mut self.pages[page].make_mut()[within..within + len]
    }

    /// The values of a page, to be changed; none if there is no such page.
    pub fn page_mut(&mut self, page: usize) -> &mut [T] {
        self.pages.get_mut(page).map_or(&mut [], |p| p.make_mut())
    }

    /// Calls `each` with the number of every row and the value at its place.
    ///
    /// # Panics
    /// If there is no such place.
    #[inline]
    pub fn for_each_mut(&mut self, places: &[u32], mut each: impl FnMut(usize, &mut T)) {
        // Few groups are one page, which is looked up once.
        if let [only] = self.pages.as_mut_slice() {
            let values = only.make_mut().as_mut_slice();
            for (row, place) in places.iter().enumerate() {
                each(row, &mut values[*place as usize]);
            }
            return;
        }
        for (row, place) in places.iter().enumerate() {
            each(row, self.get_mut(*place));
        }
    }

    /// Appends a value; returns its place.
    #[inline]
    pub fn push(&mut self, value: T) -> u32 {
        let place = self.len;
        self.last_page(1).push(value);
        self.len += 1;
        place as u32
    }

    /// Makes room for the places below `len`; new ones hold `value`.
    pub fn grow(&mut self, len: usize, value: T) {
        self.fill(len, |page, len| page.resize(len, value.clone()));
    }

    /// Makes room for the places below `len`; new ones hold what `value` makes.
    pub fn grow_with(&mut self, len: usize, mut value: impl FnMut() -> T) {
        self.fill(len, |page, len| page.resize_with(len, &mut value));
    }

    #[inline]
    fn fill(&mut self, len: usize, mut resize: impl FnMut(&mut Vec<T>, usize)) {
        while self.len < len {
            let missing = len - self.len;
            let page = self.last_page(missing);
            let before = page.len();
            resize(page, page_len::<T>().min(before + missing));
            let more = page.len() - before;
            self.len += more;
        }
    }

    /// The page to which the next place belongs, with room for it.
    #[inline]
    fn last_page(&mut self, wanted: usize) -> &mut Vec<T> {
        let (page, within) = split::<T>(self.len);
        if page == self.pages.len() {
            // The first page may be all there is; behind it others follow.
            let room = if page == 0 {
                wanted.next_power_of_two().min(page_len::<T>())
            } else {
                page_len::<T>()
            };
            self.pages.push(CowVec::Owned(Vec::with_capacity(room)));
        }
        let page = self.pages[page].make_mut();
        if within == page.capacity() {
            // Never more than a page.
            let room = (within + wanted).next_power_of_two();
            page.reserve_exact(room.min(page_len::<T>()) - within);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_core::host::Random;

    /// Every shared copy keeps what it had, whatever is written behind it.
    fn copies_keep_what_they_had<T: Clone + PartialEq + std::fmt::Debug>(value: impl Fn(u64) -> T) {
        let mut random = Random::new(7);
        for _ in 0..20 {
            let (mut pages, mut model, mut copies) = (Pages::new(), Vec::new(), Vec::new());
            for _ in 0..300 {
                match random.below(8) {
                    0 => {
                        let len = model.len() + random.below(400) as usize;
                        let new = value(random.below(100));
                        pages.grow(len, new.clone());
                        model.resize(len, new);
                    }
                    1 => {
                        let new = value(random.below(100));
                        assert_eq!(pages.push(new.clone()) as usize, model.len());
                        model.push(new);
                    }
                    2 => copies.push((pages.share(), model.clone())),
                    3 => drop(copies.pop()),
                    4 if !model.is_empty() => {
                        let place = |r: &mut Random| r.below(model.len() as u64) as u32;
                        let places: Vec<u32> = (0..9).map(|_| place(&mut random)).collect();
                        pages.for_each_mut(&places, |row, old| *old = value(row as u64));
                        for (row, place) in places.iter().enumerate() {
                            model[*place as usize] = value(row as u64);
                        }
                    }
                    _ if !model.is_empty() => {
                        let place = random.below(model.len() as u64);
                        let new = value(random.below(100));
                        *pages.get_mut(place as u32) = new.clone();
                        model[place as usize] = new;
                    }
                    _ => {}
                }
            }
            copies.push((pages.share(), model));
            for (copy, model) in &copies {
                assert_eq!(copy.len(), model.len());
                assert!(copy.iter().eq(model));
                for (place, value) in model.iter().enumerate() {
                    assert_eq!(copy.get(place as u32), value);
                }
            }
        }
    }

    #[test]
    fn a_shared_copy_keeps_what_it_had() {
        copies_keep_what_they_had(|number| number);
        copies_keep_what_they_had(|number| number.to_string());
    }

    #[test]
    fn a_page_is_copied_only_while_somebody_shares_it() {
        let mut pages = Pages::new();
        pages.grow(2, "a".to_owned());
        let first = |pages: &Pages<String>| std::ptr::from_ref(pages.get(0));
        let before = first(&pages);
        drop(pages.share());
        *pages.get_mut(1) = "b".to_owned();
        assert_eq!(first(&pages), before);
        let copy = pages.share();
        *pages.get_mut(1) = "c".to_owned();
        assert_ne!(first(&pages), before);
        assert_eq!(copy.get(1), "b");
    }
}

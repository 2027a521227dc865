//! An array of places in chunks that a snapshot shares and a writer copies first.
//!
//! Sharing takes one pointer a chunk, whatever the chunk holds. The first write to a shared chunk
//! copies it, unless the snapshot is gone by then; so a snapshot costs its owner the chunks that it
//! changes while the snapshot is being written.
//!
//! With a snapshot each second the memory of those copies comes and goes as often, and the system
//! clears each page of it anew: that takes longer than the copy. So the chunks of a snapshot that is
//! written serve the next copies, as many as were made last time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An array whose places are empty at first.
pub struct Chunked<T> {
    chunks: Vec<Chunk<T>>,
    // Chunks copied since all of them were shared last.
    copied: usize,
    spare: Arc<Spare<T>>,
}

enum Chunk<T> {
    Owned(Vec<Option<T>>),
    Shared(Arc<Vec<Option<T>>>),
}

/// What a [`Chunked`] held when it was shared.
pub struct SharedChunks<T> {
    chunks: Vec<Arc<Vec<Option<T>>>>,
    spare: Arc<Spare<T>>,
}

/// Memory of chunks that nobody shares any more, for the next copies.
struct Spare<T> {
    chunks: Mutex<Vec<Vec<Option<T>>>>,
    /// How many are kept.
    wanted: AtomicUsize,
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare {
            chunks: Mutex::new(Vec::new()),
            wanted: AtomicUsize::new(0),
        }
    }
}

impl<T> Spare<T> {
    fn chunks(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Option<T>>>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on so many are kept.
    fn want(&self, wanted: usize) {
        self.wanted.store(wanted, Ordering::Relaxed);
        self.chunks().truncate(wanted);
    }
}

impl<T> Drop for SharedChunks<T> {
    fn drop(&mut self) {
        let wanted = self.spare.wanted.load(Ordering::Relaxed);
        // What owns memory has to give it back first, which is what takes time.
        if wanted == 0 || std::mem::needs_drop::<T>() {
            return;
        }
        let chunks = std::mem::take(&mut self.chunks);
        let left: Vec<_> = chunks.into_iter().filter_map(Arc::into_inner).collect();
        let mut spare = self.spare.chunks();
        let room = wanted.saturating_sub(spare.len());
        spare.extend(left.into_iter().take(room));
    }
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Chunked {
            chunks: Vec::new(),
            copied: 0,
            spare: Arc::default(),
        }
    }
}

/// Bits of an index that count within a chunk. What owns memory takes long to copy: chunks of it
/// are small, so that no write waits for many copies.
const fn chunk_bits<T>() -> u32 {
    if std::mem::needs_drop::<T>() { 6 } else { 10 }
}

const fn split<T>(index: usize) -> (usize, usize) {
    let bits = chunk_bits::<T>();
    (index >> bits, index & ((1 << bits) - 1))
}

impl<T> Chunked<T> {
    /// What stands at an index.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        let (chunk, within) = split::<T>(index);
        let places = match self.chunks.get(chunk)? {
            Chunk::Owned(places) => places,
            Chunk::Shared(places) => &**places,
        };
        places.get(within).and_then(Option::as_ref)
    }

    /// One more than the highest index that may have a place.
    pub fn bound(&self) -> usize {
        let Some((last, before)) = self.chunks.split_last() else {
            return 0;
        };
        let places = match last {
            Chunk::Owned(places) => places,
            Chunk::Shared(places) => &**places,
        };
        (before.len() << chunk_bits::<T>()) + places.len()
    }
}

impl<T: Clone> Chunked<T> {
    /// The place at an index.
    #[inline]
    pub fn place(&mut self, index: usize) -> &mut Option<T> {
        let (chunk, within) = split::<T>(index);
        if chunk >= self.chunks.len() {
            self.chunks
                .resize_with(chunk + 1, || Chunk::Owned(Vec::new()));
        }
        let chunk = &mut self.chunks[chunk];
        if let Chunk::Shared(places) = chunk {
            *chunk = Chunk::Owned(take_over(places, &self.spare, &mut self.copied));
        }
        let Chunk::Owned(places) = chunk else {
            unreachable!("a shared chunk was just taken over");
        };
        if within >= places.len() {
            grow(places, within);
        }
        &mut places[within]
    }

    /// Shares all of it as it is now. With `soon` it will be shared again before long, and the memory
    /// of what is shared now is kept for the copies of then.
    pub fn share(&mut self, soon: bool) -> SharedChunks<T> {
        let copied = std::mem::take(&mut self.copied);
        self.spare.want(if soon { copied } else { 0 });
        let share = |chunk: &mut Chunk<T>| match chunk {
            Chunk::Shared(places) => places.clone(),
            Chunk::Owned(places) => {
                let places = Arc::new(std::mem::take(places));
                *chunk = Chunk::Shared(places.clone());
                places
            }
        };
        SharedChunks {
            chunks: self.chunks.iter_mut().map(share).collect(),
            spare: self.spare.clone(),
        }
    }
}

#[cold]
fn take_over<T: Clone>(
    places: &mut Arc<Vec<Option<T>>>,
    spare: &Spare<T>,
    copied: &mut usize,
) -> Vec<Option<T>> {
    if let Some(places) = Arc::get_mut(places) {
        return std::mem::take(places);
    }
    *copied += 1;
    let mut copy = spare.chunks().pop().unwrap_or_default();
    copy.clear();
    copy.extend_from_slice(places);
    copy
}

#[cold]
fn grow<T>(places: &mut Vec<Option<T>>, within: usize) {
    let len = (within + 1).next_power_of_two();
    places.resize_with(len.min(1 << chunk_bits::<T>()), || None);
}

impl<T> SharedChunks<T> {
    /// What stood at an index.
    pub fn get(&self, index: usize) -> Option<&T> {
        let (chunk, within) = split::<T>(index);
        self.chunks.get(chunk)?.get(within)?.as_ref()
    }

    /// What stood anywhere, by index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.chunks.iter().enumerate().flat_map(|(chunk, places)| {
            let first = chunk << chunk_bits::<T>();
            let full = places.iter().enumerate();
            full.filter_map(move |(at, place)| place.as_ref().map(|value| (first + at, value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Set(usize, u32),
        Clear(usize),
        Share(bool),
        Forget,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let index = prop_oneof![0usize..8, 0usize..5000];
        let one = prop_oneof![
            6 => (index.clone(), any::<u32>()).prop_map(|(at, value)| Step::Set(at, value)),
            2 => index.prop_map(Step::Clear),
            1 => any::<bool>().prop_map(Step::Share),
            1 => Just(Step::Forget),
        ];
        proptest::collection::vec(one, 0..120)
    }

    /// Every shared copy keeps what it had, whatever is written behind it.
    fn check<T: Clone + PartialEq + std::fmt::Debug>(steps: &[Step], value: impl Fn(u32) -> T) {
        let mut array = Chunked::default();
        let mut model = std::collections::BTreeMap::new();
        let mut shared = Vec::new();
        for step in steps {
            match step {
                Step::Set(at, number) => {
                    *array.place(*at) = Some(value(*number));
                    model.insert(*at, value(*number));
                }
                Step::Clear(at) => {
                    assert_eq!(array.place(*at).take(), model.remove(at));
                }
                Step::Share(soon) => shared.push((array.share(*soon), model.clone())),
                Step::Forget => drop(shared.pop()),
            }
        }
        shared.push((array.share(false), model));
        for (copy, model) in &shared {
            let found: Vec<_> = copy.iter().collect();
            let expected: Vec<_> = model.iter().map(|(at, value)| (*at, value)).collect();
            assert_eq!(found, expected);
            for at in model.keys() {
                assert_eq!(copy.get(*at), model.get(at));
            }
        }
        for at in 0..5000 {
            assert_eq!(array.get(at), shared.last().and_then(|(_, m)| m.get(&at)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shared_copy_keeps_what_it_had(steps in steps()) {
            check(&steps, |number| number);
            check(&steps, |number| number.to_string());
        }
    }

    #[test]
    fn a_chunk_is_copied_only_while_somebody_shares_it() {
        let mut array = Chunked::default();
        *array.place(0) = Some("a".to_owned());
        let before = array.get(0).map(std::ptr::from_ref);
        drop(array.share(false));
        *array.place(1) = Some("b".to_owned());
        assert_eq!(array.get(0).map(std::ptr::from_ref), before);
        let shared = array.share(false);
        *array.place(1) = Some("c".to_owned());
        assert_ne!(array.get(0).map(std::ptr::from_ref), before);
        assert_eq!(shared.get(1).map(String::as_str), Some("b"));
    }

    #[test]
    fn memory_of_a_snapshot_serves_the_copies_of_the_next() {
        let mut array = Chunked::default();
        let write = |array: &mut Chunked<u64>, number: u64| {
            for at in 0..5000 {
                *array.place(at) = Some(number);
            }
        };
        let spare = |array: &Chunked<u64>| array.spare.chunks().len();
        write(&mut array, 0);
        for number in 1..5 {
            let shared = array.share(true);
            write(&mut array, number);
            assert_eq!(spare(&array), 0, "all are in use");
            drop(shared);
            let kept = if number == 1 { 0 } else { 5 };
            assert_eq!(spare(&array), kept, "as many as the time before");
        }
        // Less is written, and less is kept.
        let shared = array.share(true);
        *array.place(0) = Some(7);
        drop(shared);
        assert_eq!(spare(&array), 5);
        drop(array.share(true));
        assert_eq!(spare(&array), 1);
        drop(array.share(false));
        assert_eq!(spare(&array), 0);
    }
}

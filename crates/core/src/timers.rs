//! Timers: per key and instant, de-duplicated, fired in order of time.
//!
//! Most jobs have many keys that share few instants (window ends), so timers lie in buckets, one
//! an instant; within a bucket they fire in the order of registration.

use std::collections::BTreeMap;

use crate::collections::HashSet;
use crate::state::Slot;

#[derive(Debug, Default)]
struct Bucket {
    order: Vec<Slot>,
    // Decides: a timer deleted and registered again stands twice in `order` but fires once.
    live: HashSet<Slot>,
}

/// The timers of one time domain of one operator instance.
#[derive(Debug, Default)]
pub struct TimerQueue {
    buckets: BTreeMap<i64, Bucket>,
    firing: Option<(i64, std::vec::IntoIter<Slot>, HashSet<Slot>)>,
}

impl TimerQueue {
    /// Registers a timer; false if it was registered already.
    pub fn register(&mut self, time: i64, slot: Slot) -> bool {
        let bucket = self.buckets.entry(time).or_default();
        let new = bucket.live.insert(slot);
        if new {
            bucket.order.push(slot);
        }
        new
    }

    /// Deletes a timer; false if there was none.
    pub fn delete(&mut self, time: i64, slot: Slot) -> bool {
        if let Some((firing, _, live)) = &mut self.firing
            && *firing == time
            && live.remove(&slot)
        {
            return true;
        }
        let Some(bucket) = self.buckets.get_mut(&time) else {
            return false;
        };
        let removed = bucket.live.remove(&slot);
        if bucket.live.is_empty() {
            self.buckets.remove(&time);
        }
        removed
    }

    /// Takes the next timer at or before `time`.
    ///
    /// A timer registered while its own instant fires is fired too, after the others.
    pub fn pop_due(&mut self, time: i64) -> Option<(i64, Slot)> {
        loop {
            if let Some((at, order, live)) = &mut self.firing {
                if let Some(slot) = order.find(|slot| live.remove(slot)) {
                    return Some((*at, slot));
                }
                self.firing = None;
            }
            let (at, _) = self
                .buckets
                .first_key_value()
                .filter(|(at, _)| **at <= time)?;
            let at = *at;
            let bucket = self.buckets.remove(&at).unwrap_or_default();
            self.firing = Some((at, bucket.order.into_iter(), bucket.live));
        }
    }

    /// The earliest instant with a timer.
    pub fn next(&self) -> Option<i64> {
        match &self.firing {
            Some((at, _, live)) if !live.is_empty() => Some(*at),
            _ => self.buckets.first_key_value().map(|(at, _)| *at),
        }
    }

    /// How many timers are registered.
    pub fn len(&self) -> usize {
        let firing = self.firing.as_ref().map_or(0, |(_, _, live)| live.len());
        firing
            + self
                .buckets
                .values()
                .map(|bucket| bucket.live.len())
                .sum::<usize>()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All timers, by time, then in the order they would fire.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Slot)> + '_ {
        let firing = self.firing.iter().flat_map(|(at, order, live)| {
            order
                .as_slice()
                .iter()
                .filter(|slot| live.contains(*slot))
                .map(|slot| (*at, *slot))
        });
        let waiting = self.buckets.iter().flat_map(|(at, bucket)| {
            let mut seen = HashSet::default();
            bucket
                .order
                .iter()
                .filter(move |slot| bucket.live.contains(*slot) && seen.insert(**slot))
                .map(|slot| (*at, *slot))
        });
        firing.chain(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut TimerQueue, time: i64) -> Vec<(i64, u32)> {
        std::iter::from_fn(|| queue.pop_due(time))
            .map(|(at, slot)| (at, slot.0))
            .collect()
    }

    #[test]
    fn timers_fire_by_time_then_by_registration_and_only_once() {
        let mut queue = TimerQueue::default();
        for (time, slot) in [(5, 1), (3, 2), (5, 0), (3, 2)] {
            queue.register(time, Slot(slot));
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(drain(&mut queue, 4), [(3, 2)]);
        assert_eq!(drain(&mut queue, 5), [(5, 1), (5, 0)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_timer_deleted_and_registered_again_fires_once() {
        let mut queue = TimerQueue::default();
        queue.register(5, Slot(1));
        queue.register(5, Slot(2));
        assert!(queue.delete(5, Slot(1)));
        assert!(!queue.delete(5, Slot(1)));
        queue.register(5, Slot(1));
        assert_eq!(drain(&mut queue, 5).len(), 2);
    }

    #[test]
    fn a_timer_deleted_while_its_instant_fires_does_not_fire() {
        let mut queue = TimerQueue::default();
        queue.register(5, Slot(1));
        queue.register(5, Slot(2));
        assert_eq!(queue.pop_due(5), Some((5, Slot(1))));
        assert!(queue.delete(5, Slot(2)));
        assert_eq!(queue.pop_due(5), None);
    }

    #[test]
    fn a_timer_registered_for_the_past_fires_at_the_next_look() {
        let mut queue = TimerQueue::default();
        queue.register(9, Slot(1));
        assert_eq!(queue.pop_due(9), Some((9, Slot(1))));
        queue.register(2, Slot(1));
        assert_eq!(queue.pop_due(9), Some((2, Slot(1))));
    }
}

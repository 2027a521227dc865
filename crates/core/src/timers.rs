//! Timers: per key and instant, de-duplicated, fired in order of time.
//!
//! Most jobs have many keys that share few instants (window ends), so timers lie in buckets, one
//! an instant; within a bucket they fire in the order of registration.

use std::collections::BTreeMap;

use crate::collections::HashMap;
use crate::state::{InstantSlots, Slot};

// A bucket's order may hold so many timers that were deleted before they are taken out.
const DELETED_MAX: usize = 32;

/// The timers of one instant.
#[derive(Debug, Default)]
struct Bucket {
    order: Vec<Slot>,
    // INVARIANT: a slot's timer stands at this position of `order`. At other positions are timers
    // that were deleted: one registered again stands behind the others, as it would have had to
    // be if a snapshot, which knows nothing of deleted timers, had been restored in between.
    live: HashMap<Slot, usize>,
    // How far the bucket has fired.
    fired: usize,
}

impl Bucket {
    fn register(&mut self, slot: Slot) -> bool {
        if self.live.contains_key(&slot) {
            return false;
        }
        self.live.insert(slot, self.order.len());
        self.order.push(slot);
        true
    }

    fn delete(&mut self, slot: Slot) -> bool {
        let removed = self.live.remove(&slot).is_some();
        if removed && self.order.len() - self.fired > 2 * self.live.len() + DELETED_MAX {
            self.order = self.iter().collect();
            self.fired = 0;
            self.live = (0..).zip(&self.order).map(|(i, slot)| (*slot, i)).collect();
        }
        removed
    }

    fn pop(&mut self) -> Option<Slot> {
        while let Some(slot) = self.order.get(self.fired).copied() {
            let at = self.fired;
            self.fired += 1;
            if self.live.get(&slot) == Some(&at) {
                self.live.remove(&slot);
                return Some(slot);
            }
        }
        None
    }

    /// The timers in the order in which they would fire, all at once.
    fn slots(&self) -> Vec<Slot> {
        let waiting = &self.order[self.fired..];
        if waiting.len() == self.live.len() {
            return waiting.to_vec();
        }
        self.iter().collect()
    }

    /// The timers in the order in which they would fire.
    fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let waiting = self.order.iter().enumerate().skip(self.fired);
        let live = waiting.filter(|(at, slot)| self.live.get(*slot) == Some(at));
        live.map(|(_, slot)| *slot)
    }
}

/// The timers of one time domain of one operator instance.
#[derive(Debug, Default)]
pub struct TimerQueue {
    buckets: BTreeMap<i64, Bucket>,
    firing: Option<(i64, Bucket)>,
}

impl TimerQueue {
    /// Registers a timer; false if it was registered already.
    pub fn register(&mut self, time: i64, slot: Slot) -> bool {
        self.buckets.entry(time).or_default().register(slot)
    }

    /// Deletes a timer; false if there was none.
    pub fn delete(&mut self, time: i64, slot: Slot) -> bool {
        if let Some((firing, bucket)) = &mut self.firing
            && *firing == time
            && bucket.delete(slot)
        {
            return true;
        }
        let Some(bucket) = self.buckets.get_mut(&time) else {
            return false;
        };
        let removed = bucket.delete(slot);
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
            if let Some((at, bucket)) = &mut self.firing {
                if let Some(slot) = bucket.pop() {
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
            self.firing = Some((at, bucket));
        }
    }

    /// The earliest instant with a timer.
    pub fn next(&self) -> Option<i64> {
        match &self.firing {
            Some((at, bucket)) if !bucket.live.is_empty() => Some(*at),
            _ => self.buckets.first_key_value().map(|(at, _)| *at),
        }
    }

    /// How many timers are registered.
    pub fn len(&self) -> usize {
        let firing = self.firing.iter().map(|(_, bucket)| bucket.live.len());
        let waiting = self.buckets.values().map(|bucket| bucket.live.len());
        firing.chain(waiting).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All timers by time, each instant's in the order they would fire.
    pub fn by_instant(&self) -> InstantSlots {
        let firing = self.firing.iter().map(|(at, bucket)| (*at, bucket));
        let waiting = self.buckets.iter().map(|(at, bucket)| (*at, bucket));
        let all = firing.chain(waiting);
        all.map(|(at, bucket)| (at, bucket.slots())).collect()
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

    #[test]
    fn a_timer_registered_again_fires_behind_the_others_as_after_a_restore() {
        let mut queue = TimerQueue::default();
        queue.register(5, Slot(1));
        queue.register(5, Slot(2));
        for _ in 0..1000 {
            queue.delete(5, Slot(1));
            queue.register(5, Slot(1));
        }
        assert_eq!(queue.by_instant(), [(5, vec![Slot(2), Slot(1)])]);
        assert_eq!(drain(&mut queue, 5), [(5, 2), (5, 1)]);
    }
}

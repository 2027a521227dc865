//! Local channels: bounded rings with one sender and one receiver, and how their threads are woken.
//!
//! Beside its elements a channel has notices, which no element delays: that a barrier or the end is
//! on its way, and that the receiver has taken out more than it could process. A receiver that a
//! barrier shall overtake empties the ring into its own memory up to the barrier, and holds the
//! sender until it has processed that: so no channel keeps more than twice its capacity.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::thread::Thread;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use thalweg_core::element::{Barrier, StreamElement};
use thalweg_core::host::Waker;
use thalweg_core::time::ProcessingTime;

/// Puts a slot's thread to sleep and wakes it.
///
/// INVARIANT: a thread first says that it sleeps, then looks at its queues once more, then parks;
/// a sender first publishes, then looks whether the receiver sleeps. So no wake-up is lost.
#[derive(Debug, Default)]
pub struct Parker {
    sleeping: AtomicBool,
    // A source's waker was called: its queue is not among those the thread looks at.
    signalled: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Parker {
    /// Binds the parker to the calling thread, once.
    pub fn bind(&self) {
        // A second call from the same thread changes nothing.
        let _ = self.thread.set(std::thread::current());
    }

    /// Says that this thread is about to sleep.
    pub fn announce(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Takes the announcement back.
    pub fn retract(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// Whether a waker was called since the last look.
    pub fn take_signal(&self) -> bool {
        self.signalled.swap(false, Ordering::SeqCst)
    }

    /// Sleeps until woken, or for `timeout`.
    pub fn park(&self, timeout: Option<Duration>) {
        match timeout {
            Some(timeout) => std::thread::park_timeout(timeout),
            None => std::thread::park(),
        }
        self.retract();
    }

    /// Wakes the thread if it sleeps.
    #[inline]
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed)
            && self.sleeping.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// A waker for sources and timers.
    pub fn waker(self: &Arc<Self>) -> Waker {
        let parker = Arc::clone(self);
        Waker::new(move || {
            parker.signalled.store(true, Ordering::SeqCst);
            parker.wake();
        })
    }
}

/// What the ends of a channel tell each other past the elements.
#[derive(Debug, Default)]
struct Notices {
    announced: AtomicU64,
    overtakes_from: AtomicI64,
    ends: AtomicBool,
    held: AtomicBool,
}

/// The sending end of a channel.
pub struct Sender {
    ring: Producer<StreamElement>,
    notices: Arc<Notices>,
    receiver: Arc<Parker>,
}

/// The receiving end of a channel.
pub struct Receiver {
    ring: Consumer<StreamElement>,
    notices: Arc<Notices>,
    sender: Arc<Parker>,
}

/// A channel for `capacity` elements between the threads of two parkers.
pub fn channel(capacity: usize, sender: Arc<Parker>, receiver: Arc<Parker>) -> (Sender, Receiver) {
    let (producer, consumer) = RingBuffer::new(capacity.max(1));
    let notices = Arc::<Notices>::default();
    (
        Sender {
            ring: producer,
            notices: notices.clone(),
            receiver,
        },
        Receiver {
            ring: consumer,
            notices,
            sender,
        },
    )
}

impl Sender {
    /// Sends an element, or gives it back when the channel is full or held.
    ///
    /// # Errors
    /// The element itself.
    #[inline]
    pub fn send(&mut self, element: StreamElement) -> Result<(), StreamElement> {
        if self.is_held() {
            return Err(element);
        }
        self.press(element)
    }

    /// Sends an element even if the receiver holds the channel: for what a barrier waits for.
    ///
    /// # Errors
    /// The element itself, if the channel is full.
    #[inline]
    pub fn press(&mut self, element: StreamElement) -> Result<(), StreamElement> {
        match self.ring.push(element) {
            Ok(()) => {
                self.receiver.wake();
                Ok(())
            }
            Err(rtrb::PushError::Full(element)) => Err(element),
        }
    }

    /// Whether the receiver wants nothing more for now.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.notices.held.load(Ordering::Acquire)
    }

    /// Says that a barrier is on its way.
    pub fn announce(&self, barrier: Barrier) {
        if let Some(from) = barrier.overtakes_from {
            let notices = &self.notices;
            notices
                .overtakes_from
                .store(from.millis(), Ordering::Relaxed);
            notices
                .announced
                .store(barrier.checkpoint, Ordering::Release);
            self.receiver.wake();
        }
    }

    /// Says that the end is on its way.
    pub fn announce_end(&self) {
        self.notices.ends.store(true, Ordering::Release);
        self.receiver.wake();
    }
}

impl Receiver {
    /// Takes the oldest element.
    #[inline]
    pub fn receive(&mut self) -> Option<StreamElement> {
        let element = self.ring.pop().ok()?;
        self.sender.wake();
        Some(element)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// The newest barrier on its way that may overtake records.
    pub fn announced(&self) -> Option<Barrier> {
        let checkpoint = self.notices.announced.load(Ordering::Acquire);
        let from = self.notices.overtakes_from.load(Ordering::Relaxed);
        (checkpoint > 0).then_some(Barrier {
            overtakes_from: Some(ProcessingTime(from)),
            ..Barrier::of_checkpoint(checkpoint)
        })
    }

    /// Whether the end is on its way.
    pub fn ends(&self) -> bool {
        self.notices.ends.load(Ordering::Acquire)
    }

    /// Lets the sender send no more than what a barrier waits for, or everything again.
    pub fn hold(&self, held: bool) {
        if self.notices.held.swap(held, Ordering::AcqRel) && !held {
            self.sender.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_core::watermark::Watermark;

    // A stress of the sleep protocol: a lost wake-up hangs this test.
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn no_wake_up_is_lost_between_two_threads_that_keep_falling_asleep() {
        let (here, there) = (Arc::new(Parker::default()), Arc::new(Parker::default()));
        let (mut sender, mut receiver) = channel(2, here.clone(), there.clone());
        let consumer = std::thread::spawn(move || {
            there.bind();
            let mut sum = 0i64;
            loop {
                match receiver.receive() {
                    Some(StreamElement::Watermark(Watermark(value))) => sum += value,
                    Some(_) => return sum,
                    None => {
                        there.announce();
                        if receiver.is_empty() {
                            there.park(None);
                        } else {
                            there.retract();
                        }
                    }
                }
            }
        });
        here.bind();
        let mut send = |mut element: StreamElement| {
            while let Err(back) = sender.send(element) {
                element = back;
                here.announce();
                here.park(Some(Duration::from_millis(1)));
            }
        };
        for value in 0..100_000 {
            send(StreamElement::Watermark(Watermark(value)));
        }
        send(StreamElement::EndOfInput);
        assert_eq!(consumer.join().unwrap(), 99_999 * 50_000);
    }
}

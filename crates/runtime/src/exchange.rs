//! Local channels: bounded rings with one sender and one receiver, and how their threads are woken.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::Thread;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use thalweg_core::element::StreamElement;
use thalweg_core::host::Waker;

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

/// The sending end of a channel.
pub struct Sender {
    ring: Producer<StreamElement>,
    receiver: Arc<Parker>,
}

/// The receiving end of a channel.
pub struct Receiver {
    ring: Consumer<StreamElement>,
    sender: Arc<Parker>,
}

/// A channel for `capacity` elements between the threads of two parkers.
pub fn channel(capacity: usize, sender: Arc<Parker>, receiver: Arc<Parker>) -> (Sender, Receiver) {
    let (producer, consumer) = RingBuffer::new(capacity.max(1));
    (
        Sender {
            ring: producer,
            receiver,
        },
        Receiver {
            ring: consumer,
            sender,
        },
    )
}

impl Sender {
    /// Sends an element, or gives it back when the channel is full.
    ///
    /// # Errors
    /// The element itself.
    #[inline]
    pub fn send(&mut self, element: StreamElement) -> Result<(), StreamElement> {
        match self.ring.push(element) {
            Ok(()) => {
                self.receiver.wake();
                Ok(())
            }
            Err(rtrb::PushError::Full(element)) => Err(element),
        }
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

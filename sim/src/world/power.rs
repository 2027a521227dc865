//! Whether the process lives: operations on the outside world may be its last.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The power supply of the simulated process.
#[derive(Debug, Default)]
pub struct Power(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    left: Option<u64>,
    off: bool,
}

impl Power {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process ends inside of an operation, after `operations` more.
    pub fn cut_after(&self, operations: u64) {
        self.state().left = Some(operations);
    }

    /// A new process.
    pub fn switch_on(&self) {
        *self.state() = State::default();
    }

    /// Whether the process has ended.
    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// An operation begins. False if the process ends inside of it.
    pub fn begin(&self) -> bool {
        let mut state = self.state();
        match &mut state.left {
            Some(0) => {
                state.left = None;
                state.off = true;
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

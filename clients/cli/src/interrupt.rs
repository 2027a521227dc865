//! Ctrl-C: the first stops the running job cleanly, the second the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether Ctrl-C was pressed.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen.
    pub fn listen() -> Self {
        let interrupt = Interrupt::default();
        // A handler that cannot be installed leaves the system's own: the process ends at once.
        let _ = signal_hook::flag::register_conditional_shutdown(
            signal_hook::consts::SIGINT,
            crate::exit::INTERRUPTED.into(),
            interrupt.0.clone(),
        );
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, interrupt.0.clone());
        interrupt
    }

    /// Whether Ctrl-C was pressed since the last `clear`.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Forgets about it.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }
}

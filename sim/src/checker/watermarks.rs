//! Watermarks rise at every operator and sink, and no timer fires before its time.

use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

use crate::journal::Journal;

/// The watermarks of one instance.
pub struct Rising {
    instance: String,
    highest: Watermark,
    journal: Journal,
}

impl Rising {
    /// Of a new instance.
    pub fn new(instance: String, journal: Journal) -> Self {
        Rising {
            instance,
            highest: Watermark::MIN,
            journal,
        }
    }

    /// The instance stands at a watermark.
    pub fn see(&mut self, watermark: Watermark) {
        if watermark < self.highest {
            self.journal.violate(format!(
                "watermarks: `{}` goes back from {} to {}",
                self.instance, self.highest.0, watermark.0
            ));
        }
        self.highest = watermark;
    }

    /// An event timer fires.
    pub fn covers(&self, timer: EventTime) {
        if timer.0 > self.highest.0 {
            self.journal.violate(format!(
                "watermarks: a timer of `{}` for {} fires at {}",
                self.instance, timer.0, self.highest.0
            ));
        }
    }
}

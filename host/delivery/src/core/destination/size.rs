//! How much of a destination goes at once, and how much of its work memory holds.

use super::Destination;
use crate::core::input::Settings;
use crate::core::window::Most;

/// The least that a window holds.
const MIN_WINDOW: usize = 32;
/// The most that a window holds.
const MAX_WINDOW: usize = 65_536;
/// Hand-overs without "too large" or a trap after which a halved hand-over doubles.
const DOUBLE_AFTER: u32 = 16;

impl Destination {
    /// A hand-over was too large for the destination, or for its connector.
    pub fn halve(&mut self, size: u32) {
        self.hand_over = (size / 2).max(1);
        self.good_calls = 0;
    }

    /// A hand-over went through.
    pub fn went_through(&mut self) {
        self.good_calls += 1;
        if self.good_calls >= DOUBLE_AFTER {
            self.good_calls = 0;
            self.hand_over = self.hand_over.saturating_mul(2);
        }
    }

    /// One attempt at a time, each put on record first: until as many have come to an end as memory holds, which are more
    /// than can have been in flight when a host died, and those are the first to be due.
    pub fn is_cautious(&self) -> bool {
        self.suspect && self.caution > 0
    }

    /// Events that may be in flight at once.
    pub fn limit(&self) -> u32 {
        let units = self.breaker.ramp().unwrap_or(u32::MAX).min(self.settings.concurrency.max(1));
        units.saturating_mul(unit(&self.settings))
    }

    /// Most events of a hand-over, after what was too large.
    pub(super) fn size(&self) -> u32 {
        if self.is_cautious() {
            return 1;
        }
        let size = self.settings.batched().map_or(self.settings.hand_over, |batch| batch.max_events);
        size.max(1).min(self.hand_over)
    }

    /// Bounds of a hand-over; those of a batch, where a call is one.
    pub fn bounds(&self) -> Most {
        let bytes = self.settings.batched().map_or(u64::MAX, |batch| batch.max_bytes);
        Most { events: self.size() as usize, bytes }
    }

    /// Most events of the next hand-over, before slots and tokens.
    pub fn most(&self) -> u32 {
        self.size().min(self.limit().saturating_sub(self.in_flight))
    }
}

/// Events per unit of concurrency: a batch counts as one.
fn unit(settings: &Settings) -> u32 {
    settings.batched().map_or(1, |batch| batch.max_events)
}

/// Most entries of a window.
pub(super) fn bound(settings: &Settings) -> usize {
    let events = settings.concurrency.max(1).saturating_mul(unit(settings)).max(settings.hand_over);
    (events as usize).saturating_mul(2).clamp(MIN_WINDOW, MAX_WINDOW)
}

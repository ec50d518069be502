//! One ordered set of deadlines on the monotonic clock.

use railhead_model::DestinationNo;
use std::collections::BTreeSet;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The lease ends.
    Lease,
    /// The result lane has waited long enough, or may send again.
    Flush,
    /// Something of a destination becomes possible.
    Destination(DestinationNo),
}

/// Deadlines, and which of them the driver was told of.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: BTreeSet<(u64, Timer)>,
    announced: Option<u64>,
}

impl Timers {
    pub fn add(&mut self, at: u64, timer: Timer) {
        self.set.insert((at, timer));
    }

    pub fn remove(&mut self, at: u64, timer: Timer) {
        self.set.remove(&(at, timer));
    }

    /// The next deadline that has come.
    pub fn pop(&mut self, now: u64) -> Option<Timer> {
        let first = *self.set.first().filter(|(at, _)| *at <= now)?;
        self.set.remove(&first);
        Some(first.1)
    }

    /// The earliest deadline, if the driver does not know it yet. A deadline that went away is not taken back: one
    /// tick too many is harmless.
    pub fn announce(&mut self, now: u64) -> Option<u64> {
        if self.announced.is_some_and(|at| at <= now) {
            self.announced = None;
        }
        let first = self.set.first()?.0;
        if self.announced.is_some_and(|at| at <= first) {
            return None;
        }
        self.announced = Some(first);
        Some(first)
    }

    /// A destination's deadline.
    #[cfg(test)]
    pub fn next_of(&self, no: DestinationNo) -> Option<u64> {
        self.set.iter().find(|(_, timer)| *timer == Timer::Destination(no)).map(|(at, _)| *at)
    }

    pub fn clear(&mut self) {
        self.set.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_are_announced_once() {
        let mut timers = Timers::default();
        timers.add(20, Timer::Flush);
        assert_eq!(timers.announce(0), Some(20));
        assert_eq!(timers.announce(0), None);
        timers.add(10, Timer::Lease);
        assert_eq!(timers.announce(0), Some(10));
        assert_eq!(timers.pop(9), None);
        assert_eq!(timers.pop(10), Some(Timer::Lease));
        assert_eq!(timers.announce(10), Some(20));
    }
}

//! A destination's circuit breaker.
//!
//! Closed: everything goes. Open: nothing but one probe at a time, with the oldest delivery that is due. Closed again:
//! what may be in flight grows 1, 2, 4, … An open breaker touches no delivery; only its own state is durable.

use railhead_model::{Reason, Timestamp};
use railhead_store::work::Health;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// From opening to the first probe; doubles with every probe that fails.
const FIRST_PROBE_MS: i64 = 10_000;
/// No longer than this between probes.
const MAX_PROBE_MS: i64 = 300_000;

/// What a result did to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// Nothing that must be stored.
    Stays,
    /// It opened: store it, and tell.
    Opened,
    /// A probe failed: the next one is later. Store it.
    Postponed,
    /// It closed: store it, and tell.
    Closed,
}

/// The state of one destination.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    health: Health,
    ramp: Option<u32>,
}

impl Breaker {
    pub fn new(health: Health) -> Self {
        Self { health, ramp: None }
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    /// While open, when the next probe may start.
    pub fn next_probe(&self) -> Option<Timestamp> {
        self.health.open.then(|| self.health.next_probe.unwrap_or_default())
    }

    /// True for a destination whose last result was a failure.
    pub fn is_failing(&self) -> bool {
        self.health.open || self.health.failures > 0
    }

    /// While ramping, how many hand-over units may be in flight.
    pub fn ramp(&self) -> Option<u32> {
        self.ramp
    }

    /// A delivery failed. `at_once`: nothing gets through until a person acts.
    pub fn failed(&mut self, now: Timestamp, reason: &Reason, probe: bool, at_once: bool) -> Transition {
        self.ramp = self.ramp.map(|_| 1);
        self.health.failures = self.health.failures.saturating_add(1);
        self.health.failing_since.get_or_insert(now);
        if self.health.open {
            // What was already in flight when it opened says nothing new.
            return if probe { self.postpone(now, reason) } else { Transition::Stays };
        }
        if !at_once && self.health.failures < FAILURES {
            return Transition::Stays;
        }
        self.health.open = true;
        self.health.probes = 0;
        self.health.next_probe = Some(now.plus_ms(FIRST_PROBE_MS));
        self.health.reason = Some(reason.clone());
        self.ramp = None;
        Transition::Opened
    }

    /// The destination took a delivery, or refused one event for what it is.
    pub fn answered(&mut self, now: Timestamp, delivered: bool) -> Transition {
        if delivered {
            self.health.last_delivered = Some(now);
        } else if !self.health.open {
            return Transition::Stays;
        }
        self.health.failures = 0;
        self.health.failing_since = None;
        if !self.health.open {
            return Transition::Stays;
        }
        self.health = Health { last_delivered: self.health.last_delivered, ..Health::default() };
        self.ramp = Some(1);
        Transition::Closed
    }

    /// A probe was throttled: it says when to ask again.
    pub fn throttled(&mut self, until: Timestamp, probe: bool) -> Transition {
        if !(self.health.open && probe) {
            return Transition::Stays;
        }
        self.health.next_probe = Some(until);
        Transition::Postponed
    }

    /// A hand-over went through without a failure: twice as much may be in flight, until `limit` is reached.
    pub fn grow(&mut self, limit: u32) {
        self.ramp = self.ramp.map(|units| units.saturating_mul(2)).filter(|units| *units < limit);
    }

    /// A person acted: probe at once.
    pub fn reconfigured(&mut self, now: Timestamp) {
        if self.health.open {
            self.health.next_probe = Some(now);
        }
    }

    fn postpone(&mut self, now: Timestamp, reason: &Reason) -> Transition {
        self.health.probes = self.health.probes.saturating_add(1);
        let delay = FIRST_PROBE_MS.saturating_mul(1 << self.health.probes.min(16)).min(MAX_PROBE_MS);
        self.health.next_probe = Some(now.plus_ms(delay));
        self.health.reason = Some(reason.clone());
        Transition::Postponed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> Reason {
        Reason::new("http-503", "Service Unavailable")
    }

    fn open() -> Breaker {
        let mut breaker = Breaker::new(Health::default());
        for n in 1..FAILURES {
            assert_eq!(breaker.failed(Timestamp(0), &reason(), false, false), Transition::Stays, "{n}");
        }
        assert_eq!(breaker.failed(Timestamp(0), &reason(), false, false), Transition::Opened);
        breaker
    }

    #[test]
    fn probes_double_from_ten_seconds_to_five_minutes() {
        let mut breaker = open();
        let mut gaps = Vec::new();
        for _ in 0..7 {
            let at = breaker.next_probe().unwrap();
            assert_eq!(breaker.failed(at, &reason(), true, false), Transition::Postponed);
            gaps.push(breaker.next_probe().unwrap().since(at) / 1000);
        }
        assert_eq!(gaps, [20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn late_failures_of_before_do_not_postpone_the_probe() {
        let mut breaker = open();
        assert_eq!(breaker.failed(Timestamp(9_000), &reason(), false, false), Transition::Stays);
        assert_eq!(breaker.next_probe(), Some(Timestamp(10_000)));
    }

    #[test]
    fn it_closes_with_a_success_and_ramps() {
        let mut breaker = open();
        assert_eq!(breaker.answered(Timestamp(10_000), true), Transition::Closed);
        assert_eq!(breaker.health().last_delivered, Some(Timestamp(10_000)));
        let mut ramp = Vec::new();
        while let Some(units) = breaker.ramp() {
            ramp.push(units);
            breaker.grow(8);
        }
        assert_eq!(ramp, [1, 2, 4]);
        assert!(!breaker.is_failing());
    }

    #[test]
    fn a_success_breaks_the_row_and_a_refusal_of_one_event_does_not() {
        let mut breaker = Breaker::new(Health::default());
        for _ in 0..4 {
            breaker.failed(Timestamp(0), &reason(), false, false);
        }
        breaker.answered(Timestamp(1), false);
        assert_eq!(breaker.health().failures, 4);
        breaker.answered(Timestamp(1), true);
        assert_eq!(breaker.failed(Timestamp(2), &reason(), false, false), Transition::Stays);
    }

    #[test]
    fn misconfigured_opens_at_once_and_a_person_brings_the_probe_forward() {
        let mut breaker = Breaker::new(Health::default());
        assert_eq!(breaker.failed(Timestamp(0), &reason(), false, true), Transition::Opened);
        breaker.reconfigured(Timestamp(3));
        assert_eq!(breaker.next_probe(), Some(Timestamp(3)));
    }
}

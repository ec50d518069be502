//! When an accept commit starts: the group commit's policy, pure.

/// Commits in flight at most: one runs while the next is sent, more only queue up in the database.
const IN_FLIGHT: usize = 2;
/// So many events are company enough.
const ENOUGH: usize = 64;
/// Waiting is worth it if so many more events are expected within [`QUIET_MS`].
const EXPECTED: f64 = 4.0;
/// Nobody else comes, where nobody came for so long: publishers that wait for their answers all send at once, and then not.
const QUIET_MS: u64 = 4;
/// Arrivals are averaged over about this long, in milliseconds.
const WINDOW_MS: f64 = 20.0;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing waits, or both commits are taken.
    Wait,
    /// Look again at this time, in monotonic milliseconds.
    WaitUntil(u64),
    /// Commit now.
    Commit,
}

/// The arrival rate, and for how long the oldest waits.
#[derive(Debug)]
pub(crate) struct Gather {
    longest_ms: u64,
    arrivals: f64,
    /// When the last one came.
    at_ms: u64,
    oldest_ms: Option<u64>,
}

impl Gather {
    pub const fn new(longest_ms: u64) -> Self {
        Self { longest_ms, arrivals: 0.0, at_ms: 0, oldest_ms: None }
    }

    /// So many events came.
    pub fn arrived(&mut self, now_ms: u64, events: usize) {
        self.arrivals = self.decayed(now_ms) + events as f64;
        self.at_ms = now_ms;
        self.oldest_ms.get_or_insert(now_ms);
    }

    /// A commit took some; `left` are still queued.
    pub fn taken(&mut self, now_ms: u64, left: usize) {
        self.oldest_ms = (left > 0).then_some(now_ms);
    }

    pub fn decide(&self, now_ms: u64, queued: usize, in_flight: usize) -> Decision {
        if queued == 0 || in_flight >= IN_FLIGHT {
            return Decision::Wait;
        }
        let until = (self.oldest_ms.unwrap_or(now_ms) + self.longest_ms).min(self.at_ms + QUIET_MS);
        let expected = self.decayed(now_ms) / WINDOW_MS * QUIET_MS as f64;
        if queued >= ENOUGH || now_ms >= until || expected < EXPECTED {
            return Decision::Commit;
        }
        Decision::WaitUntil(until)
    }

    fn decayed(&self, now_ms: u64) -> f64 {
        self.arrivals * (-(now_ms.saturating_sub(self.at_ms) as f64) / WINDOW_MS).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_event_is_committed_at_once() {
        let mut gather = Gather::new(20);
        gather.arrived(1_000, 1);
        assert_eq!(gather.decide(1_000, 1, 0), Decision::Commit);
        assert_eq!(gather.decide(1_000, 1, 1), Decision::Commit);
        assert_eq!(gather.decide(1_000, 1, 2), Decision::Wait);
    }

    /// So many events a millisecond up to this one, all taken but the last.
    fn at_rate(a_ms: usize) -> Gather {
        let mut gather = Gather::new(20);
        for ms in 0..50 {
            gather.arrived(ms, a_ms);
            gather.taken(ms, 0);
        }
        gather.arrived(50, a_ms);
        gather
    }

    #[test]
    fn at_a_high_rate_events_wait_for_company_while_it_comes() {
        let mut gather = at_rate(2);
        assert_eq!(gather.decide(50, 2, 0), Decision::WaitUntil(54));
        for ms in 51..70 {
            gather.arrived(ms, 2);
            let queued = usize::try_from(ms - 49).unwrap() * 2;
            assert_eq!(gather.decide(ms, queued, 0), Decision::WaitUntil((ms + 4).min(70)));
        }
        assert_eq!(gather.decide(70, 40, 0), Decision::Commit, "none waits longer than that");
    }

    #[test]
    fn enough_is_enough_and_who_comes_alone_waits_no_longer_than_before() {
        assert_eq!(at_rate(5).decide(51, 64, 0), Decision::Commit);
        assert_eq!(at_rate(5).decide(54, 5, 0), Decision::Commit, "nobody came for 4 ms");
    }

    #[test]
    fn the_rate_is_forgotten() {
        let mut gather = Gather::new(20);
        gather.arrived(0, 500);
        gather.taken(0, 0);
        gather.arrived(500, 1);
        assert_eq!(gather.decide(500, 1, 0), Decision::Commit);
    }
}

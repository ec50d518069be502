//! Whether this host is one to send requests to: what a load balancer is told.

/// Why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Another host took its work over; this process is about to end.
    #[error("another host took this host's work over; it is about to end")]
    Fenced,
    /// It finishes what it began and takes nothing new.
    #[error("the host shuts down")]
    Draining,
    /// The lease ran out and could not be renewed: nothing starts.
    #[error("the host's lease ran out and could not be renewed")]
    LeaseExpired,
    /// The last renewals got no answer; the lease still runs.
    #[error("the database does not answer")]
    StoreUnreachable,
    /// Its destinations are not in memory yet.
    #[error("the host's destinations are not loaded yet")]
    Loading,
}

impl NotReady {
    /// For programs; never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Draining => "draining",
            Self::LeaseExpired => "lease-expired",
            Self::StoreUnreachable => "store-unreachable",
            Self::Loading => "loading",
        }
    }
}

/// What the verdict is made of; times are this host's monotonic clock, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    pub fenced: bool,
    pub accepting: bool,
    pub loaded: bool,
    /// The lease runs until then; 0 if it was ended.
    pub lease_until_ms: u64,
    /// The lease runs so long from a renewal.
    pub lease_ms: u64,
    /// Between renewals.
    pub renew_ms: u64,
}

impl Signs {
    /// The first reason that counts, or none.
    pub fn judge(&self, now_ms: u64) -> Result<(), NotReady> {
        let renewed_ms = self.lease_until_ms.saturating_sub(self.lease_ms);
        // The next renewal was due after one period; it had another one to be answered.
        let unanswered = now_ms.saturating_sub(renewed_ms) >= 2 * self.renew_ms;
        match self {
            _ if self.fenced => Err(NotReady::Fenced),
            _ if !self.accepting => Err(NotReady::Draining),
            _ if now_ms >= self.lease_until_ms => Err(NotReady::LeaseExpired),
            _ if unanswered => Err(NotReady::StoreUnreachable),
            _ if !self.loaded => Err(NotReady::Loading),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Renewed at 10,000.
    const GOOD: Signs = Signs {
        fenced: false,
        accepting: true,
        loaded: true,
        lease_until_ms: 15_000,
        lease_ms: 5_000,
        renew_ms: 2_000,
    };

    #[test]
    fn a_renewal_that_is_late_by_a_period_is_told_before_the_lease_runs_out() {
        assert_eq!(GOOD.judge(10_000), Ok(()));
        assert_eq!(GOOD.judge(13_999), Ok(()));
        assert_eq!(GOOD.judge(14_000), Err(NotReady::StoreUnreachable));
        assert_eq!(GOOD.judge(15_000), Err(NotReady::LeaseExpired));
        assert_eq!(Signs { lease_until_ms: 19_500, ..GOOD }.judge(15_000), Ok(()), "renewed");
    }

    #[test]
    fn what_ends_the_process_is_told_first() {
        let draining = Signs { accepting: false, loaded: false, ..GOOD };
        assert_eq!(draining.judge(10_000), Err(NotReady::Draining));
        assert_eq!(draining.judge(60_000), Err(NotReady::Draining));
        let fenced = Signs { fenced: true, lease_until_ms: 0, ..draining };
        assert_eq!(fenced.judge(10_000), Err(NotReady::Fenced));
        assert_eq!(Signs { loaded: false, ..GOOD }.judge(10_000), Err(NotReady::Loading));
    }

    #[test]
    fn codes_are_kebab_case_and_each_reason_has_its_own() {
        use NotReady::{Draining, Fenced, LeaseExpired, Loading, StoreUnreachable};
        let codes = [Fenced, Draining, LeaseExpired, StoreUnreachable, Loading].map(NotReady::code);
        assert_eq!(codes, ["fenced", "draining", "lease-expired", "store-unreachable", "loading"]);
    }
}

//! The API's answers, as far as pages show them.

mod attempt;
mod destination;
mod event;

pub use attempt::{Attempt, Body};
pub use destination::Destination;
pub use event::{Delivery, Event, EventSummary, LastAttempt, Place};

use crate::foreign::Foreign;
use crate::when::{Count, When};
use serde::Deserialize;

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, Deserialize)]
pub struct Tenant {
    /// The vendor's id.
    pub id: Foreign,
    /// For people.
    pub name: Option<Foreign>,
    /// When it was made.
    pub created_at: When,
}

/// An environment, by name.
#[derive(Clone, Debug, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: Foreign,
}

/// Destinations by state.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct States {
    /// They take events.
    pub active: u64,
    /// Only probes are sent.
    pub failing: u64,
    /// Deliveries wait.
    pub paused: u64,
    /// New events are skipped.
    pub disabled: u64,
}

impl States {
    /// All of them.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.active + self.failing + self.paused + self.disabled
    }
}

/// Deliveries by state.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Recent {
    /// Waits for the first attempt.
    pub pending: u64,
    /// Was tried, waits.
    pub retrying: u64,
    /// Arrived.
    pub delivered: u64,
    /// Gave up.
    pub dead: u64,
    /// Waited too long.
    pub expired: u64,
    /// Called off.
    pub cancelled: u64,
}

impl Recent {
    /// All of them.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.pending + self.retrying + self.delivered + self.dead + self.expired + self.cancelled
    }

    /// Those that wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.pending + self.retrying
    }

    /// Those that ended without arriving.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.dead + self.expired + self.cancelled
    }

    /// How many of a thousand arrived, of those that ended.
    fn permille(&self) -> u64 {
        let ended = self.delivered + self.lost();
        (self.delivered * 1_000).checked_div(ended).unwrap_or(1_000)
    }

    /// `98.5 %`, of those that ended; `–` if none has.
    #[must_use]
    pub fn success(&self) -> String {
        match (self.delivered + self.lost(), self.permille()) {
            (0, _) => "–".to_owned(),
            (_, 1_000) => "100 %".to_owned(),
            (_, permille) => format!("{}.{} %", permille / 10, permille % 10),
        }
    }

    /// Parts of a bar that is a hundred wide: delivered, waiting, lost.
    #[must_use]
    pub fn bar(&self) -> [Part; 3] {
        let all = self.all().max(1);
        let width = |part: u64| if part == 0 { 0 } else { (part * 100 / all).max(2) };
        let (waiting, lost) = (width(self.waiting()), width(self.lost()));
        let delivered = if self.delivered == 0 { 0 } else { 100_u64.saturating_sub(waiting + lost) };
        [
            Part { tone: "good", from: 0, width: delivered },
            Part { tone: "busy", from: delivered, width: waiting },
            Part { tone: "bad", from: delivered + waiting, width: lost },
        ]
    }
}

/// A coloured part of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its class.
    pub tone: &'static str,
    /// Where it begins.
    pub from: u64,
    /// How wide it is.
    pub width: u64,
}

/// A tenant in the overview.
#[derive(Clone, Debug, Deserialize)]
pub struct TenantLook {
    /// The vendor's id.
    pub id: Foreign,
    /// For people.
    pub name: Option<Foreign>,
    /// Its destinations.
    pub destinations: States,
    /// Its waiting deliveries.
    pub waiting: Count,
    /// Its newest deliveries.
    pub recent: Recent,
    /// Its newest event that was delivered, or is about to be.
    pub last_event_at: Option<When>,
}

/// A dead letter in the overview.
#[derive(Clone, Debug, Deserialize)]
pub struct Dead {
    /// Whose.
    pub tenant: Foreign,
    /// The delivery.
    pub delivery: Delivery,
}

/// The environment as it stands.
#[derive(Clone, Debug, Deserialize)]
pub struct Overview {
    /// Its name.
    pub environment: Foreign,
    /// False: there are more tenants than were looked at.
    pub complete: bool,
    /// Destinations by state.
    pub destinations: States,
    /// Waiting deliveries.
    pub waiting: Count,
    /// Newest deliveries of all tenants.
    pub recent: Recent,
    /// Worst first.
    pub tenants: Vec<TenantLook>,
    /// Destinations that need a person.
    pub attention: Vec<Destination>,
    /// Newest dead letters.
    pub dead: Vec<Dead>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_even_the_smallest_part_and_is_never_wider_than_itself() {
        let recent = Recent { delivered: 1_999, dead: 1, ..Recent::default() };
        let parts = recent.bar();
        assert_eq!(parts.map(|part| part.width), [98, 0, 2]);
        assert_eq!(recent.success(), "99.9 %");
        assert_eq!(Recent::default().bar().map(|part| part.width), [0, 0, 0]);
        assert_eq!(Recent::default().success(), "–");
        let waiting = Recent { retrying: 3, ..Recent::default() };
        assert_eq!(waiting.bar().map(|part| (part.from, part.width)), [(0, 0), (0, 100), (100, 0)]);
    }
}

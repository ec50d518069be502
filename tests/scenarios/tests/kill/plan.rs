//! How much, from which seed, and to whom.

use crate::sink::Sink;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

/// Requests that are open at the receiver at each kill, at least.
pub const IN_FLIGHT: usize = 200;
/// Events that a destination may have in flight at once: the host's promise, so a kill leaves no more of them open. With
/// twenty destinations the sockets stay below the 1,024 files that many systems allow.
pub const CONCURRENCY: usize = 40;
/// What a host may have in flight in all (2,048 events), and results that it may hold before they are on record (10,000).
pub const UNRECORDED: usize = 2_048 + 10_000;
/// Tenants; each has [`COPIES`] destinations.
pub const TENANTS: usize = 10;
/// Destinations of one event.
pub const COPIES: usize = 2;
/// Events that are published together while answers are held: what trickles in one by one would not fill the few calls
/// that a connector may have at once.
pub const BUNDLE: usize = 32;
/// The destination that is down until the last kill is over.
pub const DOWN: Destination = Destination(19);

/// What is asked for. A few seconds by default; `.ci/full` asks for all of it.
pub struct Plan {
    pub seed: u64,
    pub kills: usize,
    pub events: usize,
}

/// What the host does when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Publishes are on their way, unanswered.
    Accepting,
    /// A burst of outcomes has just come back.
    Recording,
    /// It has begun to deliver what the process before it left. One that is not ready yet is killed before it.
    Starting,
}

/// How a destination answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With 204.
    Takes,
    /// With 204, once it is told to.
    Holds,
    /// With 422, always.
    Refuses,
    /// With 500 the first time, to one event in ten.
    Stumbles,
    /// With a reset, or not at all, by turns; with 204 once it is mended.
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(pub usize);

impl Plan {
    pub fn from_environment() -> Self {
        let number = |name: &str, default| {
            std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
        };
        Self {
            seed: number("RAILHEAD_KILL_SEED", 0x5eed),
            kills: usize::try_from(number("RAILHEAD_KILLS", 6)).expect("a count"),
            events: usize::try_from(number("RAILHEAD_KILL_EVENTS", 1_500)).expect("a count"),
        }
    }

    pub fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// All three come equally often, in an order that the seed decides; the first kill makes the backlog of the next, so
    /// it is no start.
    pub fn phases(&self, random: &mut ChaCha8Rng) -> Vec<Phase> {
        let mut phases = Vec::new();
        while phases.len() < self.kills {
            let mut three = [Phase::Accepting, Phase::Recording, Phase::Starting];
            three.shuffle(random);
            if phases.is_empty() && three[0] == Phase::Starting {
                three.swap(0, random.random_range(1..3));
            }
            phases.extend(three);
        }
        phases.truncate(self.kills);
        phases
    }

    /// How long the receiver may wait for the last delivery before the run is given up.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(120 + self.events as u64 / 50)
    }
}

/// Whose the n-th event is: so many in a row are one tenant's, and may be published together.
pub fn owner(n: usize) -> usize {
    n / BUNDLE % TENANTS
}

pub fn tenant(no: usize) -> String {
    format!("v{no}")
}

/// Where the n-th event goes.
pub fn destinations_of(n: usize) -> [Destination; COPIES] {
    [Destination(owner(n)), Destination(owner(n) + TENANTS)]
}

pub fn destinations() -> impl Iterator<Item = Destination> {
    (0..TENANTS * COPIES).map(Destination)
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Accepting => "accepting",
            Self::Recording => "recording",
            Self::Starting => "starting, as it began to deliver",
        })
    }
}

impl Display for Destination {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "d{}", self.0)
    }
}

impl Destination {
    pub fn manner(self) -> Manner {
        match self.0 {
            0..10 => Manner::Holds,
            17 => Manner::Refuses,
            18 => Manner::Stumbles,
            19 => Manner::Down,
            _ => Manner::Takes,
        }
    }

    /// The answer after which nothing more is to come, and the state that it comes to.
    pub fn last_answer(self) -> (u16, &'static str) {
        if self.manner() == Manner::Refuses { (422, "dead") } else { (204, "delivered") }
    }

    pub fn path(self) -> String {
        format!("/v1/tenants/{}/destinations/{self}", tenant(self.0 % TENANTS))
    }

    pub fn body(self, sink: &Sink) -> Value {
        // Whoever holds does so for as long as it takes; the one that is down is to be given up on.
        let timeout_ms = if self.manner() == Manner::Down { 3_000 } else { 120_000 };
        json!({
            "connector": "webhook",
            "config": {"url": format!("{}/{}", sink.base(), self.0)},
            "retry": {"schedule_ms": vec![1_000; 20]},
            "timeout_ms": timeout_ms,
            "concurrency": CONCURRENCY,
        })
    }
}

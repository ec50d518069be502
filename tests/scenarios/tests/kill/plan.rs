//! How much, from which seed, and to whom.

use crate::sink::Sink;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::time::Duration;

/// Requests that are open at the receiver at each kill, at least.
pub const IN_FLIGHT: usize = 200;
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
    Accepting,
    Recording,
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

#[derive(Clone, Copy)]
pub struct Destination(pub usize);

impl Plan {
    pub fn from_environment() -> Self {
        let number = |name: &str, default| {
            std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
        };
        Self {
            seed: number("RAILHEAD_KILL_SEED", 0x5eed),
            kills: usize::try_from(number("RAILHEAD_KILLS", 6)).expect("a count"),
            events: usize::try_from(number("RAILHEAD_KILL_EVENTS", 2_000)).expect("a count"),
        }
    }

    pub fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// All three come in turn, in an order that the seed decides; the first needs a backlog, so it is no start.
    pub fn phase(&self, round: usize, random: &mut ChaCha8Rng) -> Phase {
        let phases = [Phase::Accepting, Phase::Recording, Phase::Starting];
        match round {
            0 => Phase::Accepting,
            1 => Phase::Recording,
            2 => Phase::Starting,
            _ => phases[random.random_range(0..phases.len())],
        }
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

impl Destination {
    pub fn manner(self) -> Manner {
        match self.0 {
            0..8 => Manner::Holds,
            17 => Manner::Refuses,
            18 => Manner::Stumbles,
            19 => Manner::Down,
            _ => Manner::Takes,
        }
    }

    pub fn id(self) -> String {
        format!("d{}", self.0)
    }

    pub fn path(self) -> String {
        format!("/v1/tenants/{}/destinations/{}", tenant(self.0 % TENANTS), self.id())
    }

    pub fn body(self, sink: &Sink) -> Value {
        let timeout_ms = if self.manner() == Manner::Down { 1_000 } else { 60_000 };
        json!({
            "connector": "webhook",
            "config": {"url": format!("{}/{}", sink.base(), self.0)},
            "retry": {"schedule_ms": vec![1_000; 20]},
            "timeout_ms": timeout_ms,
            "concurrency": 64,
        })
    }
}

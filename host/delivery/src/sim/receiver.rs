//! How a destination answers.

use railhead_model::{Outcome, Reason};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A mood of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    Flaky,
    Down,
    Throttling,
    Hanging,
    Slow,
    Misconfigured,
    RejectingCredentials,
    RefusingSome,
    Small,
    Trapping,
    Leaving,
}

const MOODS: [Mood; 15] = [
    Mood::Good,
    Mood::Good,
    Mood::Good,
    Mood::Flaky,
    Mood::Flaky,
    Mood::Down,
    Mood::Throttling,
    Mood::Hanging,
    Mood::Slow,
    Mood::Misconfigured,
    Mood::RejectingCredentials,
    Mood::RefusingSome,
    Mood::Small,
    Mood::Trapping,
    Mood::Leaving,
];

/// The longest that an answer takes, in milliseconds.
pub const MAX_ANSWER_MS: u64 = 20_000;

/// The code of an event that no request carries, because of what it is.
pub const NOT_SENT: &str = "not-json";

/// One event's answer: after so many milliseconds, and whether the destination has the event then.
pub struct Answer {
    pub after_ms: u64,
    pub outcome: Outcome,
    pub arrived: bool,
}

impl Mood {
    pub fn any(random: &mut ChaCha8Rng) -> Self {
        MOODS[random.random_range(0..MOODS.len())]
    }

    /// What a connector says of an event that it does not send.
    pub fn refusal() -> Answer {
        let outcome = Outcome::Permanent(Reason::new(NOT_SENT, "as scripted"));
        Answer { after_ms: 1, outcome, arrived: false }
    }

    /// The answer to one of `size` events of a hand-over.
    pub fn answer(self, size: usize, random: &mut ChaCha8Rng) -> Answer {
        let quick = random.random_range(1..60);
        let reason = |code: &str| Reason::new(code, "as scripted");
        let delivered = |after_ms| Answer { after_ms, outcome: Outcome::Delivered(reason("delivered")), arrived: true };
        let failed = |outcome| Answer { after_ms: quick, outcome, arrived: false };
        match self {
            Self::Good => delivered(quick),
            Self::Slow => delivered(random.random_range(500..4_000)),
            Self::Flaky if random.random_bool(0.5) => delivered(quick),
            Self::Flaky => failed(Outcome::Transient(reason("http-503"), random.random_bool(0.2).then_some(2_500))),
            Self::Down => failed(Outcome::Transient(reason("connect-refused"), None)),
            Self::Throttling if random.random_bool(0.3) => delivered(quick),
            Self::Throttling => failed(Outcome::Throttled(reason("http-429"), random.random_range(500..8_000))),
            Self::Hanging => {
                let arrived = random.random_bool(0.5);
                Answer {
                    after_ms: random.random_range(2_000..MAX_ANSWER_MS),
                    outcome: Outcome::Uncertain(reason("timeout")),
                    arrived,
                }
            }
            Self::Misconfigured => failed(Outcome::Misconfigured(reason("no-such-host"))),
            Self::RejectingCredentials => failed(Outcome::RejectedCredentials(reason("http-401"))),
            Self::RefusingSome if random.random_bool(0.8) => delivered(quick),
            Self::RefusingSome => failed(Outcome::Permanent(reason("http-400"))),
            Self::Small if size <= 2 => delivered(quick),
            Self::Small => failed(Outcome::TooLarge(reason("http-413"))),
            Self::Trapping if random.random_bool(0.2) => delivered(quick),
            Self::Trapping => failed(Outcome::Untried(reason("trap"))),
            Self::Leaving if random.random_bool(0.9) => delivered(quick),
            Self::Leaving => failed(Outcome::Permanent(reason("destination-gone"))),
        }
    }
}

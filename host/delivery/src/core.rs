//! The engine's core: one synchronous, deterministic state machine.
//!
//! [`Engine::step`] takes an input and says what is to be done. Inside there is no I/O, no async, no lock, no clock and
//! no iteration in hash order; randomness is a seeded generator that the engine owns. The same inputs at the same times
//! give the same effects, which is what the simulation rests on.

/// True while the simulation's self-test has planted this fault; never in a host.
#[cfg(test)]
macro_rules! mutated {
    ($fault:ident) => {
        crate::core::mutation::is_planted(crate::core::mutation::Mutation::$fault)
    };
}
#[cfg(not(test))]
macro_rules! mutated {
    ($fault:ident) => {
        false
    };
}

mod batch;
mod breaker;
mod bucket;
mod caution;
mod destination;
mod dispatch;
pub mod effect;
mod engine;
mod fair;
#[cfg(test)]
mod fixtures;
mod group;
pub mod input;
mod intake;
mod lane;
mod lease;
#[cfg(test)]
pub(crate) mod mutation;
mod recent;
mod settle;
mod slots;
mod timers;
mod verdict;
mod window;

pub use effect::{AttemptItem, Effect, RecordItem};
pub use engine::{Config, Engine};
#[cfg(test)]
pub(crate) use group::MAX_AGAIN_MS;
pub use input::{AttemptId, Input, Now, RecordId, Settings};

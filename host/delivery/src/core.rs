//! The engine: `step(now, input) -> effects`. Sync and pure: no locks, no I/O, no clock, no hash-order iteration.

pub mod effect;
pub mod input;

pub use effect::{AttemptItem, Effect, RecordItem};
pub use input::{AttemptId, Input, Now, RecordId, Settings};

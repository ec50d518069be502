//! Which events go to a destination, and which of their fields. Pure: no I/O, no async, no clock.
//!
//! Everything here is declarative and linear in the payload: no loops, no regular expressions. Anything more is a
//! transform, and runs in the sandbox.

mod facts;
mod fields;
mod matcher;
mod pattern;

pub use facts::{Facts, lane_value};
pub use fields::{SelectError, check_pointer, select};
pub use matcher::Matcher;
pub use pattern::{Pattern, PatternError};

//! Operations: attempts.

mod brief;
pub mod get;
pub mod list;

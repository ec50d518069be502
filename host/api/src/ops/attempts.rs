//! Operations: attempts.

pub mod get;
pub mod list;

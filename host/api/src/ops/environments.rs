//! Operations: environments.

pub mod get;
pub mod list;
pub mod patch;

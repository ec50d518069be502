//! Operations: events.

pub mod erase;
pub mod get;
pub mod list;
pub mod payload;
pub mod publish;

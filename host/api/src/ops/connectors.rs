//! Operations: connectors.

pub mod get;
pub mod list;

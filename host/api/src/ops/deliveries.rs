//! Operations: deliveries.

pub mod cancel;
pub mod get;
pub mod list;
pub mod retry;

//! Scheduling, retries and the record of what happened.

pub mod connectors;
pub mod core;

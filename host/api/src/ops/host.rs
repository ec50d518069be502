//! Operations: host.

pub mod docs;
pub mod healthz;
pub mod openapi;
pub mod problem;
pub mod problems;
pub mod readyz;

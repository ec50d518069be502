//! Operations: lists over all tenants of the environment.

pub mod deliveries;
pub mod destinations;
pub mod events;
mod walk;

//! Running hosts as an operator does: what a load balancer hears, a flood, a shutdown, an upgrade.

#[path = "operations/admission.rs"]
mod admission;
#[path = "operations/keys.rs"]
mod keys;
#[path = "operations/readiness.rs"]
mod readiness;
#[path = "operations/shutdown.rs"]
mod shutdown;
#[path = "operations/support.rs"]
mod support;
#[path = "operations/upgrade.rs"]
mod upgrade;

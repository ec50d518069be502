//! The webhook connector in the real sandbox, against a receiver on loopback.

#[path = "webhook/auth.rs"]
mod auth;
#[path = "webhook/bodies.rs"]
mod bodies;
#[path = "webhook/outcomes.rs"]
mod outcomes;
#[path = "webhook/receiver.rs"]
mod receiver;
#[path = "webhook/run.rs"]
mod run;
#[path = "webhook/signatures.rs"]
mod signatures;

//! The webhook connector in the real sandbox, against a receiver on loopback.

#[path = "webhook/auth.rs"]
mod auth;
#[path = "webhook/batches.rs"]
mod batches;
#[path = "webhook/bodies.rs"]
mod bodies;
#[path = "webhook/oauth2.rs"]
mod oauth2;
#[path = "webhook/outcomes.rs"]
mod outcomes;
#[path = "webhook/receiver.rs"]
mod receiver;
#[path = "webhook/run.rs"]
mod run;
#[path = "webhook/signatures.rs"]
mod signatures;
#[path = "webhook/tls.rs"]
mod tls;

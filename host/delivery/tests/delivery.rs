//! The engine as a whole over the model store: what is published arrives, and what is answered is durable.

#[path = "delivery/accept.rs"]
mod accept;
#[path = "delivery/batches.rs"]
mod batches;
#[path = "delivery/connectors.rs"]
mod connectors;
#[path = "delivery/hosts.rs"]
mod hosts;
#[path = "delivery/jobs.rs"]
mod jobs;
#[path = "delivery/lifecycle.rs"]
mod lifecycle;
#[path = "delivery/operator.rs"]
mod operator;
#[path = "delivery/poison.rs"]
mod poison;
#[path = "delivery/retries.rs"]
mod retries;
#[path = "delivery/store.rs"]
mod store;
#[path = "delivery/world.rs"]
mod world;

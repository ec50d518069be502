//! Scheduling, retries and the record of what happened.

pub mod catalog;
pub mod connectors;
pub mod core;
pub mod draft;
pub mod handle;
pub mod keyring;
pub mod options;

mod asked;
mod attempt;
mod config;
mod driver;
mod fleet;
mod hints;
mod ingest;
mod jobs;
mod lease;
mod measures;
mod mint;
mod news;
mod operator;
mod patience;
mod payloads;
mod readiness;
mod record;
mod running;
#[cfg(test)]
mod sim;
mod starts;
mod transcripts;

pub use catalog::Catalog;
pub use draft::{Draft, Overloaded, Published, Refusal};
pub use handle::{Delivery, Parts, Retried, TestError};
pub use keyring::Keyring;
pub use options::Options;
pub use readiness::NotReady;
pub use running::{Running, StartError, start};

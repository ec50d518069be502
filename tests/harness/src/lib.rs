//! What end-to-end tests and benchmarks stand on: the real binary in a process of its own, a real receiver with a
//! ledger, and a client of the public API. Loopback only.

pub mod client;
pub mod host;
pub mod sink;

pub use client::Client;
pub use host::{Host, HostOptions};
pub use sink::{Received, Script, Sink};

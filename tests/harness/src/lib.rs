//! What end-to-end tests and benchmarks stand on: the real binary in a process of its own, a real receiver with a
//! ledger, and a client of the public API. Loopback only.

pub mod browser;
pub mod certificates;
pub mod client;
pub mod cluster;
pub mod host;
pub mod peer;
pub mod planted;
pub mod postgres;
pub mod proxy;
pub mod s3;
pub mod sink;
pub mod store;

pub use browser::{Browser, Page};
pub use client::{Client, Kept};
pub use cluster::Cluster;
pub use host::{Host, HostOptions};
pub use peer::{Peer, Reply, Waits};
pub use planted::Outage;
pub use postgres::Postgres;
pub use proxy::{Proxy, Side};
pub use s3::{Moto, S3Fs};
pub use sink::{Received, Script, Sink};
pub use store::Store;

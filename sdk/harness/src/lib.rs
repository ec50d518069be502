//! Runs a plugin as the host does: in the real sandbox, against peers that do as they are told.
//!
//! A [`Harness`] is a sandbox that may reach the loopback. [`Harness::load`] takes a component, [`Harness::destination`]
//! gives it a configuration and credentials, and a [`Destination`] hands events over, previews and checks. The other side
//! is an [`HttpPeer`] or a [`TcpPeer`]: it answers as its test says, goes wrong as its test says, and keeps what came.
//!
//! ```no_run
//! # async fn test(component: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! use railhead_plugin_harness::{Answer, Harness, HttpPeer, event};
//! let harness = Harness::new()?;
//! let connector = harness.load(component).await?;
//! let peer = HttpPeer::answering(Answer::status(200))?;
//! let config = serde_json::json!({ "url": peer.url("/hook") });
//! let destination = harness.destination(&connector, config).credential("api_key", "a-key-of-mine");
//! let settled = destination.deliver_one(event(b"{}")).await;
//! assert_eq!(settled.outcome.class().as_str(), "delivered");
//! assert_eq!(peer.received().len(), 1);
//! # Ok(())
//! # }
//! ```

mod clock;
mod destination;
mod event;
mod harness;
mod http;
mod tcp;
mod tls;

pub use clock::TestClock;
pub use destination::Destination;
pub use event::{event, events, numbered};
pub use harness::{Harness, HarnessError, Options};
pub use http::{Answer, HttpPeer, Received};
pub use tcp::{Dialogue, Peer, Step, TcpPeer};
pub use tls::{Authority, TlsError};

pub use railhead_sandbox::{Connector, SettledEvent};

#[cfg(test)]
mod tests;

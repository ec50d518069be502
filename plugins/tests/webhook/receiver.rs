//! The endpoint that requests go to: `/hook` of a peer, whose answers are told as texts.

pub use railhead_plugin_harness::Received;
use railhead_plugin_harness::{Answer, HttpPeer};
use std::sync::Arc;

pub struct Receiver {
    pub url: String,
    peer: HttpPeer,
}

impl Receiver {
    /// Answers every request with this status and these header lines; after an empty line comes a body.
    pub fn answering(answer: &str) -> Self {
        Self::at(HttpPeer::answering(Answer::text(answer)).unwrap())
    }

    /// `None` hangs up without an answer.
    pub fn deciding(answer: impl Fn(&Received) -> Option<String> + Send + Sync + 'static) -> Self {
        let decide = move |received: &Received| answer(received).map_or(Answer::Close, |text| Answer::text(&text));
        Self::at(HttpPeer::deciding(decide).unwrap())
    }

    /// Over TLS, as `localhost`; answers 200.
    pub fn with_tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::at(HttpPeer::with_tls(config, |_| Answer::status(200)).unwrap())
    }

    fn at(peer: HttpPeer) -> Self {
        Self { url: peer.url("/hook"), peer }
    }

    pub fn received(&self) -> Vec<Received> {
        self.peer.received()
    }

    pub fn only(&self) -> Received {
        self.peer.only()
    }
}

//! An HTTP server that answers as it is told, goes wrong as it is told, and keeps what came.

mod answer;
mod received;

pub use answer::Answer;
pub use received::Received;

use crate::tcp::{Peer, TcpPeer};
use rustls::ServerConfig;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What it answers to a request, of which this is the number, from 0.
type Decide = dyn Fn(&Received, usize) -> Answer + Send + Sync;

/// A server on a loopback port of its own: one request a connection.
#[derive(Debug)]
pub struct HttpPeer {
    origin: String,
    received: Arc<Mutex<Vec<Received>>>,
    _tcp: TcpPeer,
}

impl HttpPeer {
    /// Answers every request alike.
    ///
    /// # Errors
    /// If there is no port.
    pub fn answering(answer: Answer) -> io::Result<Self> {
        Self::deciding(move |_| answer.clone())
    }

    /// Answers the first requests one after the other, and all after that like the last one.
    ///
    /// # Errors
    /// If there is no port.
    pub fn answering_in_turn(answers: Vec<Answer>) -> io::Result<Self> {
        Self::start(None, move |_, number| {
            answers.get(number).or(answers.last()).cloned().unwrap_or_else(|| Answer::status(200))
        })
    }

    /// Answers as this says.
    ///
    /// # Errors
    /// If there is no port.
    pub fn deciding(decide: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        Self::start(None, move |received, _| decide(received))
    }

    /// The same over TLS, as `localhost`.
    ///
    /// # Errors
    /// If there is no port.
    pub fn with_tls(
        tls: Arc<ServerConfig>,
        decide: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start(Some(tls), move |received, _| decide(received))
    }

    fn start(
        tls: Option<Arc<ServerConfig>>,
        decide: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (kept, decide): (_, Arc<Decide>) = (received.clone(), Arc::new(decide));
        let secure = tls.is_some();
        let tcp = TcpPeer::serving(move |mut peer| {
            if let Some(tls) = &tls {
                peer.start_tls(tls.clone())?;
            }
            serve(&mut peer, &kept, &*decide)
        })?;
        let origin = if secure {
            format!("https://localhost:{}", tcp.port())
        } else {
            format!("http://127.0.0.1:{}", tcp.port())
        };
        Ok(Self { origin, received, _tcp: tcp })
    }

    /// Scheme, host and port: `http://127.0.0.1:40001`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A URL at this server, for a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// All requests so far, in the order in which they came.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// If there were more or none.
    #[must_use]
    pub fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }
}

fn serve(peer: &mut Peer, kept: &Mutex<Vec<Received>>, decide: &Decide) -> io::Result<()> {
    let Some(received) = received::read(peer)? else { return Ok(()) };
    let number = {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(received.clone());
        kept.len().saturating_sub(1)
    };
    decide(&received, number).send(peer)
}

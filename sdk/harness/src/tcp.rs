//! A TCP server that does as it is told, one step after the other.

mod dialogue;
mod peer;

pub use dialogue::{Dialogue, Step};
pub use peer::Peer;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What goes over one connection: what the client wrote, and how its script ended.
#[derive(Clone, Debug, Default)]
struct Kept {
    received: Vec<u8>,
    ended: Option<String>,
}

/// A server on a loopback port of its own. It ends when it is dropped.
pub struct TcpPeer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    kept: Arc<Mutex<Vec<Kept>>>,
    stop: Arc<AtomicBool>,
}

impl TcpPeer {
    /// Does this on every connection, each on a thread of its own. An error ends the connection and is kept.
    ///
    /// # Errors
    /// If there is no port.
    pub fn serving(serve: impl Fn(Peer) -> io::Result<()> + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let peer = Self {
            address: listener.local_addr()?,
            connections: Arc::default(),
            kept: Arc::default(),
            stop: Arc::default(),
        };
        let (connections, kept, stop) = (peer.connections.clone(), peer.kept.clone(), peer.stop.clone());
        let serve = Arc::new(serve);
        thread::Builder::new().name("peer".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let number = connections.fetch_add(1, Ordering::Relaxed);
                lock(&kept).push(Kept::default());
                let (kept, serve) = (kept.clone(), serve.clone());
                // Without a thread the connection is dropped, and the client sees it closed.
                let _ = thread::Builder::new().name(format!("peer-{number}")).spawn(move || {
                    serve_one(stream, number, &kept, &*serve);
                });
            }
        })?;
        Ok(peer)
    }

    /// Follows the same dialogue on every connection.
    ///
    /// # Errors
    /// If there is no port.
    pub fn following(dialogue: Dialogue) -> io::Result<Self> {
        Self::serving(move |mut peer| dialogue.run(&mut peer))
    }

    /// Follows these dialogues, the first connection the first one; all further ones the last.
    ///
    /// # Errors
    /// If there is no port.
    pub fn following_in_turn(dialogues: Vec<Dialogue>) -> io::Result<Self> {
        Self::serving(move |mut peer| match dialogues.get(peer.number()).or(dialogues.last()) {
            Some(dialogue) => dialogue.run(&mut peer),
            None => peer.close(),
        })
    }

    /// A port on loopback that nobody listens at, as far as one can tell: a connection is refused.
    ///
    /// # Errors
    /// If there is no port.
    pub fn refused_port() -> io::Result<u16> {
        Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
    }

    /// Its port at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// What the client wrote on each connection so far, TLS taken off.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        lock(&self.kept).iter().map(|kept| kept.received.clone()).collect()
    }

    /// Why connections ended before their scripts did, such as bytes that were not expected.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        lock(&self.kept).iter().filter_map(|kept| kept.ended.clone()).collect()
    }
}

impl Drop for TcpPeer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; where that fails it is gone already.
        let _ = TcpStream::connect(self.address);
    }
}

impl fmt::Debug for TcpPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpPeer({})", self.address)
    }
}

fn serve_one(stream: TcpStream, number: usize, kept: &Arc<Mutex<Vec<Kept>>>, serve: &dyn Fn(Peer) -> io::Result<()>) {
    let (keep, all) = (kept.clone(), kept);
    let record = Box::new(move |bytes: &[u8]| {
        if let Some(kept) = lock(&keep).get_mut(number) {
            kept.received.extend_from_slice(bytes);
        }
    });
    if let Err(error) = serve(Peer::new(stream, number, record))
        && let Some(kept) = lock(all).get_mut(number)
    {
        kept.ended = Some(error.to_string());
    }
}

fn lock(kept: &Mutex<Vec<Kept>>) -> std::sync::MutexGuard<'_, Vec<Kept>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

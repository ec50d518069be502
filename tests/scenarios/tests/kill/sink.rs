//! A receiver that can hold its answers, and knows at any moment what it was asked and has not answered.
//!
//! It speaks just enough HTTP/1.1 by hand: so it can reset a connection, and tell when its peer is gone.

use crate::ledger::{Fate, Ledger, Pair, Request};
use crate::plan::Destination;
use crate::publish;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// See the module.
#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    /// The ledger changed.
    changes: watch::Sender<()>,
    /// Some of those that are held may be answered.
    gate: watch::Sender<()>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let sink =
            Self { address, ledger: Arc::default(), changes: watch::Sender::new(()), gate: watch::Sender::new(()) };
        let own = sink.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                own.change(|ledger| ledger.connections += 1);
                let own = own.clone();
                tokio::spawn(async move {
                    own.serve(stream).await;
                    own.change(|ledger| ledger.connections -= 1);
                });
            }
        });
        sink
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on those that hold do so, or no more.
    pub fn hold(&self, holding: bool) {
        self.change(|ledger| ledger.holding = holding);
        self.gate.send_replace(());
    }

    /// Answers so many of those that are held.
    pub fn release(&self, count: usize) {
        self.change(|ledger| ledger.release(count));
        self.gate.send_replace(());
    }

    /// The one that is down is back. Comes back once the host has given up all that was never answered.
    pub async fn mend(&self) {
        self.change(|ledger| ledger.mended = Some(ledger.requests.len()));
        self.gate.send_replace(());
        self.until(|ledger| ledger.hung == 0).await;
    }

    /// From now on nothing is answered.
    pub fn freeze(&self) {
        self.change(|ledger| ledger.frozen = true);
    }

    /// Reads all that a dead process sent, then answers again. What that process sent.
    pub async fn drain(&self) -> Vec<Request> {
        // Connections are taken in order: once this one is served, no older one waits to be taken.
        let mut marker = TcpStream::connect(self.address).await.expect("connects");
        marker.write_all(b"POST /marker HTTP/1.1\r\ncontent-length: 0\r\n\r\n").await.expect("sends");
        marker.read_u8().await.expect("is answered");
        drop(marker);
        self.until(|ledger| ledger.connections == 0).await;
        self.change(Ledger::next_process)
    }

    /// Waits until so many requests are held.
    pub async fn wait_held(&self, count: usize) {
        self.until(|ledger| ledger.held().nth(count - 1).is_some()).await;
    }

    /// Waits until so many of the requests of this process to those that hold are answered.
    pub async fn wait_answered(&self, count: usize) {
        self.until(|ledger| ledger.answered_of_held() >= count).await;
    }

    /// How many that is.
    pub fn answered(&self) -> usize {
        self.ledger().answered_of_held()
    }

    /// Waits until so many deliveries had their last answer.
    pub async fn wait_ended(&self, count: usize, limit: Duration) {
        let enough = tokio::time::timeout(limit, self.until(|ledger| ledger.ended.len() >= count)).await;
        assert!(enough.is_ok(), "{} of {count} deliveries came to an end", self.ledger().ended.len());
    }

    /// Every request there ever was.
    pub fn requests(&self) -> Vec<Request> {
        self.ledger().requests.clone()
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufStream::new(stream);
        while let Some(Read { path, id, body }) = read(&mut stream).await {
            let Ok(destination) = path.parse::<usize>().map(Destination) else {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await; // the marker
                let _ = stream.flush().await;
                continue;
            };
            let event = id.strip_prefix('e').and_then(|n| n.parse().ok()).expect("one of our events");
            let index = self.change(|ledger| ledger.begin(Pair { event, to: destination }, publish::carried(&body)));
            let status = tokio::select! {
                status = self.answer(index) => status,
                // No peer sends a second request before the answer: this is its end.
                _ = stream.read_u8() => 0,
            };
            if status == 0 {
                self.change(|ledger| ledger.over(index, Fate::Broken));
                let _ = stream.get_ref().set_zero_linger();
                return;
            }
            let line = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\n\r\n");
            if stream.write_all(line.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }

    /// What is answered, once it is; 0: a reset.
    async fn answer(&self, index: usize) -> u16 {
        let mut gate = self.gate.subscribe();
        loop {
            let status = self.change(|ledger| ledger.answer(index, Instant::now()));
            if let Some(status) = status {
                return status;
            }
            gate.changed().await.expect("the receiver lives");
        }
    }

    async fn until(&self, mut enough: impl FnMut(&Ledger) -> bool) {
        let mut changes = self.changes.subscribe();
        while !enough(&self.ledger()) {
            changes.changed().await.expect("the receiver lives");
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Ledger) -> R) -> R {
        let result = change(&mut self.ledger());
        self.changes.send_replace(());
        result
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is read of a request.
struct Read {
    /// Without its slash.
    path: String,
    /// The event's.
    id: String,
    body: Vec<u8>,
}

/// A request, once it is there to the last byte that its head announces.
async fn read(stream: &mut BufStream<TcpStream>) -> Option<Read> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("a head is text");
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").expect("a length").parse().expect("a number");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let path = head.split(' ').nth(1).expect("a path").trim_start_matches('/').to_owned();
    Some(Read { path, id: header("webhook-id").unwrap_or_default(), body })
}

//! A receiver that can hold its answers, and knows at any moment what it was asked and has not answered.
//!
//! It speaks just enough HTTP/1.1 by hand: so it can reset a connection, and tell when its peer is gone.

use crate::plan::{Destination, Manner};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long enough open requests are waited for before those that are held are answered.
const GATHER: Duration = Duration::from_millis(500);

/// One request as the ledger keeps it.
#[derive(Clone, Debug)]
pub struct Request {
    pub destination: usize,
    /// The event's id.
    pub id: String,
    /// How many kills came before it.
    pub epoch: usize,
    /// What was answered; `None`: nothing.
    pub status: Option<u16>,
}

#[derive(Default)]
struct Book {
    requests: Vec<Request>,
    /// Of this epoch, begun and neither answered nor given up by the host.
    open: usize,
    epoch: usize,
    holding: bool,
    /// What waits and stands before this place is answered even so.
    released: usize,
    /// Nothing is answered any more.
    frozen: bool,
    mended: bool,
    stumbled: HashSet<(usize, String)>,
    /// What had a last answer.
    ended: HashSet<(usize, String)>,
    connections: usize,
}

/// See the module.
#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    /// The book changed.
    changes: watch::Sender<()>,
    /// Some of those that are held may be answered.
    gate: watch::Sender<()>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let sink =
            Self { address, book: Arc::default(), changes: watch::Sender::new(()), gate: watch::Sender::new(()) };
        let own = sink.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                own.change(|book| book.connections += 1);
                let own = own.clone();
                tokio::spawn(async move {
                    own.serve(stream).await;
                    own.change(|book| book.connections -= 1);
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
        self.change(|book| book.holding = holding);
        self.gate.send_replace(());
    }

    /// Answers so many of those that are held.
    pub fn release(&self, count: usize) {
        self.change(|book| {
            let epoch = book.epoch;
            let open = |one: &(usize, &Request)| one.1.epoch == epoch && one.1.status.is_none();
            let nth = book.requests.iter().enumerate().filter(open).nth(count).map(|(index, _)| index);
            book.released = nth.unwrap_or(book.requests.len());
        });
        self.gate.send_replace(());
    }

    /// The one that is down is back.
    pub fn mend(&self) {
        self.change(|book| book.mended = true);
        self.gate.send_replace(());
    }

    /// From now on nothing is answered. How many requests are open.
    pub fn freeze(&self) -> usize {
        self.change(|book| {
            book.frozen = true;
            book.open
        })
    }

    /// Reads all that a dead process sent, then answers again.
    pub async fn drain(&self) {
        // Connections are taken in order: once this one is served, no older one waits to be taken.
        let mut marker = TcpStream::connect(self.address).await.expect("connects");
        marker.write_all(b"POST /marker HTTP/1.1\r\ncontent-length: 0\r\n\r\n").await.expect("sends");
        marker.read_u8().await.expect("is answered");
        drop(marker);
        self.until(|book| book.connections == 0).await;
        self.change(|book| {
            (book.frozen, book.open, book.released) = (false, 0, 0);
            book.epoch += 1;
        });
    }

    /// Waits until so many requests are open. While events trickle in, each call of a connector carries few of them, and
    /// its calls are limited: those that are held are answered now and then, and the next calls carry what has gathered.
    pub async fn fill(&self, count: usize) {
        while tokio::time::timeout(GATHER, self.until(|book| book.open >= count)).await.is_err() {
            self.release(usize::MAX);
        }
    }

    /// Waits until so many deliveries had their last answer.
    pub async fn wait_ended(&self, count: usize, limit: Duration) {
        let enough = tokio::time::timeout(limit, self.until(|book| book.ended.len() >= count)).await;
        assert!(enough.is_ok(), "{} of {count} deliveries came to an end", self.book().ended.len());
    }

    pub fn requests(&self) -> Vec<Request> {
        self.book().requests.clone()
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufStream::new(stream);
        while let Some((path, id)) = read(&mut stream).await {
            let Ok(destination) = path.parse::<usize>().map(Destination) else {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await; // the marker
                let _ = stream.flush().await;
                continue;
            };
            let index = self.begin(destination, &id);
            let status = tokio::select! {
                status = self.answer(index, destination) => status,
                // No peer sends a second request before the answer: this is its end.
                _ = stream.read_u8() => return self.give_up(index),
            };
            let Some(status) = status else {
                self.give_up(index);
                let _ = stream.get_ref().set_zero_linger();
                return;
            };
            let line = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\n\r\n");
            if stream.write_all(line.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }

    fn begin(&self, destination: Destination, id: &str) -> usize {
        self.change(|book| {
            let epoch = book.epoch;
            book.open += usize::from(destination.manner() != Manner::Down);
            book.requests.push(Request { destination: destination.0, id: id.to_owned(), epoch, status: None });
            book.requests.len() - 1
        })
    }

    /// What is answered, once it is; `None`: a reset.
    async fn answer(&self, index: usize, destination: Destination) -> Option<u16> {
        let mut gate = self.gate.subscribe();
        loop {
            let status = self.change(|book| book.answer(index, destination));
            if let Some(status) = status {
                return (status > 0).then_some(status);
            }
            gate.changed().await.expect("the receiver lives");
        }
    }

    fn give_up(&self, index: usize) {
        self.change(|book| book.over(index));
    }

    async fn until(&self, mut enough: impl FnMut(&Book) -> bool) {
        let mut changes = self.changes.subscribe();
        while !enough(&self.book()) {
            changes.changed().await.expect("the receiver lives");
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Book) -> R) -> R {
        let result = change(&mut self.book());
        self.changes.send_replace(());
        result
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The status to answer with, noted as answered; 0 for a reset; `None`: not now.
    fn answer(&mut self, index: usize, destination: Destination) -> Option<u16> {
        if self.frozen {
            return None;
        }
        let request = &self.requests[index];
        let pair = (destination.0, request.id.clone());
        let status = match destination.manner() {
            Manner::Takes => 204,
            Manner::Holds if self.holding && index >= self.released => return None,
            Manner::Holds => 204,
            Manner::Refuses => 422,
            Manner::Stumbles => {
                if is_unlucky(&pair.1) && self.stumbled.insert(pair.clone()) {
                    500
                } else {
                    204
                }
            }
            Manner::Down if self.mended => 204,
            Manner::Down if index.is_multiple_of(2) => return Some(0),
            Manner::Down => return None,
        };
        if status != 500 {
            self.ended.insert(pair);
        }
        self.requests[index].status = Some(status);
        self.over(index);
        Some(status)
    }

    fn over(&mut self, index: usize) {
        let request = &self.requests[index];
        if request.epoch == self.epoch && Destination(request.destination).manner() != Manner::Down {
            self.open = self.open.saturating_sub(1);
        }
    }
}

/// One event in ten.
fn is_unlucky(id: &str) -> bool {
    id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 10 == 0
}

/// The path without its slash and the event's id, once the whole request is there.
async fn read(stream: &mut BufStream<TcpStream>) -> Option<(String, String)> {
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
    Some((path, header("webhook-id").unwrap_or_default()))
}

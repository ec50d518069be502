//! A peer that answers as the test wants, byte for byte, and what a session brings.

use bytes::Bytes;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_model::{Clock, EventUid, Timestamp};
use railhead_sandbox::egress::{AllowedOrigin, Egress, EgressPolicy, Part, Purpose, SendContext};
use railhead_sandbox::secret::{Masker, Secret};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a peer does with a request.
pub enum Reply {
    /// Writes these bytes and goes on with the next request.
    Whole(Vec<u8>),
    /// Writes these bytes, then the others for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// Writes these bytes, then nothing, and keeps the connection.
    Stall(Vec<u8>),
    /// Writes these bytes and closes.
    Close(Vec<u8>),
}

/// An HTTP/1.1 peer on loopback.
pub struct Peer {
    pub port: u16,
    pub accepted: Arc<AtomicUsize>,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Peer {
    pub async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = Self { port, accepted: Arc::default(), requests: Arc::default() };
        let (accepted, requests, reply) = (peer.accepted.clone(), peer.requests.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (requests, reply) = (requests.clone(), reply.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &requests, &*reply).await;
                });
            }
        });
        peer
    }

    /// One that answers 200 and `ok`.
    pub async fn ok() -> Self {
        Self::start(|_| Reply::Whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec())).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn accepts(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn last(&self) -> Request {
        self.requests.lock().unwrap().last().cloned().unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<Request>>,
    reply: &(dyn Fn(&Request) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        requests.lock().unwrap().push(request.clone());
        match reply(&request) {
            Reply::Whole(bytes) => stream.write_all(&bytes).await?,
            Reply::Close(bytes) => return stream.write_all(&bytes).await,
            Reply::Stall(bytes) => {
                stream.write_all(&bytes).await?;
                std::future::pending::<()>().await;
            }
            Reply::Endless(bytes, more) => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&more).await?;
                }
            }
        }
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let body = bytes.split_off(head_end);
    let mut request = Request { head: String::from_utf8(bytes).unwrap(), body };
    let length: usize = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    while request.body.len() < length {
        stream.read_buf(&mut request.body).await?;
    }
    Ok(Some(request))
}

/// A clock that stands still.
pub struct Still(pub i64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.0)
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// Loopback allowed, nothing else beyond the public internet.
pub fn egress() -> Egress {
    egress_with(EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() })
}

pub fn egress_with(policy: EgressPolicy) -> Egress {
    Egress::new(policy, None).unwrap()
}

/// A session that may send to these URLs' origins, named `a`, `b` and so on.
pub fn context(urls: &[&str], secrets: &[Arc<Secret>]) -> SendContext {
    let named = ["a", "b", "c"].into_iter().zip(urls);
    SendContext {
        origins: named.map(|(name, url)| AllowedOrigin::of(name, url, false).unwrap()).collect(),
        masker: Masker::new(secrets.iter().cloned()),
        identities: Arc::new([]),
        left: Duration::from_secs(10),
        clock: Arc::new(Still(1_614_265_330_000)),
        events: (0..3).map(event).collect(),
        slow: false,
        purpose: Purpose::Send,
    }
}

pub fn event(n: u8) -> EventUid {
    EventUid::new(Timestamp(1_700_000_000_000), [n; 10])
}

pub fn secret(field: &str, kind: CredentialKind, usage: CredentialUse, value: &str) -> Arc<Secret> {
    Secret::parse(field, kind, usage, &[], value.as_bytes()).unwrap()
}

pub fn token(value: &str) -> Arc<Secret> {
    secret("token", CredentialKind::Text, CredentialUse::Place, value)
}

pub fn text(text: &str) -> Part {
    Part::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

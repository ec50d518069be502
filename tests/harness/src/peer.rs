//! A receiver that speaks bytes: every way in which an HTTP or TLS server can be wrong, on loopback.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
pub use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a peer writes, and what it does with the connection then.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These bytes; then it waits for the next request.
    Whole(Vec<u8>),
    /// These bytes; then it closes in order.
    Close(Vec<u8>),
    /// These bytes; then it resets the connection.
    Reset(Vec<u8>),
    /// These bytes; then nothing more, for ever.
    Stall(Vec<u8>),
    /// These bytes, then the others over and over, as fast as they are taken.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes, then the others over and over with a pause before each.
    Drip(Vec<u8>, Vec<u8>, Duration),
}

/// What a peer waits for before it replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// A whole HTTP/1.1 request.
    Request,
    /// Any first bytes, such as a TLS hello.
    Bytes,
    /// Nothing: it speaks first.
    Nothing,
}

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Request line and headers.
    pub head: String,
    /// The body, by its `content-length`.
    pub body: Vec<u8>,
}

impl Request {
    /// Values of headers with this name, in order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The path and query of the request line.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

type Answers = dyn Fn(&Request) -> Reply + Send + Sync;

/// A listener that replies as it is told. It listens as long as the test's runtime lives.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Peer {
    /// One that waits for a request each time.
    pub async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(Waits::Request, None, reply).await
    }

    /// One with any manners; `tls`: behind a handshake.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start_with(
        waits: Waits,
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let peer = Self { address, accepted: Arc::default(), requests: Arc::default() };
        let (own, reply): (_, Arc<Answers>) = (peer.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(own.clone().meet(stream, waits, tls.clone(), Arc::clone(&reply)));
            }
        });
        peer
    }

    /// `http://127.0.0.1:port` and a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `https://localhost:port` and a path.
    #[must_use]
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// How many connections came.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The requests that came, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What goes wrong here is what the test made: nobody is told.
    fn meet(
        self,
        stream: TcpStream,
        waits: Waits,
        tls: Option<TlsAcceptor>,
        reply: Arc<Answers>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let _ = match tls {
                None => self.serve(stream, waits, &*reply).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => self.serve(stream, waits, &*reply).await,
                    Err(error) => Err(error),
                },
            };
        })
    }

    async fn serve<S: Wire>(&self, mut stream: S, waits: Waits, reply: &Answers) -> std::io::Result<()> {
        loop {
            let request = match waits {
                Waits::Request => match read_request(&mut stream).await? {
                    Some(request) => request,
                    None => return Ok(()),
                },
                Waits::Bytes => {
                    if stream.read(&mut [0; 16 * 1024]).await? == 0 {
                        return Ok(());
                    }
                    Request::default()
                }
                Waits::Nothing => Request::default(),
            };
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            match reply(&request) {
                Reply::Whole(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                Reply::Close(bytes) => {
                    stream.write_all(&bytes).await?;
                    return stream.shutdown().await;
                }
                Reply::Reset(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                    return stream.reset();
                }
                Reply::Stall(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                    std::future::pending::<()>().await;
                }
                Reply::Endless(bytes, more) => {
                    stream.write_all(&bytes).await?;
                    loop {
                        stream.write_all(&more).await?;
                    }
                }
                Reply::Drip(bytes, more, pause) => {
                    stream.write_all(&bytes).await?;
                    loop {
                        stream.flush().await?;
                        tokio::time::sleep(pause).await;
                        stream.write_all(&more).await?;
                    }
                }
            }
        }
    }
}

/// A connection that can be reset.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// Makes dropping it a reset instead of an orderly end.
    fn reset(self) -> std::io::Result<()>;
}

impl Wire for TcpStream {
    fn reset(self) -> std::io::Result<()> {
        self.set_zero_linger()
    }
}

impl Wire for TlsStream<TcpStream> {
    fn reset(self) -> std::io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Request>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    };
    let mut body = bytes.split_off(head_end);
    let request = Request { head: String::from_utf8_lossy(&bytes).into_owned(), body: Vec::new() };
    let length = request.headers("content-length").next().and_then(|text| text.parse().ok()).unwrap_or(0);
    while body.len() < length {
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            n => body.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(Some(Request { body, ..request }))
}

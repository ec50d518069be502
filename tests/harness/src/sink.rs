//! A real receiver on loopback that keeps a ledger of what it got, and answers as it is told.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use futures::StreamExt as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Exactly as it came.
    pub body: Bytes,
    /// What was answered; 0 if the connection was held or cut.
    pub status: u16,
    /// When it came.
    pub at: Instant,
}

/// How a path answers.
#[derive(Clone, Debug)]
pub enum Script {
    /// With this status, and nothing more.
    Status(u16),
    /// With this status, headers and body.
    Answer(u16, Vec<(String, String)>, Bytes),
    /// After so long, with this status.
    Slow(Duration, u16),
    /// Never.
    Hang,
    /// 200, and a body that never ends.
    EndlessBody,
    /// 200, with the request's headers and body as the body.
    Echo,
    /// The first request of one `webhook-id` in so many fails with this status; all others succeed with 204.
    FirstFails(u16, u32),
    /// These statuses in turn, the last one from then on; counted per `webhook-id`.
    InTurn(Vec<u16>),
}

#[derive(Default)]
struct Book {
    received: Vec<Received>,
    scripts: BTreeMap<String, Script>,
    turns: BTreeMap<(String, String), usize>,
}

/// A receiver. Paths without a script answer 204.
#[derive(Clone)]
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
    count: watch::Sender<usize>,
}

impl Sink {
    /// Starts a receiver on a free loopback port.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let sink = Self { address, book: Arc::default(), count: watch::Sender::new(0) };
        let router = Router::new().fallback(receive).with_state(sink.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        sink
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on `path` answers so.
    pub fn script(&self, path: &str, script: Script) {
        self.book().scripts.insert(path.to_owned(), script);
    }

    /// Everything that came, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.book().received.clone()
    }

    /// What came at a path.
    #[must_use]
    pub fn received_at(&self, path: &str) -> Vec<Received> {
        self.book().received.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// What came after the first `from`, in order.
    #[must_use]
    pub fn received_since(&self, from: usize) -> Vec<Received> {
        self.book().received.iter().skip(from).cloned().collect()
    }

    /// How many requests came.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until `enough` says so of all that came; false after `limit`.
    pub async fn wait(&self, limit: Duration, mut enough: impl FnMut(&[Received]) -> bool) -> bool {
        let mut changes = self.count.subscribe();
        tokio::time::timeout(limit, async {
            while !enough(&self.book().received) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        })
        .await
        .is_ok()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, received: Received) {
        self.book().received.push(received);
        self.count.send_modify(|count| *count += 1);
    }

    fn script_of(&self, path: &str, id: &str) -> Script {
        let mut book = self.book();
        let script = book.scripts.get(path).cloned().unwrap_or(Script::Status(204));
        if !matches!(script, Script::InTurn(_) | Script::FirstFails(..)) {
            return script;
        }
        let turn = book.turns.entry((path.to_owned(), id.to_owned())).or_default();
        let status = match &script {
            Script::InTurn(statuses) => statuses.get(*turn).or(statuses.last()).copied(),
            Script::FirstFails(status, one_in) => {
                let unlucky =
                    id.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % one_in == 0;
                (*turn == 0 && unlucky).then_some(*status)
            }
            _ => None,
        };
        *turn += 1;
        Script::Status(status.unwrap_or(204))
    }
}

#[allow(clippy::disallowed_methods)] // a receiver has a clock of its own
async fn receive(
    State(sink): State<Sink>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<_, _> = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let id = headers.get("webhook-id").cloned().unwrap_or_default();
    let script = sink.script_of(&path, &id);
    let mut received = Received { method: method.to_string(), path, headers, body, status: 0, at: Instant::now() };
    let answer = |status: u16, body: Body| {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
    };
    match script {
        Script::Status(status) => {
            received.status = status;
            sink.note(received);
            answer(status, Body::empty())
        }
        Script::Answer(status, headers, body) => {
            received.status = status;
            sink.note(received);
            let mut response = answer(status, body.into());
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (name.parse::<axum::http::HeaderName>(), value.parse()) {
                    response.headers_mut().append(name, value);
                }
            }
            response
        }
        Script::Slow(delay, status) => {
            received.status = status;
            sink.note(received);
            tokio::time::sleep(delay).await;
            answer(status, Body::empty())
        }
        Script::Hang => {
            sink.note(received);
            std::future::pending::<()>().await;
            answer(500, Body::empty())
        }
        Script::EndlessBody => {
            received.status = 200;
            sink.note(received);
            let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024])));
            let slow = chunks.then(|chunk| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                chunk
            });
            answer(200, Body::from_stream(slow))
        }
        Script::Echo => {
            received.status = 200;
            let echo = format!("{:?}\n{}", received.headers, String::from_utf8_lossy(&received.body));
            sink.note(received);
            answer(200, Body::from(echo))
        }
        // Turned into a status above.
        Script::InTurn(_) | Script::FirstFails(..) => answer(500, Body::empty()),
    }
}

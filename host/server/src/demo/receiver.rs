//! The demo's receiver: a loopback server that misbehaves on purpose, and counts what it got.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use railhead_model::{Clock, Timestamp};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What came of one event at one path.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Requests that were answered with success.
    pub accepted: u32,
    /// Requests that were refused on purpose.
    pub refused: u32,
    /// When the first success was answered.
    pub first_accepted_at: Option<Timestamp>,
}

/// One request as it came, for `--ledger`.
#[derive(Clone, Debug)]
pub struct Request {
    /// `/acme/orders`.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Exactly as it came.
    pub body: Bytes,
    /// What was answered.
    pub status: u16,
}

#[derive(Default)]
struct Book {
    /// By path and event id.
    entries: BTreeMap<(String, String), Entry>,
    /// Kept only for `--ledger`.
    requests: Vec<Request>,
}

/// The receiver, cheap to share.
#[derive(Clone)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    book: Mutex<Book>,
    clock: Arc<dyn Clock>,
    keep_requests: bool,
    crm_repaired: AtomicBool,
    erp_repaired: AtomicBool,
}

/// How long the dead neighbour's endpoint holds every request.
pub const HANG: Duration = Duration::from_secs(10);

impl Receiver {
    /// Starts listening on a free loopback port.
    ///
    /// # Errors
    /// The system has none.
    pub async fn start(clock: Arc<dyn Clock>, keep_requests: bool) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let inner = Inner {
            book: Mutex::default(),
            clock,
            keep_requests,
            crm_repaired: AtomicBool::new(false),
            erp_repaired: AtomicBool::new(false),
        };
        let receiver = Self { address: listener.local_addr()?, inner: Arc::new(inner) };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(receiver)
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on the CRM takes yen.
    pub fn repair_crm(&self) {
        self.inner.crm_repaired.store(true, Ordering::Relaxed);
    }

    /// From now on the ERP answers at once.
    pub fn repair_erp(&self) {
        self.inner.erp_repaired.store(true, Ordering::Relaxed);
    }

    /// What came of an event at a path.
    #[must_use]
    pub fn entry(&self, path: &str, event: &str) -> Entry {
        self.book().entries.get(&(path.to_owned(), event.to_owned())).cloned().unwrap_or_default()
    }

    /// Events that a path accepted.
    #[must_use]
    pub fn accepted(&self, path: &str) -> usize {
        self.book().entries.iter().filter(|((at, _), entry)| at == path && entry.accepted > 0).count()
    }

    /// Requests beyond the first success of each event, everywhere.
    #[must_use]
    pub fn duplicates(&self) -> u32 {
        self.book().entries.values().map(|entry| entry.accepted.saturating_sub(1)).sum()
    }

    /// Requests that came, answered with success or refused.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.book().entries.values().map(|entry| entry.accepted + entry.refused).sum()
    }

    /// Every request, if they are kept.
    #[must_use]
    pub fn ledger(&self) -> Vec<Request> {
        self.book().requests.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The misbehaviour, by path.
    async fn verdict(&self, path: &str, event: &str, body: &[u8]) -> StatusCode {
        match path {
            "/acme/billing" if is_unlucky(event) && self.entry(path, event).refused == 0 => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            "/acme/crm" if !self.inner.crm_repaired.load(Ordering::Relaxed) && mentions_yen(body) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            "/globex/erp" if !self.inner.erp_repaired.load(Ordering::Relaxed) => {
                tokio::time::sleep(HANG).await;
                StatusCode::GATEWAY_TIMEOUT
            }
            _ => StatusCode::NO_CONTENT,
        }
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let path = uri.path().to_owned();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let event = headers.get("webhook-id").map(text).unwrap_or_default();
    let status = receiver.verdict(&path, &event, &body).await;
    let now = receiver.inner.clock.now();
    let mut book = receiver.book();
    let entry = book.entries.entry((path.clone(), event)).or_default();
    if status.is_success() {
        entry.accepted += 1;
        entry.first_accepted_at.get_or_insert(now);
    } else {
        entry.refused += 1;
    }
    if receiver.inner.keep_requests {
        let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        book.requests.push(Request { path, headers, body, status: status.as_u16() });
    }
    drop(book);
    (
        status,
        if status == StatusCode::UNPROCESSABLE_ENTITY { "{\"error\":\"currency JPY is not supported\"}" } else { "" },
    )
}

/// One event in ten meets a billing service that is restarting.
fn is_unlucky(event: &str) -> bool {
    event.bytes().map(u32::from).sum::<u32>().is_multiple_of(10)
}

fn mentions_yen(body: &[u8]) -> bool {
    body.windows(5).any(|window| window == b"\"JPY\"")
}

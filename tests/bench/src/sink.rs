//! The counting receiver, in a process of its own so that its CPU is not the host's.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Default)]
struct Ledger {
    count: Arc<AtomicUsize>,
    /// (webhook-id, microseconds of arrival)
    arrivals: Arc<Mutex<Vec<(String, u64)>>>,
}

/// Microseconds since 1970.
#[must_use]
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

/// Serves until killed: POST anything counts; `/count` and `/arrivals` tell.
pub async fn run() {
    let ledger = Ledger::default();
    let router = Router::new()
        .route(
            "/count",
            axum::routing::get(|State(ledger): State<Ledger>| async move {
                ledger.count.load(Ordering::Relaxed).to_string()
            }),
        )
        .route(
            "/arrivals",
            axum::routing::get(|State(ledger): State<Ledger>| async move {
                axum::Json(ledger.arrivals.lock().expect("unpoisoned").clone())
            }),
        )
        .fallback(|State(ledger): State<Ledger>, headers: HeaderMap, _: bytes::Bytes| async move {
            let id = headers.get("webhook-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            ledger.arrivals.lock().expect("unpoisoned").push((id, now_us()));
            ledger.count.fetch_add(1, Ordering::Relaxed);
            StatusCode::NO_CONTENT
        })
        .with_state(ledger);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("bound"));
    axum::serve(listener, router).await.expect("serves");
}

/// A receiver process; killed when dropped.
pub struct Sink {
    child: Child,
    /// Where it listens.
    pub base: String,
}

impl Sink {
    /// Starts this program again as a receiver.
    #[must_use]
    pub fn start() -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut child = Command::new(own).arg("--as-sink").stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        std::io::BufReader::new(out).read_line(&mut line).expect("its address");
        Self { child, base: format!("http://{}", line.trim()) }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Requests so far.
    pub async fn count(&self, http: &reqwest::Client) -> usize {
        let text = http.get(format!("{}/count", self.base)).send().await.expect("answers").text().await.expect("text");
        text.parse().expect("a number")
    }

    /// Waits until so many requests came.
    pub async fn wait(&self, http: &reqwest::Client, count: usize) {
        while self.count(http).await < count {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// When each event arrived.
    pub async fn arrivals(&self, http: &reqwest::Client) -> Vec<(String, u64)> {
        http.get(format!("{}/arrivals", self.base)).send().await.expect("answers").json().await.expect("json")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The counting receiver, in a process of its own so that its CPU is not the host's.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use futures::StreamExt as _;
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When which event came: its number, and microseconds since 1970.
pub type Arrival = (usize, u64);

#[derive(Clone, Default)]
struct Ledger {
    count: Arc<AtomicUsize>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

/// Microseconds since 1970.
#[must_use]
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

/// Serves until killed. `/slow` answers after 10 s, `/endless` with a body that never ends; any other path counts and
/// answers 204. `/count` and `/arrivals` tell.
pub async fn run(listen: &str) {
    let router = Router::new()
        .route(
            "/count",
            get(|State(ledger): State<Ledger>| async move { ledger.count.load(Ordering::Relaxed).to_string() }),
        )
        .route(
            "/arrivals",
            get(|State(ledger): State<Ledger>| async move {
                axum::Json(ledger.arrivals.lock().expect("unpoisoned").clone())
            }),
        )
        .route("/slow", any(slow))
        .route("/endless", any(endless))
        .fallback(receive)
        .with_state(Ledger::default());
    let listener = tokio::net::TcpListener::bind(listen).await.expect("the address is free");
    println!("{}", listener.local_addr().expect("bound"));
    axum::serve(listener, router).await.expect("serves");
}

async fn receive(State(ledger): State<Ledger>, body: Bytes) -> StatusCode {
    if let Some(n) = number(&body) {
        ledger.arrivals.lock().expect("unpoisoned").push((n, now_us()));
    }
    ledger.count.fetch_add(1, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

/// The event's number, from its payload.
fn number(body: &[u8]) -> Option<usize> {
    let mark = b"bench-";
    let at = body.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[at..at + digits]).ok()?.parse().ok()
}

async fn slow(_: Bytes) -> StatusCode {
    tokio::time::sleep(Duration::from_secs(10)).await;
    StatusCode::NO_CONTENT
}

async fn endless(_: Bytes) -> Response {
    let chunks = futures::stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1_024]))
    });
    Body::from_stream(chunks).into_response()
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
    pub fn start(listen: &str) -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut command = Command::new(own);
        command.args(["sink", "--sink-listen", listen]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
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
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// When each event arrived.
    pub async fn arrivals(&self, http: &reqwest::Client) -> Vec<Arrival> {
        http.get(format!("{}/arrivals", self.base)).send().await.expect("answers").json().await.expect("json")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A connector that sends over `wasi:http`, by the client of its language: what it sends leaves by the host's one way out.

use crate::support::{Answer, Receiver, call, deliver, sandbox_with, summary};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use railhead_model::SystemClock;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::{CredentialValue, Sandbox, SandboxConfig, SettledEvent, Target};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Barrier;

const TOKEN: &str = "token-0123456789-abcdef";
const IN_MAP: &str = "value of the map 0123456789";
const HINT: &str = "railhead-placeholder-";

/// Sends everything back; under `/away` it points elsewhere, under `/never` it says nothing.
#[derive(Clone)]
struct Peer {
    url: String,
    away: String,
    got: Arc<Mutex<Vec<(Uri, HeaderMap, Bytes)>>>,
}

impl Peer {
    async fn start(away: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let peer = Self { url, away: away.to_owned(), got: Arc::default() };
        let app = Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::disable());
        let app = app.with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        peer
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn last(&self) -> (Uri, HeaderMap, String) {
        let (uri, headers, body) = self.got.lock().unwrap().last().cloned().unwrap();
        (uri, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

async fn answer(State(peer): State<Peer>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    peer.got.lock().unwrap().push((uri.clone(), headers.clone(), body.clone()));
    match uri.path() {
        "/away" => (StatusCode::FOUND, [("location", peer.away)]).into_response(),
        "/never" => std::future::pending().await,
        _ => {
            let lines = headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?")));
            format!("{}{}", lines.collect::<String>(), String::from_utf8_lossy(&body)).into_response()
        }
    }
}

/// A destination of its own each time.
async fn target(sandbox: &Sandbox, config: Value) -> Arc<Target> {
    static NUMBER: AtomicI64 = AtomicI64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let field = |field: &str, kind, usage, value: &str| {
        let value = value.as_bytes().to_vec().into();
        CredentialValue { field: field.to_owned(), version: 1, kind, usage, value }
    };
    Arc::new(Target {
        connector: sandbox.load(railhead_test_guests::WASI_HTTP).await.unwrap(),
        tenant: number,
        tenant_id: "acme".to_owned(),
        destination: number,
        revision: 1,
        config,
        credentials: vec![
            field("token", CredentialKind::Text, CredentialUse::Place, TOKEN),
            field("headers", CredentialKind::Headers, CredentialUse::Place, &json!({ "x-map": IN_MAP }).to_string()),
            field("signing_secret", CredentialKind::Bytes, CredentialUse::SignRequest, crate::support::SECRET),
        ],
    })
}

/// What became of one event.
async fn one(sandbox: &Sandbox, config: Value, deadline_ms: u32) -> SettledEvent {
    let target = target(sandbox, config).await;
    deliver(sandbox, &target, call(1, deadline_ms)).await.remove(0)
}

/// Class, code, message and status.
fn told(event: &SettledEvent) -> (&'static str, String, String, String) {
    let reason = event.outcome.reason();
    let status = reason.status.clone().unwrap_or_default();
    (event.outcome.class().as_str(), reason.code.clone(), reason.message.clone(), status)
}

/// A sandbox whose guests may compute for as long as a debug build needs.
fn patient() -> Arc<Sandbox> {
    sandbox_with(SandboxConfig { max_instances: 40, cpu_budget_ms: 20_000, ..SandboxConfig::default() })
}

#[tokio::test]
async fn events_arrive_with_the_secret_in_its_header_and_the_record_has_none() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let target = target(&sandbox, json!({ "url": peer.url })).await;
    let settled = deliver(&sandbox, &target, call(3, 60_000)).await;
    assert!(summary(&settled).iter().all(|word| *word == ("delivered", "answered".to_owned())), "{settled:?}");
    let mut bodies: Vec<Bytes> = peer.got.lock().unwrap().iter().map(|(_, _, body)| body.clone()).collect();
    bodies.sort();
    assert_eq!(bodies, ["{\"n\": 0 }", "{\"n\": 1 }", "{\"n\": 2 }"]);
    for (_, headers, _) in peer.got.lock().unwrap().iter() {
        assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(headers["content-length"], "9");
    }
    // Each request may carry any event of its call: the record of each shows them all, and none holds the secret or a copy of
    // the data.
    for event in &settled {
        assert_eq!(event.transcript.exchanges.len(), 3);
        let shown = serde_json::to_string(&event.transcript).unwrap();
        assert!(!shown.contains(TOKEN) && !shown.contains(HINT), "{shown}");
        assert!(shown.contains("••••") && !shown.contains("{\\\"n\\\": 0 }\"]"), "{shown}");
        let said = told(event);
        assert!(said.2.contains("authorization: ") && !said.2.contains(TOKEN), "{said:?}");
        assert_eq!(said.3, "200");
    }
}

#[tokio::test]
async fn a_secret_is_written_as_it_was_asked_for_and_masked_where_it_comes_back() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let encoded = "dG9rZW4tMDEyMzQ1Njc4OS1hYmNkZWY=";
    let came = one(&sandbox, json!({ "url": peer.url, "encoding": "base64" }), 60_000).await;
    assert_eq!(peer.last().1["authorization"], format!("Bearer {encoded}"));
    assert!(!format!("{came:?}").contains(encoded), "{came:?}");
    // Of a map of headers it is the value for the header that it stands in.
    let came = one(&sandbox, json!({ "url": peer.url, "field": "headers" }), 60_000).await;
    assert_eq!(told(&came).0, "delivered", "{came:?}");
    assert_eq!(peer.last().1["x-map"], IN_MAP);
    assert!(!format!("{came:?}").contains(IN_MAP), "{came:?}");
}

#[tokio::test]
async fn only_a_secret_that_may_be_placed_has_a_placeholder() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let came = one(&sandbox, json!({ "url": peer.url, "field": "signing_secret" }), 60_000).await;
    let (class, code, message, status) = told(&came);
    assert_eq!((class, code.as_str(), status.as_str()), ("misconfigured", "session-open-failed", "credential-use"));
    assert_eq!(message, "The credential field signing_secret may not be used in this way.");
    assert_eq!(peer.count(), 0);
}

#[tokio::test]
async fn a_placeholder_stands_for_nothing_but_in_a_headers_value() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    for place in ["body", "query", "name"] {
        let came = one(&sandbox, json!({ "url": peer.url, "place": place }), 60_000).await;
        assert_eq!(told(&came).0, "delivered", "{place}: {came:?}");
        let (uri, headers, body) = peer.last();
        let everything = format!("{uri} {headers:?} {body}");
        assert!(everything.contains(HINT) && !everything.contains(TOKEN), "{place}: {everything}");
    }
}

#[tokio::test]
async fn a_placeholder_of_another_session_means_nothing() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let first = told(&one(&sandbox, json!({ "url": peer.url, "tell": "placeholder" }), 60_000).await).2;
    let second = told(&one(&sandbox, json!({ "url": peer.url, "tell": "placeholder" }), 60_000).await).2;
    let random = first.strip_prefix(HINT).unwrap();
    assert!(random.len() == 32 && random.bytes().all(|digit| digit.is_ascii_hexdigit()), "{first}");
    assert_ne!(first, second);
    let guessed = format!("{HINT}{}", "0".repeat(32));
    for other in [&first, &guessed, &HINT.to_owned(), &format!("{first}{second}")] {
        let came = one(&sandbox, json!({ "url": peer.url, "placeholder": other }), 60_000).await;
        assert_eq!(told(&came).0, "delivered", "{came:?}");
        assert_eq!(peer.last().1["authorization"], format!("Bearer {other}"));
    }
}

#[tokio::test]
async fn origins_and_addresses_are_judged_as_everywhere() {
    let (sandbox, peer, other) = (patient(), Peer::start("").await, Peer::start("").await);
    let came = one(&sandbox, json!({ "url": peer.url, "to": other.url }), 60_000).await;
    assert_eq!(told(&came), ("misconfigured", "refused".into(), "ErrorCode::HttpRequestDenied".into(), String::new()));
    let why = came.transcript.exchanges[0].failure.clone().unwrap();
    assert_eq!(why.code, "origin-not-allowed");
    let egress = Egress::new(EgressPolicy { plaintext: true, ..EgressPolicy::default() }, None).unwrap();
    let closed = Sandbox::new(SandboxConfig::default(), Arc::new(egress), Arc::new(SystemClock::new())).unwrap();
    let came = one(&closed, json!({ "url": peer.url }), 60_000).await;
    assert_eq!(told(&came).2, "ErrorCode::DestinationIpProhibited");
    for wrong in ["http://", "http://user:hidden@127.0.0.1/"] {
        let came = one(&sandbox, json!({ "url": peer.url, "to": wrong }), 60_000).await;
        assert_ne!(told(&came).0, "delivered", "{wrong}: {came:?}");
        assert!(!format!("{came:?}").contains("hidden"), "{came:?}");
    }
    assert_eq!((peer.count(), other.count()), (0, 0));
}

#[tokio::test]
async fn redirects_are_answers() {
    let other = Peer::start("").await;
    let (sandbox, peer) = (patient(), Peer::start(&other.url).await);
    let came = one(&sandbox, json!({ "url": peer.url, "to": peer.at("away") }), 60_000).await;
    assert_eq!(told(&came), ("transient", "answered".to_owned(), String::new(), "302".to_owned()));
    assert_eq!((peer.count(), other.count()), (1, 0));
}

#[tokio::test]
async fn a_request_without_an_answer_ends_before_its_call() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let never = peer.at("never");
    let limited = json!({ "url": peer.url, "to": never, "timeout_ms": 50 });
    for (config, deadline_ms) in [(limited, 60_000), (json!({ "url": peer.url, "to": never }), 2_000)] {
        let came = one(&sandbox, config, deadline_ms).await;
        let (class, code, message, _) = told(&came);
        assert_eq!((class, code.as_str()), ("uncertain", "no-answer"));
        assert_eq!(message, "ErrorCode::HttpResponseTimeout");
        assert_eq!(came.transcript.exchanges[0].failure.as_ref().unwrap().code, "timeout");
    }
    assert_eq!(peer.count(), 2);
}

#[tokio::test]
async fn a_preview_shows_the_request_and_sends_nothing() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let target = target(&sandbox, json!({ "url": peer.url })).await;
    let shown = sandbox.preview(target, call(1, 60_000)).await.unwrap();
    let [(events, exchange)] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(events, &[0]);
    assert_eq!((exchange.request.method.as_str(), exchange.request.url.as_str()), ("POST", peer.url.as_str()));
    let shown = serde_json::to_string(exchange).unwrap();
    assert!(shown.contains("Bearer ••••") && !shown.contains(TOKEN) && !shown.contains(HINT), "{shown}");
    assert_eq!(peer.count(), 0);
}

#[tokio::test]
async fn headers_that_are_the_hosts_are_refused_and_a_length_must_be_true() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    for name in ["host", "connection", "transfer-encoding", "proxy-authorization", "accept-encoding"] {
        let came = one(&sandbox, json!({ "url": peer.url, "headers": { name: "x" } }), 60_000).await;
        assert_ne!(told(&came).0, "delivered", "{name}: {came:?}");
    }
    let came = one(&sandbox, json!({ "url": peer.url, "headers": { "content-length": "10" } }), 60_000).await;
    assert!(told(&came).2.contains("content-length: "), "{came:?}");
    assert_eq!(peer.count(), 0);
    let came = one(&sandbox, json!({ "url": peer.url, "headers": { "content-length": "9" } }), 60_000).await;
    assert_eq!((told(&came).0, peer.count()), ("delivered", 1));
}

#[tokio::test]
async fn a_body_past_the_bound_is_refused_before_it_leaves() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let came = one(&sandbox, json!({ "url": peer.url, "body_bytes": 32 << 20 }), 60_000).await;
    let (class, _, message, _) = told(&came);
    assert_eq!(class, "permanent");
    assert!(message.contains("HttpRequestBodySize"), "{message}");
    assert_eq!(peer.count(), 0);
}

#[tokio::test]
async fn clocks_are_coarse_and_waiting_works() {
    let (sandbox, peer) = (patient(), Peer::start("").await);
    let came = one(&sandbox, json!({ "url": peer.url, "tell": "clock" }), 60_000).await;
    let message = told(&came).2;
    let times: Vec<u64> = message.split(' ').map(|time| time.parse().unwrap()).collect();
    assert!(times.iter().all(|time| time % 1_000_000 == 0) && times[1] >= 10_000_000, "{message}");
}

/// Holds requests back until 64 are there; counts how many are at once.
#[derive(Clone)]
struct Crowd {
    gate: Arc<Barrier>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

async fn crowded(State(crowd): State<Crowd>) -> StatusCode {
    let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
    crowd.most.fetch_max(now, Ordering::SeqCst);
    crowd.gate.wait().await;
    crowd.now.fetch_sub(1, Ordering::SeqCst);
    StatusCode::OK
}

#[tokio::test]
async fn at_most_64_requests_are_on_their_way_at_once() {
    let sandbox = patient();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let crowd = Crowd { gate: Arc::new(Barrier::new(64)), now: Arc::default(), most: Arc::default() };
    let app = Router::new().fallback(crowded).with_state(crowd.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let came = one(&sandbox, json!({ "url": url, "requests": 192 }), 120_000).await;
    assert_eq!(told(&came).0, "delivered", "{came:?}");
    assert_eq!(crowd.most.load(Ordering::SeqCst), 64);
}

#[tokio::test]
async fn a_guest_that_keeps_more_than_it_may_is_ended() {
    let (sandbox, receiver) = (patient(), Receiver::start(Answer::Status(204)).await);
    // Each request is a handful of handles.
    let came = one(&sandbox, json!({ "url": receiver.url, "requests": 5_000 }), 120_000).await;
    let (class, code, message, _) = told(&came);
    assert_eq!((class, code.as_str()), ("uncertain", "plugin-trap"), "{message}");
}

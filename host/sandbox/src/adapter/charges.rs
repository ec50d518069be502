//! What guests have the host hold and do for them is charged to them.

use super::*;
use crate::bindings::railhead::plugin::credentials::Host as _;
use crate::bindings::railhead::plugin::host;
use crate::bindings::railhead::plugin::http::{Host as _, HostRequest, HostResponse, Signed};
use crate::bindings::wasi::wasi::http::outgoing_handler;
use crate::bindings::wasi::wasi::http::types::{
    ErrorCode, HostFields, HostFutureIncomingResponse, HostOutgoingRequest,
};
use crate::call::{Call, Purpose};
use crate::limits::MAX_HELD;
use crate::sandbox::SandboxConfig;
use crate::session::{Surroundings, store};
use railhead_model::SystemClock;
use serde_json::json;
use std::time::Duration;

/// A guest of the test connector that may send to loopback, in a call without events.
async fn guest(url: &str) -> Guest {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let policy = egress::EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
    let egress = Arc::new(Egress::new(policy, None).unwrap());
    let sandbox = crate::Sandbox::new(SandboxConfig::default(), egress.clone(), clock.clone()).unwrap();
    let connector = sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap();
    let target = crate::Target {
        connector,
        tenant: 1,
        tenant_id: "acme".to_owned(),
        destination: 1,
        revision: 1,
        config: json!({ "url": url }),
        credentials: Vec::new(),
    };
    let scope = Arc::new(Scope::of(&target).unwrap());
    let cpu = Duration::from_secs(1);
    let slow = tokio::runtime::Handle::current();
    let random = Arc::new(railhead_model::SystemRandom);
    let around = Surroundings { egress, clock: clock.clone(), random, cpu, slow };
    let mut guest = store(&around, &scope, &Arc::default(), &Meter::new(cpu)).unwrap().into_data();
    let call = Call { batch_id: String::new(), batched: false, deadline_ms: 30_000, events: Vec::new() };
    guest.running = Some(Running::new(Purpose::Check, call, clock, None));
    guest
}

fn text(bytes: usize) -> Vec<wit::Part> {
    vec![wit::Part::Bytes(vec![b'a'; bytes])]
}

#[tokio::test]
async fn all_bytes_of_a_request_are_held_until_it_goes() {
    let mut guest = guest("http://127.0.0.1:9/").await;
    let again = |handle: &Resource<Request>| Resource::<Request>::new_own(handle.rep());
    let request = HostRequest::new(&mut guest, "GET".to_owned(), "http://x/".to_owned()).unwrap();
    let before = guest.held;
    guest.header(again(&request), "x-a".to_owned(), text(100)).unwrap().unwrap();
    guest.query(again(&request), "q".to_owned(), text(1_000)).unwrap().unwrap();
    HostRequest::body(&mut guest, again(&request), text(10_000)).unwrap().unwrap();
    let (name, message) = ("x-b".to_owned(), vec![Signed::Text("c".repeat(100_000))]);
    let (each, join, algorithm) = (String::new(), String::new(), "hmac-sha256".to_owned());
    let raw = wit::Encoding::Raw;
    let signed = guest.sign_header(again(&request), name, vec![], each, join, message, vec![], algorithm, raw);
    signed.unwrap().unwrap();
    assert_eq!(guest.held - before, 3 + 100 + 1 + 1_000 + 10_000 + 3 + 100_000 + 4 * PIECE);
    guest.held += MAX_HELD;
    let refused = guest.query(again(&request), "q".to_owned(), text(1)).unwrap().unwrap_err();
    assert_eq!(refused.code, "session-too-large");
    guest.held -= MAX_HELD;
    HostRequest::drop(&mut guest, request).unwrap();
    assert_eq!(guest.held, 0);
}

#[tokio::test]
async fn answers_are_held_until_they_are_dropped() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(async || "0123456789");
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let mut guest = guest(&url).await;
    let request = HostRequest::new(&mut guest, "GET".to_owned(), url.clone()).unwrap();
    let answer = guest.send(request).await.unwrap().map_err(|failure| failure.code).unwrap();
    assert!(guest.held >= 10 && !guest.meter.spent().is_zero(), "{}", guest.held);
    HostResponse::drop(&mut guest, answer).unwrap();
    assert_eq!(guest.held, 0);
    let request = HostRequest::new(&mut guest, "GET".to_owned(), url).unwrap();
    guest.held = MAX_HELD;
    let refused = guest.send(request).await.unwrap().map(drop).unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (types::Kind::TooLarge, "session-too-large"));
}

#[tokio::test]
async fn work_of_the_host_is_charged() {
    let mut guest = guest("http://127.0.0.1:9/").await;
    let spent = |guest: &Guest| guest.meter.spent();
    host::Host::compress(&mut guest, "gzip".to_owned(), 9, vec![b'a'; 100_000]).unwrap().unwrap();
    let compressed = spent(&guest);
    assert!(!compressed.is_zero());
    guest.compose(text(60_000), wit::Encoding::Hex).unwrap().unwrap();
    assert!(spent(&guest) > compressed);
    guest.meter.charge(Duration::from_secs(1));
    assert!(guest.meter.hook(wasmtime::CallHook::ReturningFromHost).is_err());
}

#[tokio::test]
async fn requests_of_wasi_http_under_way_are_counted_though_the_guest_forgets_them() {
    let mut guest = guest("http://127.0.0.1:9/").await;
    let mut refused = Vec::new();
    for _ in 0..1_100 {
        let headers = HostFields::new(&mut guest).unwrap();
        let request = HostOutgoingRequest::new(&mut guest, headers).unwrap();
        let answer = outgoing_handler::Host::handle(&mut guest, request, None).unwrap().unwrap();
        let again = Resource::<wasi_http::FutureResponse>::new_borrow(answer.rep());
        refused.extend(HostFutureIncomingResponse::get(&mut guest, again).unwrap());
        HostFutureIncomingResponse::drop(&mut guest, answer).unwrap();
    }
    assert_eq!(guest.wasi.held(), 1_024 * 16 * 1_024, "each of them is charged");
    assert_eq!(refused.len(), 1_100 - 1_024);
    assert!(refused.iter().all(|answer| matches!(answer, Ok(Err(ErrorCode::HttpRequestDenied)))));
    guest.wasi.cut();
    assert_eq!(guest.wasi.held(), 0);
}

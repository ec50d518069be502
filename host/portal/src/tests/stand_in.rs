//! A stand-in of the API: answers samples, and remembers what it was asked.

use super::samples;
use crate::{Portal, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::IntoResponse as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use railhead_model::{Clock, Timestamp};
use railhead_vault::{MasterKey, MasterKeys, SystemRandom, Vault};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tower_service::Service as _;

/// Good for environment `live`.
pub const KEY: &str = "rk_live_good";
/// Good everywhere.
pub const ADMIN: &str = "rk_admin_good";
/// Good, and allowed next to nothing.
pub const POOR: &str = "rk_live_poor";

/// Good until [`Site::revoke`].
pub const REVOKED: &str = "rk_live_revoked_later";

/// A clock that a test sets.
pub struct Hand(AtomicI64);

impl Hand {
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// Pages over the stand-in.
pub struct Site {
    router: Router,
    pub clock: Arc<Hand>,
    pub asked: Arc<Mutex<Vec<String>>>,
    revoked: Arc<AtomicBool>,
}

/// What a browser gets.
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// The cookie to send back.
    pub fn cookie(&self) -> String {
        let set = self.header(SET_COOKIE.as_str());
        set.split(';').next().expect("a pair").to_owned()
    }
}

impl Site {
    /// `change` makes other samples of them.
    pub fn new(https_only: bool, change: fn(Value) -> Value) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let revoked: Arc<AtomicBool> = Arc::default();
        let is_revoked = Arc::clone(&revoked);
        let api = Router::new().fallback(move |request: Request| {
            let path = request.uri().to_string();
            seen.lock().expect("not poisoned").push(path);
            let answer = answer(&request, change, is_revoked.load(Ordering::SeqCst));
            async move { answer }
        });
        let vault = Vault::new(MasterKeys::one(MasterKey::generate(&SystemRandom)), Arc::new(SystemRandom));
        let clock = Arc::new(Hand(AtomicI64::new(1_795_446_245_000)));
        let sealer = vault.sealer(crate::SESSION_PURPOSE);
        let known = Arc::clone(&clock) as Arc<dyn Clock>;
        let portal = Portal::new(api, sealer, known, Arc::new(SystemRandom), https_only);
        Self { router: router(portal), clock, asked, revoked }
    }

    /// From here on [`REVOKED`] is not good any more.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::SeqCst);
    }

    pub async fn send(&self, request: Request) -> Got {
        let response = self.router.clone().call(request).await.expect("infallible");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        Got { status, headers, body: String::from_utf8(bytes.to_vec()).expect("UTF-8") }
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Got {
        self.send(Request::get(path).header("cookie", cookie).body(Body::empty()).expect("a request")).await
    }

    pub async fn post(&self, path: &str, cookie: &str, headers: &[(&str, &str)], form: &str) -> Got {
        let mut request = Request::post(path).header("cookie", cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(form.to_owned())).expect("a request")).await
    }

    /// Signs in and answers with the cookie.
    pub async fn signed_in(&self, key: &str) -> String {
        let got = self.post("/ui/sign-in", "", OWN, &format!("key={key}")).await;
        assert_eq!(got.status, 303, "{}", got.body);
        got.cookie()
    }
}

/// What a browser sends along with a form of ours.
pub const OWN: &[(&str, &str)] = &[("sec-fetch-site", "same-origin"), ("origin", "null"), ("host", "host.test")];

fn problem(status: u16, code: &str) -> axum::response::Response {
    let body = json!({"code": code, "detail": "Said by the API.", "request_id": "req_7"}).to_string();
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
}

fn answer(request: &Request, change: fn(Value) -> Value, is_revoked: bool) -> axum::response::Response {
    let key = request.headers().get(AUTHORIZATION).map(|value| value.to_str().expect("text")).unwrap_or_default();
    let key = key.strip_prefix("Bearer ").unwrap_or_default();
    let named = request.uri().query().unwrap_or_default().contains("environment=");
    let path = request.uri().path();
    match key {
        KEY => {}
        REVOKED if !is_revoked => {}
        ADMIN if named || path == "/v1/environments" => {}
        ADMIN => return problem(400, "environment-required"),
        POOR => return problem(403, "missing-scope"),
        _ => return problem(401, "unauthenticated"),
    }
    let steps: Vec<_> = path.trim_start_matches("/v1/").split('/').collect();
    let list = |one: Value| json!({"data": [one], "next": "c1"});
    let body = match steps.as_slice() {
        ["overview"] => samples::overview(),
        ["environments"] => json!({"data": [{"name": "sandbox"}, {"name": "live"}], "next": null}),
        ["tenants"] => list(samples::tenant()),
        ["tenants", "acme"] => samples::tenant(),
        ["tenants", "acme", "destinations"] => list(samples::destination()),
        ["tenants", "acme", "destinations", _] => samples::destination(),
        ["tenants", "acme", "events"] => list(samples::event()),
        ["tenants", "acme", "events", "broken"] => return problem(500, "internal"),
        ["tenants", "acme", "events", "unknown"] => return problem(404, "not-found"),
        ["tenants", "acme", "events", _] => samples::event(),
        ["tenants", "acme", "events", _, "payload"] => json!({"order": 1}),
        ["tenants", "acme", "deliveries"] => list(samples::delivery()),
        ["tenants", "acme", "deliveries", _] => samples::delivery(),
        ["tenants", "acme", "deliveries", _, "attempts"] => {
            json!({"data": [samples::attempt(), samples::failed_attempt()], "next": null})
        }
        _ => return problem(404, "unknown-tenant"),
    };
    ([(CONTENT_TYPE, "application/json")], change(body).to_string()).into_response()
}

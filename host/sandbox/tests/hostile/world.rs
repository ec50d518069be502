//! The servers that a guest may know of, and the destinations that it is given.

#[path = "streams.rs"]
mod streams;

use super::canary;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use railhead_model::event::Head;
use railhead_model::manifest::CredentialKind;
use railhead_model::{Event, EventUid, Timestamp};
use railhead_sandbox::egress::{Egress, EgressPolicy};
use railhead_sandbox::{Call, CallEvent, Connector, CredentialValue, SandboxConfig, Target};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Guests have the CPU time that they have in production.
pub fn config() -> SandboxConfig {
    SandboxConfig { max_instances: 40, ..SandboxConfig::default() }
}

/// It may reach the loopback.
pub fn egress() -> Arc<Egress> {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    Arc::new(Egress::new(policy, None).unwrap())
}

/// One guest's own server, one that it has no business with, a token endpoint, and its own server for streams.
pub struct World {
    pub own: Server,
    pub other: Server,
    pub token: Server,
    pub streams: SocketAddr,
}

impl World {
    pub async fn start() -> Self {
        let other = Server::start(String::new()).await;
        let token = Server::start(String::new()).await;
        Self { own: Server::start(other.origin.clone()).await, other, token, streams: streams::start().await }
    }

    /// A destination of this connector with a secret in each of its fields.
    pub fn target(&self, connector: &Arc<Connector>, number: i64) -> Arc<Target> {
        let streams = (self.streams.ip().to_string(), self.streams.port());
        let config = json!({
            "url": self.own.origin,
            "other": self.other.origin,
            "token": self.token.origin,
            "host": streams.0,
            "port": streams.1,
        });
        self.target_of(connector, number, config, |_| true)
    }

    /// The same with another configuration, and in these fields only.
    pub fn target_of(
        &self,
        connector: &Arc<Connector>,
        number: i64,
        config: Value,
        given: impl Fn(&str) -> bool,
    ) -> Arc<Target> {
        let fields = connector.manifest.credentials.iter().filter(|field| given(&field.name));
        let credentials = fields.map(|field| CredentialValue {
            field: field.name.clone(),
            version: 1,
            kind: field.kind,
            usage: field.usage,
            value: self.secret(field.kind).into_bytes().into(),
        });
        Arc::new(Target {
            connector: connector.clone(),
            tenant: number,
            tenant_id: format!("tenant-{number}"),
            destination: number,
            revision: 1,
            config,
            credentials: credentials.collect(),
        })
    }

    fn secret(&self, kind: CredentialKind) -> String {
        let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        match kind {
            CredentialKind::Text => canary::TEXT.to_owned(),
            CredentialKind::Bytes | CredentialKind::AzureKey => base64(canary::BYTES),
            CredentialKind::Aws => json!({
                "access_key_id": "AKIAPUBLIC",
                "secret_access_key": canary::AWS_SECRET,
                "session_token": canary::AWS_SESSION,
            })
            .to_string(),
            CredentialKind::GoogleServiceAccount => json!({
                "type": "service_account",
                "client_email": "public@example.com",
                "private_key_id": "public",
                "project_id": "public",
                "private_key": *canary::GOOGLE,
                "token_uri": "https://oauth2.googleapis.com/token",
            })
            .to_string(),
            CredentialKind::PrivateKey => base64(canary::SEED),
            CredentialKind::TlsIdentity => format!("{}{}", canary::IDENTITY.0, canary::IDENTITY.1),
            CredentialKind::Url => format!("{}/{}", self.own.origin, canary::PATH),
            CredentialKind::Headers => json!({ "x-canary": canary::HEADER }).to_string(),
        }
    }
}

/// A hand-over of two events.
pub fn call() -> Call {
    let events = (0..2).map(|n| CallEvent { event: event(n), attempt: 1, traceparent: None }).collect();
    Call { batch_id: "batch-1".to_owned(), batched: false, deadline_ms: 300_000, events }
}

fn event(n: u8) -> Arc<Event> {
    let at = Timestamp(1_700_000_000_000);
    Arc::new(Event {
        uid: EventUid::new(at, [n; 10]),
        id: format!("order-{n}"),
        event_type: "order.created".to_owned(),
        accepted_at: at,
        head: Head {
            source: "/".to_owned(),
            time: at.to_string(),
            content_type: "application/json".to_owned(),
            ..Head::default()
        },
        data: Bytes::from(format!("{{\"n\": {n} }}")),
    })
}

/// Counts what arrives. `/echo` sends the body and most headers back, as does the secret URL; `/large` sends a quarter of a
/// megabyte, `/away` points to another server, `/token` gives a token.
#[derive(Clone)]
pub struct Server {
    pub origin: String,
    away: String,
    got: Arc<AtomicUsize>,
}

impl Server {
    async fn start(away: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { origin, away, got: Arc::default() };
        let app = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    pub fn count(&self) -> usize {
        self.got.load(Ordering::Relaxed)
    }
}

async fn answer(State(server): State<Server>, uri: Uri, mut headers: HeaderMap, body: Bytes) -> Response {
    server.got.fetch_add(1, Ordering::Relaxed);
    match uri.path() {
        path if path == "/echo" || path.ends_with(canary::PATH) => {
            for of_the_connection in ["host", "content-length", "transfer-encoding", "connection"] {
                headers.remove(of_the_connection);
            }
            (headers, body).into_response()
        }
        "/token" => {
            let token = json!({ "access_token": canary::TOKEN, "token_type": "Bearer", "expires_in": 3600 });
            ([("content-type", "application/json")], token.to_string()).into_response()
        }
        "/large" => vec![b'x'; 256 * 1024].into_response(),
        "/away" => (StatusCode::FOUND, [("location", server.away)]).into_response(),
        _ => "ok".into_response(),
    }
}

//! Exchanges as a guest makes them, against a token endpoint and an API on loopback.

mod aws;
mod operator;
mod public;

use super::*;
use crate::bindings::railhead::plugin::credentials::{Encoding, Host as _, Part};
use crate::bindings::railhead::plugin::http::{Host as _, HostRequest};
use crate::call::{Call, CallEvent, SettledEvent};
use crate::secret::MASK;
use crate::session::{Surroundings, store};
use crate::{Connector, CredentialValue, Sandbox, SandboxConfig, Target};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use railhead_model::manifest::{CredentialField, CredentialKind, Origin, Place};
use railhead_model::{Clock, Event, EventUid, Outcome, Reason, SystemClock, Timestamp};
use serde_json::json;
use std::sync::Mutex;

const CLIENT_SECRET: &str = "client-s3cr3t/+&=";
const TOKEN: &str = "t0ken-0123456789.abcdef";

/// A token endpoint at `/token` that answers with this, and an API everywhere else that sends back what it got.
#[derive(Clone)]
struct Peer {
    url: String,
    tokens: &'static str,
    answer: Arc<(u16, String)>,
    got: Arc<Mutex<Vec<(Uri, HeaderMap, String)>>>,
}

impl Peer {
    async fn start(status: u16, answer: impl Into<String>) -> Self {
        Self::with("/token", status, answer).await
    }

    /// The same, its token endpoint at `/`, where those of AWS are.
    async fn at_root(status: u16, answer: impl Into<String>) -> Self {
        Self::with("/", status, answer).await
    }

    async fn with(tokens: &'static str, status: u16, answer: impl Into<String>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let peer = Self { url, tokens, answer: Arc::new((status, answer.into())), got: Arc::default() };
        let app = Router::new().fallback(answered).with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        peer
    }

    async fn giving_tokens() -> Self {
        Self::start(200, json!({"access_token": TOKEN, "expires_in": "3600", "also": CLIENT_SECRET}).to_string()).await
    }

    fn bodies(&self, path: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().filter(|(uri, ..)| uri.path() == path).map(|(.., body)| body.clone()).collect()
    }
}

async fn answered(State(peer): State<Peer>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let body = String::from_utf8(body.to_vec()).unwrap();
    peer.got.lock().unwrap().push((uri.clone(), headers.clone(), body.clone()));
    if uri.path() == peer.tokens {
        let (status, answer) = &*peer.answer;
        return (StatusCode::from_u16(*status).unwrap(), [("x-token", TOKEN)], answer.clone());
    }
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    let session = header("x-amz-security-token");
    let session = if session.is_empty() { String::new() } else { format!(" {session}") };
    (StatusCode::OK, [("x-token", "none")], format!("{} {body}{session}", header("authorization")))
}

/// What sessions of one destination share, and what its one event came to.
struct World {
    around: Surroundings,
    scope: Arc<Scope>,
    target: Target,
    settled: Arc<Mutex<Vec<SettledEvent>>>,
}

impl World {
    /// A connector that exchanges at `tokens` and sends to `api`.
    async fn new(tokens: &str, api: &str, field_origins: &[&str]) -> Self {
        let fields = vec![field("client_secret", CredentialUse::Exchange, field_origins)];
        Self::of(tokens, api, fields, vec![client_secret()]).await
    }

    /// The same with other credentials.
    async fn of(tokens: &str, api: &str, fields: Vec<CredentialField>, credentials: Vec<CredentialValue>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let policy = egress::EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
        let egress = Arc::new(Egress::new(policy, None).unwrap());
        let loaded = loaded().await;
        let mut manifest = loaded.manifest.clone();
        let origin = |name: &str, url: &str, token_endpoint| Origin {
            name: name.to_owned(),
            place: Place::Literal(url.to_owned()),
            token_endpoint,
        };
        manifest.origins = vec![origin("login", tokens, true), origin("api", api, false), origin("other", api, false)];
        manifest.credentials = fields;
        let (sha256, ready) = (loaded.sha256, loaded.ready.clone());
        let connector = Arc::new(Connector { manifest, sha256, ready, told: crate::secret::AllTold::default() });
        let target = Target {
            connector,
            tenant: 1,
            tenant_id: "acme".to_owned(),
            destination: 1,
            revision: 1,
            config: json!({}),
            credentials,
        };
        let scope = Arc::new(Scope::of(&target).unwrap());
        Self {
            around: Surroundings {
                egress,
                clock,
                random: Arc::new(railhead_model::SystemRandom),
                cpu: Duration::from_secs(5),
                slow: tokio::runtime::Handle::current(),
            },
            scope,
            target,
            settled: Arc::default(),
        }
    }

    /// The same with another manifest and configuration.
    fn with(self, manifest: railhead_model::Manifest, config: serde_json::Value) -> Self {
        let own = &self.scope.connector;
        let (sha256, ready) = (own.sha256, own.ready.clone());
        let connector = Arc::new(Connector { manifest, sha256, ready, told: crate::secret::AllTold::default() });
        let target = Target { connector, config, ..self.target };
        let scope = Arc::new(Scope::of(&target).unwrap());
        Self { scope, target, ..self }
    }

    /// A session in a call with one event.
    fn guest(&self, purpose: Purpose) -> Guest {
        let meter = Meter::new(self.around.cpu);
        let mut guest = store(&self.around, &self.scope, &Arc::default(), &meter).unwrap().into_data();
        let at = Timestamp(1_700_000_000_000);
        let event = Arc::new(Event {
            uid: EventUid::new(at, [0; 10]),
            id: "order-1".to_owned(),
            event_type: "order.created".to_owned(),
            accepted_at: at,
            head: railhead_model::event::Head::default(),
            data: Bytes::from_static(b"{}"),
        });
        let events = vec![CallEvent { event, attempt: 1, traceparent: None }];
        let call = Call { batch_id: String::new(), batched: false, deadline_ms: 30_000, events };
        let settled = self.settled.clone();
        let settle: crate::Settle = Arc::new(move |new| settled.lock().unwrap().extend(new));
        guest.running = Some(Running::new(purpose, call, self.around.clock.clone(), Some(settle)));
        guest
    }
}

/// The test connector, compiled once for all tests: it takes most of their time.
async fn loaded() -> &'static Connector {
    static LOADED: tokio::sync::OnceCell<(Arc<Sandbox>, Arc<Connector>)> = tokio::sync::OnceCell::const_new();
    let load = async || {
        let egress = Arc::new(Egress::new(egress::EgressPolicy::default(), None).unwrap());
        let sandbox = Sandbox::new(SandboxConfig::default(), egress, Arc::new(SystemClock::new())).unwrap();
        let connector = sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap();
        (sandbox, connector)
    };
    &LOADED.get_or_init(load).await.1
}

fn client_secret() -> CredentialValue {
    CredentialValue {
        field: "client_secret".to_owned(),
        version: 1,
        kind: CredentialKind::Text,
        usage: CredentialUse::Exchange,
        value: CLIENT_SECRET.as_bytes().to_vec().into(),
    }
}

fn field(name: &str, usage: CredentialUse, origins: &[&str]) -> CredentialField {
    CredentialField {
        name: name.to_owned(),
        label: String::new(),
        kind: CredentialKind::Text,
        usage,
        origins: origins.iter().map(|name| (*name).to_owned()).collect(),
        required: true,
        generate: None,
        shared: false,
        guards: Vec::new(),
        operator: false,
    }
}

fn bytes(text: &str) -> Part {
    Part::Bytes(text.as_bytes().to_vec())
}

fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

fn secret(guest: &mut Guest) -> Resource<Credential> {
    guest.get("client_secret".to_owned()).unwrap().unwrap().remove(0)
}

/// A request with the client's secret in its body.
fn login(guest: &mut Guest, url: &str) -> Resource<crate::adapter::Request> {
    let secret = secret(guest);
    let request = HostRequest::new(guest, "POST".to_owned(), format!("{url}/token")).unwrap();
    let body = vec![bytes("grant_type=client_credentials&client_secret="), Part::Secret((secret, Encoding::Form))];
    HostRequest::body(guest, again(&request), body).unwrap().unwrap();
    request
}

fn take() -> Vec<(String, String)> {
    vec![("token".to_owned(), "/access_token".to_owned()), ("expires-in".to_owned(), "/expires_in".to_owned())]
}

async fn exchange(guest: &mut Guest, url: &str) -> Result<Resource<Credential>, Failure> {
    let request = login(guest, url);
    guest.exchange("main".to_owned(), request, "bearer".to_owned(), take()).await.unwrap()
}

/// Sends with the token in a header and in the body.
async fn send(guest: &mut Guest, url: &str, token: &Resource<Credential>) -> Result<String, Failure> {
    let request = HostRequest::new(guest, "POST".to_owned(), format!("{url}/hook")).unwrap();
    let bearer = vec![bytes("Bearer "), Part::Secret((again(token), Encoding::Raw))];
    guest.header(again(&request), "authorization".to_owned(), bearer).unwrap()?;
    let body = vec![Part::Secret((again(token), Encoding::Base64))];
    HostRequest::body(guest, again(&request), body).unwrap()?;
    HostRequest::carries(guest, again(&request), vec![0]).unwrap();
    let answer = guest.send(request).await.unwrap()?;
    let body = crate::bindings::railhead::plugin::http::HostResponse::body(guest, again(&answer), 10_000).unwrap();
    Ok(String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_token_is_used_and_never_seen() {
    let peer = Peer::giving_tokens().await;
    let world = World::new(&peer.url, &peer.url, &["login"]).await;
    let mut guest = world.guest(Purpose::Deliver);
    assert!(guest.kept("main".to_owned()).unwrap().is_none());
    let token = exchange(&mut guest, &peer.url).await.map_err(|why| why.message).unwrap();
    assert_eq!(
        peer.bodies("/token"),
        ["grant_type=client_credentials&client_secret=client-s3cr3t%2F%2B%26%3D"],
        "the endpoint gets the secret itself"
    );
    let echo = send(&mut guest, &peer.url, &token).await.map_err(|why| why.message).unwrap();
    let (_, headers, _) = peer.got.lock().unwrap().last().cloned().unwrap();
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(echo, format!("Bearer {MASK} {MASK}"));
    assert_eq!(guest.presentable(&format!("it said {TOKEN}")), format!("it said {MASK}"));

    // Another session of the destination has it too, and hides it too.
    let mut second = world.guest(Purpose::Deliver);
    let kept = second.kept("main".to_owned()).unwrap().unwrap();
    assert_eq!(send(&mut second, &peer.url, &kept).await.map_err(drop).unwrap(), echo);
    assert_eq!(second.presentable(TOKEN), MASK);
    assert_eq!(peer.bodies("/token").len(), 1);

    let running = guest.running.clone().unwrap();
    running.settle(&[0], &Outcome::Delivered(Reason::new("ok", "")));
    running.hand_on();
    let exchanges = world.settled.lock().unwrap().remove(0).transcript.exchanges;
    let [login, data] = exchanges.as_slice() else { panic!("{exchanges:?}") };
    assert_eq!(
        (login.request.url.clone(), login.response.as_ref().unwrap().status),
        (format!("{}/token", peer.url), 200)
    );
    assert!(login.timings.total_us > 0 && data.request.url.ends_with("/hook"));
    let shown = format!("{exchanges:?}");
    for hidden in [TOKEN, CLIENT_SECRET, "client-s3cr3t", "grant_type", "access_token", "dDBrZW4"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
}

#[tokio::test]
async fn a_token_is_masked_in_every_edition_of_its_destination() {
    let peer = Peer::giving_tokens().await;
    let world = World::new(&peer.url, &peer.url, &["login"]).await;
    // A request that left before another session had the token, and a test that was begun with the edition before.
    let under_way = world.scope.masker();
    let edition = |destination, revision| {
        let target = Target {
            connector: world.scope.connector.clone(),
            tenant: 1,
            tenant_id: "acme".to_owned(),
            destination,
            revision,
            config: json!({}),
            credentials: vec![client_secret()],
        };
        Scope::of(&target).unwrap()
    };
    let older = edition(1, 0);
    assert!(exchange(&mut world.guest(Purpose::Deliver), &peer.url).await.is_ok());
    for masker in [under_way, older.masker(), edition(1, 2).masker()] {
        assert_eq!(masker.text(TOKEN), MASK);
    }
    assert_eq!(edition(2, 1).masker().text(TOKEN), TOKEN, "another destination never had it");
}

#[tokio::test]
async fn basic_authentication_is_composed_for_the_token_endpoint_alone() {
    let peer = Peer::giving_tokens().await;
    let world = World::new(&peer.url, &peer.url, &["login"]).await;
    let mut guest = world.guest(Purpose::Deliver);
    let secret = secret(&mut guest);
    let basic = guest.compose(vec![bytes("us:"), Part::Secret((secret, Encoding::Form))], Encoding::Base64);
    let basic = basic.unwrap().unwrap();
    let request = HostRequest::new(&mut guest, "POST".to_owned(), format!("{}/token", peer.url)).unwrap();
    let value = vec![bytes("Basic "), Part::Secret((again(&basic), Encoding::Raw))];
    guest.header(again(&request), "authorization".to_owned(), value).unwrap().unwrap();
    let token = guest.exchange("main".to_owned(), request, "bearer".to_owned(), take()).await.unwrap();
    assert!(token.is_ok());
    let (_, headers, _) = peer.got.lock().unwrap().last().cloned().unwrap();
    assert_eq!(headers["authorization"], "Basic dXM6Y2xpZW50LXMzY3IzdCUyRiUyQiUyNiUzRA==");
    let request = HostRequest::new(&mut guest, "POST".to_owned(), format!("{}/hook", peer.url)).unwrap();
    HostRequest::body(&mut guest, again(&request), vec![Part::Secret((basic, Encoding::Raw))]).unwrap().unwrap();
    let refused = guest.send(request).await.unwrap().map(drop).unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "use-not-allowed"));
}

#[tokio::test]
async fn each_kind_of_request_goes_to_its_own_origins() {
    let (tokens, api) = (Peer::giving_tokens().await, Peer::giving_tokens().await);
    let world = World::new(&tokens.url, &api.url, &["login"]).await;
    let mut guest = world.guest(Purpose::Deliver);
    let code = |result: Result<Resource<Credential>, Failure>| result.map(drop).map_err(|why| (why.kind, why.code));
    let at_api = exchange(&mut guest, &api.url).await;
    assert_eq!(code(at_api), Err((Kind::Denied, "not-a-token-endpoint".to_owned())));
    let request = login(&mut guest, &tokens.url);
    let refused = guest.send(request).await.unwrap().map(drop).unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "token-endpoint"));
    let plain = secret(&mut guest);
    let refused = send(&mut guest, &api.url, &plain).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "use-not-allowed"));
    assert!(tokens.got.lock().unwrap().is_empty() && api.got.lock().unwrap().is_empty(), "nothing left the host");
}

#[tokio::test]
async fn a_token_goes_where_its_field_says() {
    let (peer, elsewhere) = (Peer::giving_tokens().await, Peer::giving_tokens().await);
    let origins = |world: &World, guest: &mut Guest| {
        let request = login(guest, &peer.url);
        let outgoing = guest.table.delete(request).unwrap().outgoing;
        super::origins(&world.scope, &outgoing, false).map_err(|why| why.code)
    };
    let cases = [(&["login"][..], &["api", "other"][..]), (&[], &["api", "other"]), (&["login", "other"], &["other"])];
    for (named, expected) in cases {
        let world = World::new(&peer.url, &elsewhere.url, named).await;
        let mut guest = world.guest(Purpose::Deliver);
        assert_eq!(origins(&world, &mut guest).unwrap(), expected, "{named:?}");
    }
}

#[tokio::test]
async fn failures_say_whether_to_wait_for_a_person() {
    let refused = json!({"error": "invalid_client", "error_description": format!("bad\n{CLIENT_SECRET}")}).to_string();
    let cases = [
        (400, refused.clone(), Kind::Credential, "exchange-refused", "answered 400: invalid_client: bad "),
        (401, refused.clone(), Kind::Credential, "exchange-refused", "answered 401: invalid_client"),
        (200, refused, Kind::Credential, "exchange-refused", "answered 200: invalid_client"),
        (302, String::new(), Kind::Credential, "exchange-refused", "redirects are not followed"),
        (404, "<html>".to_owned(), Kind::Credential, "exchange-refused", "nothing at this address"),
        (200, "<html>".to_owned(), Kind::Credential, "exchange-no-token", "no text at `/access_token`"),
        (200, json!({"access_token": "short"}).to_string(), Kind::Credential, "exchange-no-token", "no token"),
        (200, json!({"access_token": "a\r\nb: cdefgh"}).to_string(), Kind::Credential, "exchange-no-token", "no token"),
        (429, String::new(), Kind::Other, "exchange-throttled", "answered 429"),
        (500, String::new(), Kind::Other, "exchange-unavailable", "answered 500"),
        (503, "down".to_owned(), Kind::Other, "exchange-unavailable", "answered 503"),
        (400, json!({"error": "temporarily_unavailable"}).to_string(), Kind::Other, "exchange-unavailable", "400"),
    ];
    for (status, answer, kind, code, words) in cases {
        let peer = Peer::start(status, answer).await;
        let world = World::new(&peer.url, &peer.url, &["login"]).await;
        let mut guest = world.guest(Purpose::Deliver);
        let why = exchange(&mut guest, &peer.url).await.unwrap_err();
        assert_eq!((why.kind, why.code.as_str()), (kind, code), "{status}: {}", why.message);
        assert!(why.message.contains(words), "{}", why.message);
        assert!(!why.message.contains("client-s3cr3t") && !why.message.contains('\n'), "{}", why.message);
        // For a moment it stands for all sessions.
        let again = exchange(&mut world.guest(Purpose::Deliver), &peer.url).await.unwrap_err();
        assert_eq!((again.code, peer.bodies("/token").len()), (why.code, 1));
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let world = World::new(&url, &url, &["login"]).await;
    let why = exchange(&mut world.guest(Purpose::Deliver), &url).await.unwrap_err();
    assert_eq!((why.kind, why.code.as_str()), (Kind::Connect, "connect-refused"));
}

#[tokio::test]
async fn sessions_that_ask_at_once_bring_one_exchange() {
    let peer = Peer::giving_tokens().await;
    let world = World::new(&peer.url, &peer.url, &["login"]).await;
    let url = &peer.url;
    let asked = (0..20).map(|_| {
        let mut guest = world.guest(Purpose::Deliver);
        async move { exchange(&mut guest, url).await.is_ok() }
    });
    assert!(futures::future::join_all(asked).await.into_iter().all(|got| got));
    assert_eq!(peer.bodies("/token").len(), 1);
}

#[tokio::test]
async fn a_preview_sends_nothing_and_a_check_does() {
    let peer = Peer::giving_tokens().await;
    let world = World::new(&peer.url, &peer.url, &["login"]).await;
    let mut guest = world.guest(Purpose::Preview);
    let token = exchange(&mut guest, &peer.url).await.map_err(|why| why.message).unwrap();
    assert_eq!(send(&mut guest, &peer.url, &token).await.unwrap_err().code, "preview");
    let shown = guest.running.clone().unwrap().take_shown();
    let [(_, exchange_shown)] = shown.as_slice() else { panic!("{shown:?}") };
    let header = &exchange_shown.request.headers[0];
    assert_eq!((header.0.as_str(), header.1.as_str()), ("authorization", &*format!("Bearer {MASK}")));
    assert!(peer.got.lock().unwrap().is_empty());
    assert!(guest.kept("main".to_owned()).unwrap().is_none(), "a placeholder is not kept");
    assert!(exchange(&mut world.guest(Purpose::Check), &peer.url).await.is_ok());
    assert_eq!(peer.bodies("/token").len(), 1);

    let refused = exchange(&mut guest, "http://127.0.0.1:9").await.unwrap_err();
    assert_eq!(refused.code, "origin-not-allowed");
    let shown = guest.running.clone().unwrap().take_shown();
    assert_eq!(shown[0].1.failure.as_ref().unwrap().code, "origin-not-allowed");
}

#[tokio::test]
async fn what_cannot_be_exchanged_is_refused_before_it_is_sent() {
    let peer = Peer::giving_tokens().await;
    let world = World::new(&peer.url, &peer.url, &["login"]).await;
    let mut guest = world.guest(Purpose::Deliver);
    let taking = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let token = ("token", "/access_token");
    let long = "a".repeat(65);
    let cases = [
        ("", "bearer", take(), "exchange-name"),
        (long.as_str(), "bearer", take(), "exchange-name"),
        ("main", "google", take(), "exchange-kind"),
        ("main", "aws", take(), "exchange-take"),
        ("main", "aws", taking(&[("access-key-id", "/a"), ("session-token", "/b")]), "exchange-take"),
        ("main", "bearer", taking(&[]), "exchange-take"),
        ("main", "bearer", taking(&[token, token]), "exchange-take"),
        ("main", "bearer", taking(&[token, ("refresh-token", "/refresh_token")]), "exchange-take"),
        ("main", "bearer", taking(&[token, ("scope", "/scope")]), "exchange-take"),
        ("main", "bearer", taking(&[("token", "access_token")]), "exchange-take"),
    ];
    for (name, kind, take, code) in cases {
        let request = login(&mut guest, &peer.url);
        let why = guest.exchange(name.to_owned(), request, kind.to_owned(), take).await.unwrap().unwrap_err();
        assert_eq!((why.kind, why.code.as_str()), (Kind::Invalid, code));
    }
    assert!(peer.got.lock().unwrap().is_empty());
}

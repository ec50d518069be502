//! Verbs as a guest calls them: who may call them with which field, in which order, and what comes back.

mod heard;
mod uses;

use super::super::{Guest, Scope};
use super::*;
use crate::bindings::railhead::plugin::credentials::HostScram;
use crate::call::{Call, Purpose, Running};
use crate::egress::{Egress, EgressPolicy};
use crate::limits::Meter;
use crate::session::{Surroundings, store};
use crate::{Connector, CredentialValue, Sandbox, SandboxConfig, Target};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use railhead_model::manifest::{CredentialField, Origin, Place};
use railhead_model::{Clock, Random, SystemClock};
use serde_json::json;
use std::time::Duration;

/// A password that no other text of these tests holds.
const PASSWORD: &str = "p3ncil-c4nary";
/// RFC 8037, appendix A.1.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const SEED_PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// All bytes are alike, so that messages are known.
struct Sevens;

impl Random for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// The nonce that is made of it.
fn nonce() -> String {
    STANDARD.encode([7; 24])
}

type Field = (&'static str, CredentialKind, CredentialUse, &'static str);

/// A session of a destination that has these fields, in a call without events.
async fn guest(fields: &[Field]) -> Guest {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let egress = Arc::new(Egress::new(EgressPolicy::default(), None).unwrap());
    let loaded = loaded().await;
    let mut manifest = loaded.manifest.clone();
    let place = Place::Literal("https://api.test".to_owned());
    manifest.origins = vec![Origin { name: "api".to_owned(), place, token_endpoint: false }];
    manifest.credentials = fields.iter().map(field).collect();
    let (sha256, ready) = (loaded.sha256, loaded.ready.clone());
    let target = Target {
        connector: Arc::new(Connector { manifest, sha256, ready, told: crate::secret::AllTold::default() }),
        tenant: 1,
        tenant_id: "acme".to_owned(),
        destination: 1,
        revision: 1,
        config: json!({}),
        credentials: fields.iter().map(value).collect(),
    };
    let scope = Arc::new(Scope::of(&target).unwrap());
    let cpu = Duration::from_secs(30);
    let slow = tokio::runtime::Handle::current();
    let around = Surroundings { egress, clock: clock.clone(), random: Arc::new(Sevens), cpu, slow };
    let mut guest = store(&around, &scope, &Arc::default(), &Meter::new(cpu)).unwrap().into_data();
    let call = Call { batch_id: String::new(), batched: false, deadline_ms: 60_000, events: Vec::new() };
    guest.running = Some(Running::new(Purpose::Check, call, clock, None));
    let said = [server_first().as_slice(), &[1; 4], &[5; 32], b"kbYPSOJRRV3lWXU"].concat();
    heard::told(&mut guest, "api", &said).await;
    guest
}

/// The test connector, compiled once for all tests of this file.
async fn loaded() -> &'static Connector {
    static LOADED: tokio::sync::OnceCell<(Arc<Sandbox>, Arc<Connector>)> = tokio::sync::OnceCell::const_new();
    let load = async || {
        let egress = Arc::new(Egress::new(EgressPolicy::default(), None).unwrap());
        let sandbox = Sandbox::new(SandboxConfig::default(), egress, Arc::new(SystemClock::new())).unwrap();
        let connector = sandbox.load(railhead_test_guests::MISBEHAVE).await.unwrap();
        (sandbox, connector)
    };
    &LOADED.get_or_init(load).await.1
}

fn field((name, kind, usage, _): &Field) -> CredentialField {
    let field = json!({ "name": name, "label": name, "kind": kind, "use": usage });
    serde_json::from_value(field).unwrap()
}

fn value((name, kind, usage, value): &Field) -> CredentialValue {
    let value = value.as_bytes().to_vec().into();
    CredentialValue { field: (*name).to_owned(), version: 1, kind: *kind, usage: *usage, value }
}

fn handle(guest: &mut Guest, field: &str) -> Handle {
    guest.get(field.to_owned()).unwrap().unwrap().remove(0)
}

fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

fn code<T>(result: Result<T, Failure>) -> (Kind, String) {
    let failure = result.map(drop).unwrap_err();
    (failure.kind, failure.code)
}

async fn with_password() -> Guest {
    guest(&[("password", CredentialKind::Text, CredentialUse::Challenge, PASSWORD)]).await
}

fn scram(guest: &mut Guest, mechanism: &str, binding: Option<&[u8]>) -> Resource<Scram> {
    let password = handle(guest, "password");
    HostScram::new(guest, password, mechanism.to_owned(), String::new(), binding.map(<[u8]>::to_vec)).unwrap()
}

fn server_first() -> Vec<u8> {
    format!("r={}server,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096", nonce()).into_bytes()
}

/// No spelling of the password is in it.
fn assert_clean(bytes: &[u8]) {
    let secret =
        Secret::parse("password", CredentialKind::Text, CredentialUse::Challenge, &[], PASSWORD.as_bytes()).unwrap();
    let masked = crate::secret::Masker::new([secret]).bytes(bytes.to_vec().into());
    assert_eq!(&masked[..], bytes, "it holds the password");
}

#[tokio::test]
async fn a_login_is_first_then_final_then_verify() {
    let mut guest = with_password().await;
    let login = scram(&mut guest, "sha-256", None);
    let first = guest.first(again(&login)).unwrap();
    assert_eq!(first, format!("n,,n=,r={}", nonce()).into_bytes());
    let last = guest.final_(again(&login), server_first()).await.unwrap().unwrap();
    assert!(last.starts_with(format!("c=biws,r={}server,p=", nonce()).as_bytes()));
    assert_clean(&first);
    assert_clean(&last);
    let refused = guest.verify(again(&login), b"v=AAAA".to_vec()).unwrap();
    assert_eq!(code(refused), (Kind::Credential, "scram-server-unproven".to_owned()));
    let refused = guest.verify(again(&login), b"v=AAAA".to_vec()).unwrap();
    assert_eq!(code(refused), (Kind::Invalid, "scram-order".to_owned()));
    HostScram::drop(&mut guest, login).unwrap();
    assert_eq!(guest.held, 0);
}

#[tokio::test]
async fn any_other_order_ends_the_login() {
    let order = (Kind::Invalid, "scram-order".to_owned());
    let mut guest = with_password().await;
    let login = scram(&mut guest, "sha-256", None);
    assert_eq!(code(guest.final_(again(&login), server_first()).await.unwrap()), order, "final before first");
    assert!(guest.first(again(&login)).unwrap().is_empty());
    let login = scram(&mut guest, "sha-256", None);
    assert_eq!(code(guest.verify(again(&login), Vec::new()).unwrap()), order, "verify before first");
    let login = scram(&mut guest, "sha-256", None);
    assert!(!guest.first(again(&login)).unwrap().is_empty());
    assert!(guest.first(again(&login)).unwrap().is_empty(), "first twice");
    assert_eq!(code(guest.final_(again(&login), server_first()).await.unwrap()), order);
    let login = scram(&mut guest, "sha-256", None);
    guest.first(again(&login)).unwrap();
    guest.final_(again(&login), server_first()).await.unwrap().unwrap();
    assert_eq!(code(guest.final_(again(&login), server_first()).await.unwrap()), order, "one proof a login");
}

#[tokio::test]
async fn what_is_wrong_with_a_login_is_told_by_final() {
    let mut guest = with_password().await;
    for (mechanism, binding, expected) in
        [("sha-1", None, "mechanism-unknown"), ("sha-256", Some(&b"short"[..]), "scram-invalid")]
    {
        let login = scram(&mut guest, mechanism, binding);
        assert!(guest.first(again(&login)).unwrap().is_empty());
        let refused = guest.final_(again(&login), server_first()).await.unwrap();
        assert_eq!(code(refused), (Kind::Invalid, expected.to_owned()));
    }
    for (message, kind, expected) in [
        ("r=other,s=AAAA,i=4096".to_owned(), Kind::Protocol, "scram-malformed"),
        (format!("r={}s,s=AAAA,i=1", nonce()), Kind::Credential, "scram-iterations"),
        (format!("e=no\u{1b}[31m such {PASSWORD}"), Kind::Credential, "scram-refused"),
    ] {
        let login = scram(&mut guest, "sha-256", None);
        guest.first(again(&login)).unwrap();
        let refused = guest.final_(again(&login), message.into_bytes()).await.unwrap().unwrap_err();
        assert_eq!((refused.kind, refused.code.as_str()), (kind, expected));
        assert!(!refused.message.contains(PASSWORD) && !refused.message.contains('\u{1b}'), "{}", refused.message);
    }
}

#[tokio::test]
async fn a_login_again_does_not_pay_for_its_password_again() {
    let mut guest = with_password().await;
    let mut kept = Vec::new();
    for mechanism in ["sha-256", "sha-256", "sha-512"] {
        let login = scram(&mut guest, mechanism, Some(&[]));
        guest.first(again(&login)).unwrap();
        guest.final_(again(&login), server_first()).await.unwrap().unwrap();
        kept.push(format!("{:?}", guest.scope.salted));
    }
    assert_eq!(kept, ["Memo(1)", "Memo(1)", "Memo(2)"]);
    assert!(!guest.meter.spent().is_zero(), "it is paid for once");
}

#[tokio::test]
async fn challenges_of_databases_are_answered_and_nothing_else_is() {
    let mut guest = with_password().await;
    let mut answer = |scheme: &str, nonce: usize| {
        let password = handle(&mut guest, "password");
        guest.answer(password, scheme.to_owned(), "alice".to_owned(), vec![5; nonce]).unwrap()
    };
    for (scheme, nonce, length) in
        [("postgres-md5", 4, 35), ("mysql-native", 20, 20), ("mysql-caching-sha2", 20, 32), ("mariadb-ed25519", 32, 64)]
    {
        let answered = answer(scheme, nonce).unwrap();
        assert_eq!(answered.len(), length, "{scheme}");
        assert_clean(&answered);
        for wrong in [0, nonce - 1, nonce + 1, 64] {
            assert_eq!(code(answer(scheme, wrong)), (Kind::Invalid, "challenge-length".to_owned()), "{scheme}");
        }
    }
    for unknown in ["", "md5", "mysql_native_password"] {
        assert_eq!(code(answer(unknown, 20)), (Kind::Invalid, "scheme-unknown".to_owned()), "{unknown}");
    }
}

#[tokio::test]
async fn a_challenge_is_signed_and_a_token_is_not() {
    let mut guest = guest(&[("key", CredentialKind::PrivateKey, CredentialUse::Challenge, SEED)]).await;
    let mut sign = |algorithm: &str, message: &[u8]| {
        let key = handle(&mut guest, "key");
        guest.sign_challenge(key, algorithm.to_owned(), message.to_vec()).unwrap()
    };
    let signature = sign("ed25519", b"kbYPSOJRRV3lWXU").unwrap();
    let public = URL_SAFE_NO_PAD.decode(SEED_PUBLIC).unwrap();
    assert!(UnparsedPublicKey::new(&ED25519, public).verify(b"kbYPSOJRRV3lWXU", &signature).is_ok());
    let token = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(code(sign("ed25519", token)), (Kind::Denied, "challenge-unknown".to_owned()));
    assert_eq!(code(sign("rs256", b"kbYPSOJRRV3lWXU")), (Kind::Invalid, "key-unsuitable".to_owned()));
    assert_eq!(code(sign("hmac-sha256", b"kbYPSOJRRV3lWXU")), (Kind::Invalid, "algorithm-unknown".to_owned()));
}

#[tokio::test]
async fn a_token_is_a_handle_to_be_placed_and_masked() {
    let mut guest = guest(&[("key", CredentialKind::PrivateKey, CredentialUse::Token, SEED)]).await;
    let key = handle(&mut guest, "key");
    let claims = r#"{"iss": "acme"}"#.to_owned();
    let token = guest.jwt(key, "ed25519".to_owned(), "{}".to_owned(), claims).unwrap().unwrap();
    let secret = guest.secret(&token).unwrap();
    assert_eq!((secret.usage(), secret.field()), (CredentialUse::Place, "key"));
    let text = String::from_utf8(secret.bytes().to_vec()).unwrap();
    assert!(!guest.presentable(&format!("it said {text}")).contains(&text), "it is masked wherever it comes back");
    assert!(guest.held >= text.len());
    HostCredential::drop(&mut guest, token).unwrap();
    assert_eq!(guest.held, 0);
    let key = handle(&mut guest, "key");
    let long = guest.jwt(key, "ed25519".to_owned(), "{}".to_owned(), r#"{"exp": 99999999999}"#.to_owned()).unwrap();
    assert_eq!(code(long), (Kind::Invalid, "token-life".to_owned()));
}

/// The length of a secret as a frame holds it, for each kind that a frame can hold.
#[tokio::test]
async fn a_length_is_that_of_what_is_written() {
    let value = "a+/\"<&' é?x";
    let mut guest = guest(&[
        ("text", CredentialKind::Text, CredentialUse::Wire, value),
        ("bytes", CredentialKind::Bytes, CredentialUse::Wire, "hex:00ff10203040506070"),
    ])
    .await;
    use Encoding::{Base64, Base64url, Form, Hex, Json, Percent, Raw, Xml};
    for (name, lengths) in [("text", [12, 16, 16, 24, 32, 30, 13, 29]), ("bytes", [9, 12, 12, 18, 21, 19, 21, 11])] {
        let handle = handle(&mut guest, name);
        let ways = [Raw, Base64, Base64url, Hex, Percent, Form, Json, Xml];
        let secret = guest.secret(&handle).unwrap();
        for (way, expected) in ways.into_iter().zip(lengths) {
            let told = guest.length(again(&handle), way).unwrap().unwrap();
            let written = encode(secret.bytes(), way.into());
            assert_eq!(told, u32::try_from(written.len()).unwrap(), "{name} {way:?}");
            assert_eq!(told, expected, "{name} {way:?}");
        }
    }
    let text = handle(&mut guest, "text");
    let parts = vec![Part::Bytes(b"\0user\0".to_vec()), Part::Secret((text, Raw))];
    let plain = guest.compose(parts, Raw).unwrap().unwrap();
    assert_eq!(guest.length(plain, Base64).unwrap().unwrap(), 24, "what was made for a frame has a length too");
}

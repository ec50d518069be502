//! A destination for each kind of credential, and one for all of them.

use super::echo::Known;
use super::search::{Canary, planted};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_harness::Peer;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

/// A destination, and what must never be seen of it.
pub struct Kind {
    pub name: &'static str,
    pub body: Value,
    pub secrets: Vec<Canary>,
}

/// Characters that each encoding writes in another way.
fn value(of: &str) -> String {
    format!("{of}\"/\\+%<&=;?canary-of-{of}-71c0")
}

/// A field's value, its canaries, and how many of these its receiver knows: they come first.
type Field = (&'static str, Value, Vec<Canary>, usize);

pub fn kinds(plain: &Peer, tls: &Peer, known: &Known) -> Vec<Kind> {
    let fields = |link| [text(), bytes(), aws(), google(), key(), identity(), link, map(), client_secret()];
    let each = fields(link(plain, LINK));
    let mut kinds: Vec<Kind> =
        each.iter().map(|field| kind(field.0, std::slice::from_ref(field), LINK, plain, tls, known)).collect();
    // What its receiver sends back must be known at that place only.
    kinds.push(kind("all", &fields(link(plain, LINK_OF_ALL)), LINK_OF_ALL, plain, tls, known));
    kinds
}

fn kind(name: &'static str, fields: &[Field], link: &str, plain: &Peer, tls: &Peer, known: &Known) -> Kind {
    let path = format!("/{name}");
    let url = if name == "identity" { tls.tls_url(&path) } else { plain.url(&path) };
    let mut told: Vec<Canary> = fields.iter().flat_map(|(_, _, canaries, told)| canaries[..*told].to_vec()).collect();
    // What the token endpoint gives is the first that it knows. More would be more headers than an answer may have.
    told.sort_by_key(|canary| canary.name != TOKEN);
    told.truncate(4);
    let given: serde_json::Map<String, Value> =
        fields.iter().map(|field| (field.0.to_owned(), field.1.clone())).collect();
    let link = given.contains_key("link").then(|| link.to_owned());
    let paths = [format!("{path}/echo"), format!("{path}/token")].into_iter().chain(link);
    known.lock().expect("not poisoned").extend(paths.map(|path| (path, told.clone())));
    let config = json!({"url": url, "token": plain.url(&path), "planted": planted()});
    let body = json!({"connector": super::host::CONNECTOR, "config": config, "credentials": given,
                      "event_types": [format!("to.{name}")], "retry": {"schedule_ms": [3_600_000]}});
    Kind { name, body, secrets: fields.iter().flat_map(|field| field.2.clone()).collect() }
}

fn text() -> Field {
    ("text", json!(value("text")), vec![Canary::new("text", value("text"))], 1)
}

fn bytes() -> Field {
    let key = b"canary-key-\xff\xfe-of-the-signature";
    let written = STANDARD.encode(key);
    let canaries = vec![Canary::new("bytes as written", &*written), Canary::new("bytes", key)];
    ("bytes", json!(written), canaries, 2)
}

fn aws() -> Field {
    let (secret, session) = (value("aws-secret"), value("aws-session"));
    let document = json!({"access_key_id": "AKIAPUBLIC", "secret_access_key": secret, "session_token": session});
    let canaries = vec![Canary::new("aws, secret", secret), Canary::new("aws, session", session)];
    ("aws", document, canaries, 0)
}

fn google() -> Field {
    let (canaries, pem) = private_key("google", &KeyPair::generate().expect("a key"));
    let document = json!({
        "type": "service_account", "client_email": "public@example.com", "private_key_id": "public",
        "project_id": "public", "private_key": pem, "token_uri": "https://oauth2.googleapis.com/token",
    });
    ("google", document, canaries, 0)
}

fn key() -> Field {
    let (canaries, pem) = private_key("key", &KeyPair::generate_for(&PKCS_ED25519).expect("a key"));
    ("key", json!(pem), canaries, 0)
}

fn identity() -> Field {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["client.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("signed");
    let (canaries, pem) = private_key("identity", &key);
    ("identity", json!(format!("{}{pem}", certificate.pem())), canaries, 0)
}

const LINK: &str = "/path-canary-0b77c1d9/";
const LINK_OF_ALL: &str = "/other-path-canary-c9d1e0/";

fn link(plain: &Peer, path: &str) -> Field {
    let query = "query-canary-e2d9-7a01";
    let canaries = vec![Canary::new("link, its path", path.trim_matches('/')), Canary::new("link, its query", query)];
    ("link", json!(plain.url(&format!("{path}?token={query}"))), canaries, 2)
}

fn map() -> Field {
    ("map", json!({"x-sealed": value("map")}), vec![Canary::new("map", value("map"))], 1)
}

const TOKEN: &str = "an access token";

fn client_secret() -> Field {
    let canaries = vec![
        Canary::new(TOKEN, "canary-of-an-access-token-4410"),
        Canary::new("client_secret", value("client_secret")),
    ];
    ("client_secret", json!(value("client_secret")), canaries, 2)
}

/// Canaries of a key, and its PEM.
fn private_key(of: &str, key: &KeyPair) -> (Vec<Canary>, String) {
    let der = key.serialize_der();
    let start = der.windows(2).position(|two| two == [4, 32]).expect("an octet string of 32") + 2;
    let pem = key.serialize_pem();
    let line: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let canaries = vec![
        Canary::new(&format!("{of}, its number"), &der[start..start + 32]),
        Canary::new(&format!("{of}, a line of the PEM"), &line[24..64]),
    ];
    (canaries, pem)
}

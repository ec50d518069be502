//! A destination for each kind of credential, its secrets known.

use super::echo::Known;
use super::search::{Canary, planted};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_harness::Peer;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

/// A destination, and what must never be seen of it.
pub struct Destination {
    pub id: &'static str,
    pub body: Value,
    pub secrets: Vec<Canary>,
    /// The credential that is replaced with an overlap.
    pub rotates: Option<&'static str>,
}

/// Characters that each encoding writes in another way.
fn value(of: &str) -> String {
    format!("{of}\"/\\+%<&=;?canary-of-{of}-71c0")
}

/// One of each kind; the receivers learn what a receiver of that kind can know.
pub fn destinations(plain: &Peer, tls: &Peer, known: &Known) -> Vec<Destination> {
    let url = |path: &str| plain.url(path);
    let learn = |path: &str, canaries: &[Canary]| {
        known.lock().expect("not poisoned").insert(path.to_owned(), canaries.to_vec());
    };
    let mut all = Vec::new();
    let mut add = |id: &'static str, mut config: Value, credentials: Value, secrets: Vec<Canary>, told: &[Canary]| {
        let path = format!("/{id}");
        learn(&path, told);
        config["headers"] = json!({"x-planted": planted().join(" ")});
        let rotates = credentials
            .as_object()
            .and_then(|given| given.keys().next())
            .map(|name| FIELDS.iter().find(|field| *field == name).copied().expect("a field"));
        let body = json!({"connector": "webhook", "config": config, "credentials": credentials,
                          "event_types": [format!("to.{id}")], "retry": {"schedule_ms": [3_600_000]}});
        all.push(Destination { id, body, secrets, rotates });
    };

    let key = b"canary-key-\x00\xff\xfe-of-the-signature";
    let written = STANDARD.encode(key);
    let signing = vec![Canary::new("signing_secret", key), Canary::new("signing_secret as written", &*written)];
    add(
        "signed",
        json!({"url": url("/signed")}),
        json!({"signing_secret": format!("whsec_{written}")}),
        signing.clone(),
        &signing,
    );
    for (id, field) in [("bearer", "bearer_token"), ("api-key", "api_key")] {
        let secret = vec![Canary::new(field, value(field))];
        add(id, json!({"url": url(&format!("/{id}"))}), json!({field: value(field)}), secret.clone(), &secret);
    }
    let password = vec![Canary::new("basic_password", value("basic_password"))];
    let config = json!({"url": url("/basic"), "basic_user": "someone"});
    add("basic", config, json!({"basic_password": value("basic_password")}), password.clone(), &password);
    let (seed, pem) = ed25519();
    add(
        "ed25519",
        json!({"url": url("/ed25519")}),
        json!({"ed25519_key": pem}),
        vec![Canary::new("ed25519_key", seed)],
        &[],
    );
    let header = vec![Canary::new("headers", value("headers"))];
    add(
        "headers",
        json!({"url": url("/headers")}),
        json!({"headers": {"x-sealed": value("headers")}}),
        header.clone(),
        &header,
    );

    let path = "/canary-of-the-path-0b77/";
    let query = "canary-of-the-query-e2d9";
    let secret = vec![Canary::new("url, its path", path.trim_matches('/')), Canary::new("url, its query", query)];
    learn(path, &secret);
    add("url", json!({}), json!({"url": plain.url(&format!("{path}?token={query}"))}), secret.clone(), &secret);

    let token = Canary::new("an access token", "canary-of-an-access-token-4410");
    let client_secret = Canary::new("oauth2_client_secret", value("oauth2_client_secret"));
    let both = [token, client_secret.clone()];
    let oauth2 = |path: &str, auth: &str| json!({"token_url": url(path), "client_id": "client", "client_auth": auth});
    learn("/oauth2/token", &both);
    learn("/oauth2/no-token", &both[1..]);
    let config = json!({"url": url("/oauth2"), "oauth2": oauth2("/oauth2/token", "body")});
    let given = json!({"oauth2_client_secret": value("oauth2_client_secret")});
    add("oauth2", config, given.clone(), both.to_vec(), &both);
    let config = json!({"url": url("/refused-oauth2"), "oauth2": oauth2("/oauth2/no-token", "basic")});
    add("refused-oauth2", config, given, vec![client_secret], &[]);

    let (secrets, identity) = identity();
    add("tls", json!({"url": tls.tls_url("/tls")}), json!({"tls_identity": identity}), secrets, &[]);
    all
}

const FIELDS: [&str; 9] = [
    "signing_secret",
    "ed25519_key",
    "bearer_token",
    "basic_password",
    "api_key",
    "headers",
    "url",
    "oauth2_client_secret",
    "tls_identity",
];

/// The seed, and the key in PEM.
fn ed25519() -> (Vec<u8>, String) {
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let der = key.serialize_der();
    let start = der.windows(2).position(|two| two == [4, 32]).expect("an octet string of 32") + 2;
    (der[start..start + 32].to_vec(), key.serialize_pem())
}

/// A client certificate with its key.
fn identity() -> (Vec<Canary>, String) {
    let key = KeyPair::generate().expect("a key");
    let certificate =
        CertificateParams::new(["client.test".to_owned()]).expect("a name").self_signed(&key).expect("signed");
    let der = key.serialize_der();
    let start = der.windows(2).position(|two| two == [4, 32]).expect("an octet string of 32") + 2;
    let scalar = der[start..start + 32].to_vec();
    let pem: String = key.serialize_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let canaries = vec![
        Canary::new("tls_identity, the key's number", scalar),
        Canary::new("tls_identity, a line of the key in PEM", &pem[24..64]),
    ];
    (canaries, format!("{}{}", certificate.pem(), key.serialize_pem()))
}

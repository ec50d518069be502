//! Secrets in requests that are refused: no problem document repeats them.

use super::search::Canary;
use railhead_harness::{Client, Peer};
use serde_json::{Value, json};

/// Sends every kind of wrong input, each with a secret in it.
pub async fn inputs(client: &Client, peer: &Peer) -> Vec<Canary> {
    let mut canaries = Vec::new();
    let mut secret = |of: &str| {
        let value = format!("\"canary\\of-a-refused-{of}-28ee");
        canaries.push(Canary::new(&format!("a refused {of}"), &*value));
        value
    };
    let path = "/v1/tenants/acme/destinations/refused";
    let config = json!({"url": peer.url("/refused")});
    let with = |credentials: Value| json!({"connector": "webhook", "config": config, "credentials": credentials});
    let pem = |label: &str, text: &str| format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
    let bodies = [
        with(json!({"signing_secret": secret("signing_secret")})),
        with(json!({"signing_secret": {"value": secret("object")}})),
        with(json!({"ed25519_key": secret("ed25519_key")})),
        with(json!({"ed25519_key": pem("PRIVATE KEY", &secret("ed25519_key in PEM"))})),
        with(json!({"bearer_token": format!("{}\r\nx: y", secret("bearer_token"))})),
        with(json!({"bearer_token": format!("{}\u{0}", secret("bearer_token with NUL"))})),
        with(json!({"bearer_token": [secret("list")]})),
        with(json!({"basic_password": {"x": secret("basic_password")}})),
        with(json!({"api_key": format!("{}\n", secret("api_key"))})),
        with(json!({"no_such_field": secret("field that there is not")})),
        with(json!({"url": secret("url")})),
        with(json!({"url": format!("ftp://host.test/{}", secret("url of another scheme"))})),
        with(json!({"url": format!("https://10.0.0.1/{}", secret("url inside"))})),
        with(json!({"headers": {"x-a": format!("{}\r\n", secret("header"))}})),
        with(json!({"headers": {"host": secret("header of the host's")}})),
        with(json!({"headers": secret("map that is text")})),
        with(json!({"oauth2_client_secret": {"x": secret("oauth2_client_secret")}})),
        with(json!({"tls_identity": secret("tls_identity")})),
        with(json!({"tls_identity": pem("PRIVATE KEY", &secret("tls_identity in PEM"))})),
        with(json!({"tls_identity": pem("ENCRYPTED PRIVATE KEY", &secret("encrypted tls_identity"))})),
        json!({"connector": "webhook", "config": {"url": format!("https://user:{}@host.test/", secret("password in a URL").replace(['"', '\\'], "-"))}}),
        json!({"connector": "webhook", "config": config, "no_such_member": secret("member")}),
        json!({"connector": "webhook", "config": config, "credentials": [secret("list of credentials")]}),
        json!({"connector": "no-such", "config": config, "credentials": {"token": secret("credential of no connector")}}),
    ];
    for body in &bodies {
        let (status, answer) = client.put(path, body).await;
        assert!((400..500).contains(&status), "{status} for {body}: {answer}");
        let (status, answer) = client.post("/v1/tenants/acme/destinations", body).await;
        assert!((400..500).contains(&status), "{status} for {body}: {answer}");
    }
    let field = "/v1/tenants/acme/destinations/bearer/credentials/bearer_token";
    for body in [
        json!({"value": secret("value with a wrong overlap"), "overlap_ms": -1}),
        json!({"value": {"x": secret("value that is no text")}}),
        json!({"valeu": secret("misspelt member")}),
        json!(secret("body that is text")),
    ] {
        let (status, answer) = client.put(field, &body).await;
        assert!((400..500).contains(&status), "{status} for {body}: {answer}");
    }
    let torn =
        format!(r#"{{"credentials": {{"bearer_token": "{}"#, secret("body that is torn").replace(['"', '\\'], "-"));
    for content_type in ["application/json", "text/plain"] {
        let (status, answer) = client.send("PUT", path, content_type, torn.clone().into_bytes()).await;
        assert!((400..500).contains(&status), "{status}: {answer}");
    }
    let patch = json!({"credentials": {"signing_secret": secret("patch")}});
    let (status, answer) = client.patch("/v1/tenants/acme/destinations/bearer", &patch).await;
    assert!((400..500).contains(&status), "{status}: {answer}");
    let stranger = client.with_key(&format!("rk_live_{}", secret("key").replace(['"', '\\'], "-")));
    assert_eq!(stranger.get("/v1/tenants").await.0, 401);
    // Where a canary was changed to fit into its place, what was sent is what must not come back.
    canaries
        .into_iter()
        .flat_map(|canary| {
            let fitted = String::from_utf8_lossy(&canary.value).replace(['"', '\\'], "-");
            [Canary::new(&canary.name, &*fitted), canary]
        })
        .collect()
}

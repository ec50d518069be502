//! Signatures, verified as a receiver would: HMAC with another library than the one that made it.

use crate::receiver::{Received, Receiver};
use crate::run::{Destination, SECRET, event, now};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

const OLDER: &str = "whsec_b2xkZXItb2xkZXItb2xkZXItb2xkZXI=";

fn signed_content(received: &Received) -> Vec<u8> {
    let head = format!("{}.{}.", received.header("webhook-id"), received.header("webhook-timestamp"));
    [head.as_bytes(), &received.body].concat()
}

fn hmac(secret: &str, content: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(content);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn both_secrets_of_a_rotation_sign_on_the_hosts_clock() {
    let receiver = Receiver::answering("200 OK");
    let credentials = [("signing_secret", SECRET), ("signing_secret", OLDER)];
    let destination = Destination::new(json!({ "url": receiver.url }), &credentials).await;
    let before = now().0 / 1000;
    destination.deliver_one(event(b"{\"a\":1}")).await;
    let received = receiver.only();
    let content = signed_content(&received);
    assert_eq!(received.header("webhook-signature"), format!("{} {}", hmac(SECRET, &content), hmac(OLDER, &content)));
    let timestamp: i64 = received.header("webhook-timestamp").parse().unwrap();
    assert!((before..=now().0 / 1000).contains(&timestamp));
}

#[tokio::test]
async fn an_ed25519_key_signs_beside_the_secret() {
    let receiver = Receiver::answering("200 OK");
    let seed = [42; 32];
    let given = STANDARD.encode(seed);
    let credentials = [("signing_secret", SECRET), ("ed25519_key", given.as_str())];
    let destination = Destination::new(json!({ "url": receiver.url, "mode": "raw" }), &credentials).await;
    let (outcome, _) = destination.deliver_one(event(b"{}")).await;
    assert_eq!(outcome.reason().code, "http-200", "{outcome:?}");
    let received = receiver.only();
    let content = signed_content(&received);
    let (of_secret, of_key) = received.header("webhook-signature").split_once(' ').unwrap();
    assert_eq!(of_secret, hmac(SECRET, &content));
    let signature = of_key.strip_prefix("v1a,").unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    public.verify(&content, &STANDARD.decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn no_signature_where_none_is_wanted() {
    let receiver = Receiver::answering("200 OK");
    let destination = Destination::new(json!({ "url": receiver.url, "signatures": [] }), &[]).await;
    let (outcome, _) = destination.deliver_one(event(b"{}")).await;
    assert_eq!(outcome.reason().code, "http-200", "{outcome:?}");
    let received = receiver.only();
    assert!(!received.headers.contains_key("webhook-signature"));
    assert!(!received.header("webhook-timestamp").is_empty());
}

fn hex_of(key: &[u8], content: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(content);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The headers of one event, signed so, with these secrets in force.
async fn signed(signatures: serde_json::Value, secrets: &[&str]) -> Received {
    let receiver = Receiver::answering("200 OK");
    let credentials: Vec<_> = secrets.iter().map(|secret| ("signing_secret", *secret)).collect();
    let config = json!({ "url": receiver.url, "signatures": signatures });
    let (outcome, _) = Destination::new(config, &credentials).await.deliver_one(event(b"{\"a\":1}")).await;
    assert_eq!(outcome.reason().code, "http-200", "{outcome:?}");
    receiver.only()
}

#[tokio::test]
async fn custom_schemes_stand_beside_the_standard_one_through_a_rotation() {
    let signatures = json!([
        {"scheme": "standard"},
        {"scheme": "custom", "header": "stripe-signature"},
        {"scheme": "custom", "header": "x-acme", "content": "{id}:{body}", "each": "{signature}", "join": " ",
            "value": "id={id} {signatures}", "encoding": "base64", "secret_encoding": "base64"},
    ]);
    let received = signed(signatures, &[SECRET, OLDER]).await;
    let content = signed_content(&received);
    assert_eq!(received.header("webhook-signature"), format!("{} {}", hmac(SECRET, &content), hmac(OLDER, &content)));
    let at = received.header("webhook-timestamp");
    let content = [format!("{at}.").as_bytes(), &received.body].concat();
    let [new, old] = [SECRET, OLDER].map(|secret| hex_of(secret.as_bytes(), &content));
    assert_eq!(received.header("stripe-signature"), format!("t={at},v1={new},v1={old}"));
    let content = [b"ord_1:", received.body.as_slice()].concat();
    let [new, old] = [SECRET, OLDER].map(|secret| hmac(secret, &content)[3..].to_owned());
    assert_eq!(received.header("x-acme"), format!("id=ord_1 {new} {old}"));
}

#[tokio::test]
async fn the_secret_is_a_key_as_the_receiver_reads_it() {
    let signatures = |encoding: &str| {
        json!([{"scheme": "custom", "header": "x-s", "content": "{body}", "each": "{signature}", "value": "{signatures}",
            "secret_encoding": encoding}])
    };
    let digits = "30313233343536373839616263646566";
    for (secret, encoding, key) in [
        (SECRET, "utf8", SECRET.as_bytes()),
        (SECRET, "base64", b"0123456789abcdef01234567"),
        (digits, "utf8", digits.as_bytes()),
        (digits, "hex", b"0123456789abcdef"),
        ("utf8:a secret, in words", "utf8", b"a secret, in words"),
    ] {
        let received = signed(signatures(encoding), &[secret]).await;
        assert_eq!(received.header("x-s"), hex_of(key, &received.body), "{secret} {encoding}");
    }
    let config = json!({ "url": "http://127.0.0.1:9/", "signatures": signatures("hex") });
    let (outcome, _) = Destination::new(config, &[("signing_secret", SECRET)]).await.deliver_one(event(b"{}")).await;
    assert_eq!(outcome.reason().status.as_deref(), Some("secret-encoding"), "{outcome:?}");
}

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
async fn an_ed25519_key_signs_instead() {
    let receiver = Receiver::answering("200 OK");
    let seed = [42; 32];
    let given = STANDARD.encode(seed);
    let credentials = [("signing_secret", SECRET), ("ed25519_key", given.as_str())];
    let destination = Destination::new(json!({ "url": receiver.url, "mode": "raw" }), &credentials).await;
    let (outcome, _) = destination.deliver_one(event(b"{}")).await;
    assert_eq!(outcome.reason().code, "http-200", "{outcome:?}");
    let received = receiver.only();
    let signature = received.header("webhook-signature").strip_prefix("v1a,").unwrap().to_owned();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    public.verify(&signed_content(&received), &STANDARD.decode(signature).unwrap()).unwrap();
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

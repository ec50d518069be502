//! Credentials reach the receiver, and nobody else.

use crate::receiver::Receiver;
use crate::run::{Destination, event};
use railhead_model::Outcome;
use serde_json::{Value, json};

/// Fields and values of credentials.
type Given<'a> = &'a [(&'a str, &'a str)];

const PASSWORD: &str = "correct-horse-battery";

/// Delivers one event; the request must be accepted, and no record of it may hold the password.
async fn sent(mut config: Value, field: &str) -> crate::receiver::Received {
    let receiver = Receiver::answering("200 OK");
    config["url"] = receiver.url.clone().into();
    config["signatures"] = json!([]);
    let destination = Destination::new(config, &[(field, PASSWORD)]).await;
    let (outcome, transcript) = destination.deliver_one(event(b"{}")).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    assert!(!serde_json::to_string(&transcript).unwrap().contains(PASSWORD));
    receiver.only()
}

#[tokio::test]
async fn bearer_basic_and_api_key_stand_in_their_headers() {
    let received = sent(json!({}), "bearer_token").await;
    assert_eq!(received.header("authorization"), format!("Bearer {PASSWORD}"));
    let received = sent(json!({"basic_user": "acme"}), "basic_password").await;
    assert_eq!(received.header("authorization"), "Basic YWNtZTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=");
    let received = sent(json!({}), "api_key").await;
    assert_eq!(received.header("x-api-key"), PASSWORD);
    let received = sent(json!({"api_key_header": "X-Token"}), "api_key").await;
    assert_eq!(received.header("x-token"), PASSWORD);
}

#[tokio::test]
async fn a_secret_url_is_used_and_not_told() {
    let receiver = Receiver::answering("200 OK");
    let url = receiver.url.replace("/hook", "/T0/B0/very-secret-path");
    let destination = Destination::new(json!({"signatures": []}), &[("url", &url)]).await;
    let (outcome, transcript) = destination.deliver_one(event(b"{}")).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    assert!(receiver.only().line.contains("/T0/B0/very-secret-path"));
    assert!(!serde_json::to_string(&transcript).unwrap().contains("very-secret-path"));
    let steps = format!("{:?}", destination.check().await);
    assert!(!steps.contains("very-secret-path"), "{steps}");
}

#[tokio::test]
async fn what_can_never_work_waits_for_its_owner() {
    let url = "http://127.0.0.1:9/";
    let cases: [(Value, Given<'_>, &str); 6] = [
        (json!({ "url": url }), &[], "no-signing-key"),
        (json!({"signatures": []}), &[], "one-url"),
        (json!({ "url": url, "signatures": [] }), &[("url", url)], "one-url"),
        (json!({ "url": url, "signatures": [] }), &[("basic_password", PASSWORD)], "no-basic-user"),
        (json!({ "url": url, "signatures": [], "basic_user": "a" }), &[], "no-basic-password"),
        (json!({ "url": url, "headers": {"Host": "x"} }), &[], "header-not-allowed"),
    ];
    for (config, credentials, code) in cases {
        let destination = Destination::new(config, credentials).await;
        let (outcome, _) = destination.deliver_one(event(b"{}")).await;
        let Outcome::Misconfigured(reason) = &outcome else { panic!("{code}: {outcome:?}") };
        assert_eq!((reason.code.as_str(), reason.status.as_deref()), ("session-open-failed", Some(code)));
    }
}

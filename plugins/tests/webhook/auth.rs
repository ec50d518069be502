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
async fn a_sealed_map_stands_in_its_headers() {
    let receiver = Receiver::answering("200 OK");
    let map =
        json!({"Authorization": "Custom 0123456789", "x-team-key": "key-of-the-team", "Cookie": "sid=0123456789"});
    let config = json!({ "url": receiver.url, "signatures": [], "headers": {"x-env": "live"} });
    let destination = Destination::new(config, &[("headers", &map.to_string())]).await;
    let (outcome, transcript) = destination.deliver_one(event(b"{}")).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    let received = receiver.only();
    assert_eq!(received.header("authorization"), "Custom 0123456789");
    assert_eq!((received.header("x-team-key"), received.header("cookie")), ("key-of-the-team", "sid=0123456789"));
    assert_eq!(received.header("x-env"), "live");
    let record = serde_json::to_string(&transcript).unwrap();
    assert!(record.contains("x-team-key"), "{record}");
    assert!(["0123456789", "key-of-the-team"].iter().all(|secret| !record.contains(secret)), "{record}");
}

#[tokio::test]
async fn what_can_never_work_waits_for_its_owner() {
    let url = "http://127.0.0.1:9/";
    let bearer = [("bearer_token", PASSWORD), ("headers", r#"{"authorization": "0123456789"}"#)];
    let tokens = [("bearer_token", PASSWORD), ("oauth2_client_secret", PASSWORD)];
    let oauth2 = json!({"token_url": "http://127.0.0.1:9/token", "client_id": "a"});
    let cases: [(Value, Given<'_>, &str); 13] = [
        (json!({ "url": url }), &[], "no-signing-key"),
        (json!({"signatures": []}), &[], "one-url"),
        (json!({ "url": url, "signatures": [] }), &[("url", url)], "one-url"),
        (json!({ "url": url, "signatures": [] }), &[("basic_password", PASSWORD)], "no-basic-user"),
        (json!({ "url": url, "signatures": [], "basic_user": "a" }), &[], "no-basic-password"),
        (json!({ "url": url, "headers": {"Host": "x"} }), &[], "header-not-allowed"),
        (json!({ "url": url, "signatures": [] }), &bearer, "two-authorizations"),
        (json!({ "url": url, "signatures": [], "oauth2": oauth2 }), &tokens, "two-authorizations"),
        (json!({ "url": url, "signatures": [], "oauth2": oauth2 }), &[], "no-oauth2-client-secret"),
        (json!({ "url": url, "signatures": [] }), &tokens[1..], "no-oauth2"),
        (
            json!({ "url": url, "signatures": [] }),
            &[("headers", r#"{"webhook-id": "0123456789"}"#)],
            "header-not-allowed",
        ),
        (
            json!({ "url": url, "signatures": [], "headers": {"X-A": "b"} }),
            &[("headers", r#"{"x-a": "0123456789"}"#)],
            "two-headers",
        ),
        (json!({ "url": url, "signatures": [{"scheme": "custom", "header": "x-s"}] }), &[], "no-signing-key"),
    ];
    for (config, credentials, code) in cases {
        let destination = Destination::new(config, credentials).await;
        let (outcome, _) = destination.deliver_one(event(b"{}")).await;
        let Outcome::Misconfigured(reason) = &outcome else { panic!("{code}: {outcome:?}") };
        assert_eq!((reason.code.as_str(), reason.status.as_deref()), ("session-open-failed", Some(code)));
    }
}

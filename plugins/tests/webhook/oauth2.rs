//! Access tokens, from a real token endpoint to the receiver, and to nobody else.

use crate::receiver::{Received, Receiver};
use crate::run::{Destination, event};
use railhead_model::{Outcome, OutcomeClass};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const CLIENT_SECRET: &str = "s3cr3t of: the/client";

/// Gives `token-of-number-1`, `token-of-number-2`, …
fn token_endpoint() -> Receiver {
    let given = AtomicUsize::new(0);
    Receiver::deciding(move |_| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        let body =
            json!({"access_token": format!("token-of-number-{number}"), "token_type": "Bearer", "expires_in": 3600});
        Some(format!("200 OK\r\ncontent-type: application/json\r\n\r\n{body}"))
    })
}

/// Takes one token only.
fn taking(token: &'static str) -> Receiver {
    Receiver::deciding(move |received| {
        let authorized = received.headers.get("authorization").is_some_and(|all| *all == [format!("Bearer {token}")]);
        Some(if authorized { "200 OK" } else { "401 Unauthorized" }.to_owned())
    })
}

async fn destination(endpoint: &Receiver, tokens: &Receiver, more: Value) -> Destination {
    let mut oauth2 = json!({"token_url": tokens.url, "client_id": "rail head"});
    for (name, value) in more.as_object().unwrap() {
        oauth2[name] = value.clone();
    }
    let config = json!({ "url": endpoint.url, "signatures": [], "oauth2": oauth2 });
    Destination::new(config, &[("oauth2_client_secret", CLIENT_SECRET)]).await
}

fn authorization(received: &[Received]) -> Vec<&str> {
    received.iter().map(|one| one.header("authorization")).collect()
}

#[tokio::test]
async fn one_token_serves_until_it_expires_and_is_not_told() {
    let (endpoint, tokens) = (taking("token-of-number-1"), token_endpoint());
    let more = json!({"scope": "events:write", "audience": "https://api.example.com/"});
    let destination = destination(&endpoint, &tokens, more).await;
    for _ in 0..3 {
        let (outcome, transcript) = destination.deliver_one(event(b"{}")).await;
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        let record = serde_json::to_string(&transcript).unwrap();
        assert!(!record.contains("token-of-number") && !record.contains("s3cr3t"), "{record}");
    }
    let asked = tokens.only();
    // base64 of `rail+head:s3cr3t+of%3A+the%2Fclient`
    assert_eq!(asked.header("authorization"), "Basic cmFpbCtoZWFkOnMzY3IzdCtvZiUzQSt0aGUlMkZjbGllbnQ=");
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    let form = "grant_type=client_credentials&scope=events%3Awrite&audience=https%3A%2F%2Fapi.example.com%2F";
    assert_eq!(asked.text(), form);
}

#[tokio::test]
async fn the_clients_secret_may_stand_in_the_body() {
    let (endpoint, tokens) = (taking("token-of-number-1"), token_endpoint());
    let destination = destination(&endpoint, &tokens, json!({"client_auth": "body"})).await;
    let (outcome, _) = destination.deliver_one(event(b"{}")).await;
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    let asked = tokens.only();
    assert!(!asked.headers.contains_key("authorization"));
    let form = "grant_type=client_credentials&client_id=rail+head&client_secret=s3cr3t+of%3A+the%2Fclient";
    assert_eq!(asked.text(), form);
}

#[tokio::test]
async fn one_server_may_give_tokens_and_take_events() {
    let server = Receiver::deciding(|received| {
        let token = json!({"access_token": "token-of-both", "expires_in": 60});
        let asked = received.line.starts_with("POST /token ");
        Some(if asked { format!("200 OK\r\n\r\n{token}") } else { "202 Accepted".to_owned() })
    });
    let oauth2 = json!({"token_url": server.url.replace("/hook", "/token"), "client_id": "railhead"});
    let config = json!({ "url": server.url, "signatures": [], "oauth2": oauth2 });
    let destination = Destination::new(config, &[("oauth2_client_secret", CLIENT_SECRET)]).await;
    let (outcome, _) = destination.deliver_one(event(b"{}")).await;
    assert_eq!(outcome.reason().code, "http-202", "{outcome:?}");
    assert_eq!(server.received()[1].header("authorization"), "Bearer token-of-both");
}

#[tokio::test]
async fn a_hand_over_asks_once() {
    let (endpoint, tokens) = (taking("token-of-number-1"), token_endpoint());
    let destination = destination(&endpoint, &tokens, json!({})).await;
    let settled = destination.deliver((0..32).map(|_| event(b"{}")).collect()).await;
    assert!(settled.iter().all(|(outcome, _)| matches!(outcome, Outcome::Delivered(_))));
    assert_eq!((settled.len(), endpoint.received().len(), tokens.received().len()), (32, 32, 1));
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_the_owners_affair() {
    let (endpoint, tokens) = (Receiver::answering("401 Unauthorized"), token_endpoint());
    let destination = destination(&endpoint, &tokens, json!({})).await;
    let (outcome, _) = destination.deliver_one(event(b"{}")).await;
    assert_eq!((outcome.class(), outcome.reason().code.as_str()), (OutcomeClass::RejectedCredentials, "http-401"));
    assert_eq!(authorization(&endpoint.received()), ["Bearer token-of-number-1"]);
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_exchanged_and_its_events_sent_once_more() {
    let revoked = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&revoked);
    let endpoint = Receiver::deciding(move |_| {
        let refused = now.fetch_add(1, Ordering::SeqCst) == 1;
        Some(if refused { "401 Unauthorized" } else { "200 OK" }.to_owned())
    });
    let tokens = token_endpoint();
    let destination = destination(&endpoint, &tokens, json!({})).await;
    for _ in 0..2 {
        let (outcome, _) = destination.deliver_one(event(b"{}")).await;
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    }
    // Taken; refused; and in the same call sent once more.
    assert_eq!(endpoint.received().len(), 3);
}

#[tokio::test]
async fn what_the_token_endpoint_answers_has_its_class() {
    let cases = [
        (
            "401 Unauthorized\r\n\r\n{\"error\": \"invalid_client\", \"error_description\": \"no such client\"}",
            OutcomeClass::RejectedCredentials,
            "exchange-refused",
        ),
        ("200 OK\r\n\r\n{\"token_type\": \"Bearer\"}", OutcomeClass::RejectedCredentials, "exchange-no-token"),
        ("429 Slow", OutcomeClass::Transient, "exchange-throttled"),
        ("503 Busy", OutcomeClass::Transient, "exchange-unavailable"),
    ];
    for (answer, class, code) in cases {
        let (endpoint, tokens) = (Receiver::answering("200 OK"), Receiver::answering(answer));
        let destination = destination(&endpoint, &tokens, json!({})).await;
        let (outcome, _) = destination.deliver_one(event(b"{}")).await;
        assert_eq!((outcome.class(), outcome.reason().code.as_str()), (class, code), "{answer}: {outcome:?}");
        if code == "exchange-refused" {
            assert!(outcome.reason().message.contains("invalid_client: no such client"), "{outcome:?}");
        }
        assert!(endpoint.received().is_empty());
    }
    let endpoint = Receiver::answering("200 OK");
    let silent = Receiver::deciding(|_| None);
    let (outcome, _) = destination(&endpoint, &silent, json!({})).await.deliver_one(event(b"{}")).await;
    assert_eq!(outcome.class(), OutcomeClass::Transient, "nothing of the event was sent: {outcome:?}");
}

#[tokio::test]
async fn a_preview_asks_for_no_token_and_a_check_does() {
    let (endpoint, tokens) = (Receiver::answering("200 OK"), token_endpoint());
    let destination = destination(&endpoint, &tokens, json!({})).await;
    let shown = destination.preview(event(b"{}")).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(tokens.received().is_empty() && endpoint.received().is_empty());
    let steps = destination.check().await;
    assert!(steps.iter().any(|step| step.as_ref().is_ok_and(|told| told.contains("access token"))), "{steps:?}");
    assert_eq!(tokens.received().len(), 1);
}

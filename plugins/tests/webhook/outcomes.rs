//! What answers come to.

use crate::receiver::Receiver;
use crate::run::{Destination, SECRET, event};
use railhead_model::{Outcome, OutcomeClass};
use serde_json::json;
use std::net::TcpListener;

async fn answered(answer: &str) -> Outcome {
    let receiver = Receiver::answering(answer);
    Destination::at(&receiver.url).await.deliver_one(event(b"{}")).await.0
}

#[tokio::test]
async fn statuses_have_their_classes() {
    let cases = [
        ("200 OK", OutcomeClass::Delivered, "http-200"),
        ("302 Found\r\nlocation: /elsewhere", OutcomeClass::Transient, "http-302"),
        ("400 Bad Request", OutcomeClass::Permanent, "http-400"),
        ("401 Unauthorized", OutcomeClass::RejectedCredentials, "http-401"),
        ("404 Not Found", OutcomeClass::Transient, "http-404"),
        ("410 Gone", OutcomeClass::Permanent, "destination-gone"),
        ("500 Oops", OutcomeClass::Transient, "http-500"),
        ("500 Oops\r\nwebhook-delivery: abort-message", OutcomeClass::Permanent, "abort-message"),
    ];
    for (answer, class, code) in cases {
        let outcome = answered(answer).await;
        assert_eq!((outcome.class(), outcome.reason().code.as_str()), (class, code), "{answer}");
        assert_eq!(outcome.reason().status.as_deref(), answer.get(..3));
    }
}

#[tokio::test]
async fn retry_after_is_told() {
    assert!(matches!(answered("429 Slow\r\nretry-after: 7").await, Outcome::Throttled(_, 7_000)));
    assert!(matches!(answered("429 Slow").await, Outcome::Throttled(_, 30_000)));
    assert!(matches!(answered("503 Busy\r\nretry-after: 7").await, Outcome::Transient(_, Some(7_000))));
    assert!(matches!(answered("503 Busy").await, Outcome::Transient(_, None)));
}

#[tokio::test]
async fn the_owner_may_say_otherwise() {
    let receiver = Receiver::answering("409 Conflict");
    let config = json!({ "url": receiver.url, "status_outcomes": {"409": "delivered"} });
    let destination = Destination::new(config, &[("signing_secret", SECRET)]).await;
    assert!(matches!(destination.deliver_one(event(b"{}")).await.0, Outcome::Delivered(_)));
}

#[tokio::test]
async fn what_was_not_sent_is_transient_and_what_may_have_arrived_is_uncertain() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Destination::at(&format!("http://{closed}/")).await.deliver_one(event(b"{}")).await.0;
    assert!(matches!(refused, Outcome::Transient(..)), "{refused:?}");
    let silent = Receiver::deciding(|_| None);
    let cut = Destination::at(&silent.url).await.deliver_one(event(b"{}")).await.0;
    assert!(matches!(cut, Outcome::Uncertain(_)), "{cut:?}");
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hanging.local_addr().unwrap());
    let late = Destination::at(&url).await.deadline_ms(1_500).deliver_one(event(b"{}")).await.0;
    assert!(matches!(late, Outcome::Uncertain(_)), "{late:?}");
}

#[tokio::test]
async fn a_forbidden_address_waits_for_its_owner() {
    let outcome = Destination::at("http://10.0.0.1/").await.deliver_one(event(b"{}")).await.0;
    assert!(matches!(outcome, Outcome::Misconfigured(_)), "{outcome:?}");
}

#[tokio::test]
async fn each_event_of_a_hand_over_has_its_own_outcome() {
    let receiver = Receiver::deciding(|received| {
        Some(if received.text().contains("bad") { "422 No" } else { "200 OK" }.to_owned())
    });
    let destination = Destination::at(&receiver.url).await;
    let events = (0..32).map(|n| event(if n == 5 { b"\"bad\"" } else { b"\"good\"" })).collect();
    let settled = destination.deliver(events).await;
    assert_eq!((settled.len(), receiver.received().len()), (32, 32));
    for (n, (outcome, transcript)) in settled.iter().enumerate() {
        assert_eq!(matches!(outcome, Outcome::Permanent(_)), n == 5, "{n}: {outcome:?}");
        assert_eq!(transcript.exchanges.len(), 1, "{n}");
    }
}

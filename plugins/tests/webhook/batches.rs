//! A batch is one request and has one outcome.

use crate::receiver::Receiver;
use crate::run::{Destination, SECRET, event};
use railhead_model::{Event, Outcome};
use serde_json::{Value, json};

async fn destination(receiver: &Receiver, mode: &str) -> Destination {
    let config = json!({ "url": receiver.url, "mode": mode });
    Destination::new(config, &[("signing_secret", SECRET)]).await.batched()
}

fn numbered(number: usize, data: &str) -> Event {
    Event { id: format!("ord_{number}"), ..event(data.as_bytes()) }
}

#[tokio::test]
async fn events_of_a_batch_are_one_array_in_one_signed_request() {
    let receiver = Receiver::answering("200 OK");
    let destination = destination(&receiver, "standard").await;
    let events: Vec<_> = (0..100).map(|n| numbered(n, &format!("{{ \"n\":{n}.0 }}"))).collect();
    let settled = destination.deliver(events).await;
    assert_eq!(settled.len(), 100);
    for (outcome, transcript) in &settled {
        assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
        assert_eq!(transcript.exchanges.len(), 1);
    }
    let received = receiver.only();
    assert_eq!((received.header("webhook-id"), received.header("webhook-batch-size")), ("batch-1", "100"));
    assert!(received.header("webhook-signature").starts_with("v1,"));
    assert!(!received.headers.contains_key("traceparent"), "no one parent has them all");
    let bodies: Vec<Value> = serde_json::from_slice(&received.body).unwrap();
    assert_eq!((bodies.len(), &bodies[7]["data"]["n"]), (100, &json!(7.0)));
    assert!(received.text().contains(r#""data":{ "n":7.0 }}"#), "the very bytes");
}

#[tokio::test]
async fn modes_that_are_json_go_as_arrays() {
    let receiver = Receiver::answering("200 OK");
    let raw = destination(&receiver, "raw").await;
    raw.deliver(vec![numbered(1, "{\"a\": 1}"), numbered(2, "[2]")]).await;
    let structured = destination(&receiver, "cloudevents-structured").await;
    structured.deliver(vec![numbered(1, "1")]).await;
    let received = receiver.received();
    assert_eq!((received[0].text(), received[0].header("content-type")), ("[{\"a\": 1},[2]]", "application/json"));
    assert_eq!(received[1].header("content-type"), "application/cloudevents-batch+json");
    let events: Value = serde_json::from_slice(&received[1].body).unwrap();
    assert_eq!((&events[0]["id"], &events[0]["data"]), (&json!("ord_1"), &json!(1)));
}

#[tokio::test]
async fn what_is_not_json_does_not_stop_the_others() {
    let receiver = Receiver::answering("200 OK");
    let destination = destination(&receiver, "raw").await;
    let settled = destination.deliver(vec![numbered(0, "1"), numbered(1, "a,b"), numbered(2, "3")]).await;
    let codes: Vec<_> = settled.iter().map(|(outcome, _)| outcome.reason().code.as_str()).collect();
    assert_eq!(codes, ["http-200", "not-json", "http-200"]);
    assert!(matches!(settled[1].0, Outcome::Permanent(_)));
    assert_eq!(receiver.only().text(), "[1,3]");
}

#[tokio::test]
async fn one_answer_is_for_all_of_them() {
    for (answer, code) in [
        ("413 Too Large", "http-413"),
        ("422 No", "http-422"),
        ("500 Oops", "http-500"),
        ("410 Gone", "destination-gone"),
    ] {
        let receiver = Receiver::answering(answer);
        let settled = destination(&receiver, "standard").await.deliver(vec![event(b"1"), event(b"2")]).await;
        assert_eq!((settled.len(), receiver.received().len()), (2, 1));
        for (outcome, _) in settled {
            assert_eq!(outcome.reason().code, code);
            let smaller = matches!(outcome, Outcome::TooLarge(_));
            assert_eq!(smaller, code == "http-413" || code == "http-422", "{outcome:?}");
        }
    }
    let receiver = Receiver::answering("413 Too Large");
    let (alone, _) = destination(&receiver, "standard").await.deliver_one(event(b"1")).await;
    assert!(matches!(alone, Outcome::Permanent(_)), "{alone:?}");
}

#[tokio::test]
async fn a_mode_with_its_envelope_in_headers_waits_for_its_owner() {
    let receiver = Receiver::answering("200 OK");
    let destination = destination(&receiver, "cloudevents-binary").await;
    for (outcome, _) in destination.deliver(vec![event(b"1"), event(b"2")]).await {
        let Outcome::Misconfigured(reason) = &outcome else { panic!("{outcome:?}") };
        assert_eq!(reason.code, "mode-not-batchable");
    }
    assert!(receiver.received().is_empty());
    let refused = destination.try_preview(event(b"1")).await.unwrap_err();
    assert!(format!("{refused:?}").contains("mode-not-batchable"), "{refused:?}");
    let steps = destination.check().await;
    assert!(
        steps.iter().any(|step| step.as_ref().is_err_and(|reason| reason.code == "mode-not-batchable")),
        "{steps:?}"
    );
}

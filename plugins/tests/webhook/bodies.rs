//! What a receiver gets.

use crate::receiver::Receiver;
use crate::run::{Destination, SECRET, event};
use serde_json::{Value, json};

const DATA: &[u8] = b"{ \"amount\" : 1.50,\n\t\"name\":\"\\u00e9\" }";

async fn sent(config: Value) -> crate::receiver::Received {
    let receiver = Receiver::answering("204 No Content");
    let mut config = config;
    config["url"] = receiver.url.clone().into();
    let destination = Destination::new(config, &[("signing_secret", SECRET)]).await;
    let (outcome, _) = destination.deliver_one(event(DATA)).await;
    assert_eq!(outcome.reason().code, "http-204", "{outcome:?}");
    receiver.only()
}

#[tokio::test]
async fn standard_holds_the_very_bytes() {
    let received = sent(json!({})).await;
    assert!(received.line.starts_with("POST /hook "), "{}", received.line);
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("webhook-id"), "ord_1");
    assert!(received.header("user-agent").starts_with("Railhead/"));
    assert!(received.header("traceparent").starts_with("00-0af7"));
    let expected =
        [&br#"{"type":"order.created","timestamp":"2026-01-01T00:00:00.000Z","data":"#[..], DATA, b"}"].concat();
    assert_eq!(received.text(), String::from_utf8(expected).unwrap());
}

#[tokio::test]
async fn raw_and_binary_send_the_data_alone() {
    let received = sent(json!({"mode": "raw", "method": "PUT", "headers": {"X-Env": "live"}})).await;
    assert!(received.line.starts_with("PUT "));
    assert_eq!((received.body.as_slice(), received.header("x-env")), (DATA, "live"));
    let received = sent(json!({"mode": "cloudevents-binary", "header_prefix": "svix-"})).await;
    assert_eq!(received.body, DATA);
    assert_eq!(received.header("ce-type"), "order.created");
    assert_eq!(received.header("ce-specversion"), "1.0");
    assert_eq!(received.header("svix-id"), "ord_1");
    assert!(!received.headers.contains_key("webhook-id"));
}

#[tokio::test]
async fn structured_is_a_cloudevent() {
    let received = sent(json!({"mode": "cloudevents-structured"})).await;
    assert_eq!(received.header("content-type"), "application/cloudevents+json");
    let parsed: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!((&parsed["id"], &parsed["data"]["amount"]), (&json!("ord_1"), &json!(1.5)));
}

#[tokio::test]
async fn the_hosts_own_id_stands_in_where_the_publishers_cannot_be_signed() {
    let receiver = Receiver::answering("200 OK");
    let destination = Destination::at(&receiver.url).await;
    let mut event = event(DATA);
    event.id = "order 1.2/é".to_owned();
    let uid = event.uid.to_string();
    destination.deliver_one(event).await;
    assert_eq!(receiver.only().header("webhook-id"), uid);
}

#[tokio::test]
async fn a_preview_shows_what_would_be_sent_and_sends_nothing() {
    let receiver = Receiver::answering("200 OK");
    let destination = Destination::at(&receiver.url).await;
    let shown = destination.preview(event(DATA)).await;
    let [(carried, exchange)] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((carried.as_slice(), exchange.request.method.as_str()), (&[0][..], "POST"));
    let names: Vec<_> = exchange.request.headers.iter().map(|header| header.0.as_str()).collect();
    assert!(names.contains(&"webhook-id") && names.contains(&"webhook-signature"), "{names:?}");
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_check_sends_no_event() {
    let receiver = Receiver::answering("405 Method Not Allowed");
    let steps = Destination::at(&receiver.url).await.check().await;
    assert!(steps.iter().all(Result::is_ok), "{steps:?}");
    assert!(steps[1].as_ref().unwrap().contains("405"));
    let received = receiver.only();
    assert!(received.line.starts_with("HEAD ") && received.body.is_empty());
}

//! What a row looks like, and that an event has one.

use crate::run::{Destination, event, events, shorts};
use crate::server::{LEAST, Server};
use railhead_model::Event;
use railhead_model::event::Head;
use serde_json::json;

#[tokio::test]
async fn an_event_is_a_row_of_the_usual_shape() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let mut event = event(1, "{\"a\": [1, \"ü\"]}");
    event.head = Head {
        subject: Some("order/1".to_owned()),
        attributes: vec![("region".into(), "eu".into())].into_iter().collect(),
        time: "2026-02-03T04:05:06.789+01:00".to_owned(),
        ..event.head
    };
    let uid = event.uid.to_string();
    assert_eq!(shorts(&destination.deliver(vec![event]).await), "1 delivered inserted");
    let columns =
        ["event_id", "id", "event_type", "occurred_at AT TIME ZONE 'UTC'", "tenant", "source", "payload", "metadata"];
    let mut row = Vec::new();
    for column in columns {
        row.push(schema.ask(&format!("SELECT {column} FROM {{schema}}.events")).await);
    }
    let metadata = r#"{"subject": "order/1", "attributes": {"region": "eu"}, "content_type": "application/json"}"#;
    let expected =
        [&uid, "ord_0001", "order.created", "2026-02-03 03:05:06.789", "acme", "/shop", r#"{"a": [1, "ü"]}"#, metadata];
    assert_eq!(row, expected);
    // When the host accepted it, not when the row was written.
    assert_eq!(schema.ask("SELECT received_at AT TIME ZONE 'UTC' FROM {schema}.events").await, "2026-01-01 00:00:00");
}

#[tokio::test]
async fn data_that_is_not_json_is_a_string_in_base64_and_none_is_null() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let of = |number, content_type: &str, data: &str| {
        let event = event(number, data);
        Event { head: Head { content_type: content_type.to_owned(), ..event.head }, ..event }
    };
    let events = vec![of(1, "text/plain", "foob"), of(2, "application/json", ""), of(3, "application/json", "{")];
    assert_eq!(shorts(&destination.deliver(events).await), "3 delivered inserted");
    let all = "SELECT string_agg(coalesce(payload::text, 'NULL') || coalesce(metadata->>'payload_encoding', ''), ' ' ORDER BY id) FROM {schema}.events";
    assert_eq!(schema.ask(all).await, "\"Zm9vYg==\"base64 NULL \"ew==\"base64");
}

#[tokio::test]
async fn what_is_there_already_is_a_duplicate() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    assert_eq!(shorts(&destination.deliver(events(3)).await), "3 delivered inserted");
    assert_eq!(shorts(&destination.deliver(events(5)).await), "3 delivered duplicate, 2 delivered inserted");
    // The same event twice in one batch, as after a replay.
    let twice = vec![event(9, "1"), event(9, "1")];
    assert_eq!(shorts(&destination.deliver(twice).await), "1 delivered inserted, 1 delivered duplicate");
    assert_eq!(schema.ids().await.len(), 6);
}

#[tokio::test]
async fn many_and_large_rows_go_in_one_transaction() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    // Both what the host puts in and what the connector itself writes are more than goes in one call.
    let large = |number| {
        let event = event(number, &format!("\"{}\"", "x".repeat(4_000)));
        Event { head: Head { subject: Some("s".repeat(3_000)), ..event.head }, ..event }
    };
    let outcomes = destination.deliver((0..1_000).map(large).collect()).await;
    assert_eq!(shorts(&outcomes), "1000 delivered inserted");
    assert_eq!(schema.ask("SELECT count(*) || ' ' || count(DISTINCT xmin::text) || ' ' || sum(length(payload->>0)) FROM {schema}.events").await, "1000 1 4000000");
}

#[tokio::test]
async fn events_that_are_no_batch_go_each_by_itself() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await.unbatched();
    assert_eq!(shorts(&destination.deliver(events(3)).await), "3 delivered inserted");
    assert_eq!(schema.ask("SELECT count(DISTINCT xmin::text) FROM {schema}.events").await, "3");
}

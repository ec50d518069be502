//! Connections that are lost: what may have been committed is told from what was not.

use crate::between::{Cut, cutting};
use crate::run::{Destination, events, shorts};
use crate::server::{LEAST, Server};
use serde_json::json;

#[tokio::test]
async fn after_the_commit_was_sent_nobody_knows_and_the_key_guards() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::plain(cutting(server, b"COMMIT\0", Cut::After).await, &schema).await;
    assert_eq!(shorts(&destination.deliver(events(3)).await), "3 uncertain connection-closed");
    assert_eq!(schema.ids().await.len(), 3, "it was committed");
    assert_eq!(shorts(&destination.deliver(events(3)).await), "3 delivered duplicate");

    let schema = server.schema(LEAST).await;
    let destination = Destination::plain(cutting(server, b"COMMIT\0", Cut::Before).await, &schema).await;
    assert_eq!(shorts(&destination.deliver(events(3)).await), "3 uncertain connection-closed");
    assert_eq!(schema.ids().await.len(), 0, "it was not");
    assert_eq!(shorts(&destination.deliver(events(3)).await), "3 delivered inserted");
}

#[tokio::test]
async fn before_it_was_sent_nothing_is_written() {
    let Some(server) = Server::shared().await else { return };
    for (word, cut) in [
        (&b"INSERT INTO"[..], Cut::After),
        (b"INSERT INTO", Cut::Before),
        (b"railhead\0", Cut::Before),
        (b"railhead\0", Cut::After),
        (b"SCRAM-SHA-256\0", Cut::After),
    ] {
        let schema = server.schema(LEAST).await;
        let destination = Destination::plain(cutting(server, word, cut).await, &schema).await;
        assert_eq!(shorts(&destination.deliver(events(3)).await), "3 transient connection-closed");
        assert_eq!(schema.ids().await.len(), 0);
        assert_eq!(shorts(&destination.deliver(events(3)).await), "3 delivered inserted");
    }
}

#[tokio::test]
async fn a_connection_that_ended_meanwhile_is_replaced() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    schema.run("CREATE ROLE role_{schema} LOGIN PASSWORD 'correct-horse-battery-staple'").await;
    let role = format!("role_{}", schema.name);
    let destination = Destination::new(server, &schema, json!({ "user": role })).await;
    assert_eq!(shorts(&destination.deliver(events(1)).await), "1 delivered inserted");
    let ended =
        format!("SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE usename = '{role}'");
    assert_eq!(schema.ask(&ended).await, "1", "the session kept its connection");
    assert_eq!(shorts(&destination.deliver(events(2)).await), "1 delivered duplicate, 1 delivered inserted");
}

#[tokio::test]
async fn a_session_keeps_its_connection_and_says_goodbye() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    schema.run("CREATE ROLE role_{schema} LOGIN PASSWORD 'correct-horse-battery-staple'").await;
    let role = format!("role_{}", schema.name);
    let destination = Destination::new(server, &schema, json!({ "user": role })).await;
    let pid = format!("SELECT string_agg(pid || application_name, ' ') FROM pg_stat_activity WHERE usename = '{role}'");
    destination.deliver(events(1)).await;
    let first = schema.ask(&pid).await;
    assert!(first.ends_with("railhead"), "{first}");
    destination.deliver(events(2)).await;
    assert_eq!(schema.ask(&pid).await, first);
    destination.retire();
    for _ in 0..6_000 {
        if schema.ask(&pid).await == "NULL" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("its connection still stands");
}

//! Certificates of every wrong kind, shown by the real server.

use crate::certificates::{Authority, Shown, expired, self_signed};
use crate::run::{Destination, events, short, shorts};
use crate::server::{CERTIFIED_USER, LEAST, PASSWORD, Server};
use railhead_harness::Postgres;
use serde_json::json;

#[tokio::test]
async fn a_certificate_that_is_not_valid_for_the_host_ends_it() {
    let Some(postgres) = Postgres::start(&["fsync=off"]).await else { return };
    let server = Server::over(&postgres).await;
    let schema = server.schema(LEAST).await;
    let stranger = Authority::new("Stranger");
    let cases: [(Shown, &str); 4] = [
        (server.authority.issue(&["localhost"], expired), "has expired"),
        (server.authority.issue(&["db.example.com"], |_| {}), "is for another name"),
        (stranger.issue(&["localhost"], |_| {}), "is not signed by an authority that this host trusts"),
        (self_signed(&["localhost"]), "localhost"),
    ];
    for (shown, words) in cases {
        server.show(&shown).await;
        let outcome = Destination::new(&server, &schema, json!({})).await.outcome(events(2)).await;
        assert_eq!(short(&outcome), "misconfigured tls-certificate", "{words}: {outcome:?}");
        assert!(outcome.reason().message.contains(words), "{outcome:?}");
    }
    // A name that it is not for: its address.
    server.show(&server.authority.issue(&["localhost"], |_| {})).await;
    let by_address = Destination::new(&server, &schema, json!({ "host": "127.0.0.1" })).await;
    assert_eq!(short(&by_address.outcome(events(2)).await), "misconfigured tls-certificate");
    assert_eq!(schema.ids().await.len(), 0);
    let right = Destination::new(&server, &schema, json!({})).await;
    assert_eq!(shorts(&right.deliver(events(2)).await), "2 delivered inserted");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_away() {
    let Some(postgres) = Postgres::start(&["fsync=off"]).await else { return };
    let server = Server::over(&postgres).await;
    let schema = server.schema(LEAST).await;
    server.switch_tls_off().await;
    let outcome = Destination::new(&server, &schema, json!({})).await.outcome(events(2)).await;
    assert_eq!(short(&outcome), "misconfigured tls-not-offered");
    assert!(outcome.reason().message.contains("ssl = on"), "{outcome:?}");
    drop(postgres);
    let outcome = Destination::new(&server, &schema, json!({})).await.outcome(events(2)).await;
    assert_eq!(short(&outcome), "transient connect-refused", "{outcome:?}");
}

#[tokio::test]
async fn a_client_certificate_comes_with_the_credential() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let without = Destination::new(server, &schema, json!({ "user": CERTIFIED_USER })).await;
    let outcome = without.outcome(events(2)).await;
    assert_eq!(short(&outcome), "rejected_credentials invalid-authorization", "{outcome:?}");
    assert!(outcome.reason().message.contains("client certificate"), "{outcome:?}");
    let Shown { certificate, key } = server.authority.issue(&["railhead"], |_| {});
    let bundle = format!("{certificate}{key}{}", server.authority.pem());
    let with = without.with_credentials(&[("password", PASSWORD), ("tls_identity", &bundle)]);
    assert_eq!(shorts(&with.deliver(events(2)).await), "2 delivered inserted");
}

//! Who is let in, and how.

use crate::between;
use crate::run::{Destination, events, short, shorts};
use crate::server::{
    BUSY_USER, CLEARTEXT_USER, LEAST, MD5_USER, PASSWORD, REJECTED_USER, Schema, Server, TRUSTED_USER,
};
use railhead_model::Outcome;
use serde_json::json;

async fn as_user(server: &Server, schema: &Schema, user: &str) -> Destination {
    Destination::new(server, schema, json!({ "user": user })).await
}

/// What a check says of the login.
async fn told(destination: &Destination) -> String {
    let steps = destination.check().await;
    let told = steps.iter().flatten().find(|step| step.starts_with("Logged in"));
    told.unwrap_or_else(|| panic!("{steps:?}")).clone()
}

#[tokio::test]
async fn scram_is_bound_to_the_channel() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let told = told(&destination).await;
    assert!(
        told.starts_with(
            "Logged in as \"app\" to the database \"postgres\" with SCRAM-SHA-256 and channel binding: PostgreSQL 1"
        ),
        "{told}"
    );
}

/// It has a certificate of the same authority for the same name, as somebody may who took over its DNS. Only the binding
/// tells the server.
#[tokio::test]
async fn who_stands_between_with_a_valid_certificate_fails() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    for hide in [false, true] {
        let port = between::terminating(server, hide).await;
        let destination = Destination::new(server, &schema, json!({ "port": port })).await;
        let outcome = destination.outcome(events(2)).await;
        // Where the offer was hidden, the server is told that it could have been taken.
        assert_eq!(short(&outcome), "rejected_credentials invalid-authorization", "{hide}: {outcome:?}");
        assert!(outcome.reason().message.contains("channel binding"), "{outcome:?}");
    }
    assert_eq!(schema.ids().await.len(), 0);
}

#[tokio::test]
async fn a_wrong_password_waits_for_another_one() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let authority = server.authority.pem();
    let destination = Destination::new(server, &schema, json!({})).await;
    let wrong = destination.clone().with_credentials(&[("password", "something-else"), ("tls_identity", &authority)]);
    let outcome = wrong.outcome(events(2)).await;
    assert_eq!(short(&outcome), "rejected_credentials invalid-password");
    let Outcome::RejectedCredentials(reason) = outcome else { panic!() };
    assert_eq!(reason.status.as_deref(), Some("28P01"));
    assert!(reason.message.contains("Set the credential password again"), "{reason:?}");
    let right = wrong.with_credentials(&[("password", PASSWORD), ("tls_identity", &authority)]);
    assert_eq!(shorts(&right.deliver(events(2)).await), "2 delivered inserted");
}

#[tokio::test]
async fn md5_is_answered_behind_tls_only() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = as_user(server, &schema, MD5_USER).await;
    assert!(told(&destination).await.contains("with MD5, which is weak"));
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 delivered inserted");
    let config = json!({
        "host": "127.0.0.1", "port": server.port, "database": "postgres", "user": MD5_USER, "schema": schema.name,
        "sslmode": "disable",
    });
    let plain = Destination::of(config, &server.authority.pem()).await;
    assert_eq!(short(&plain.outcome(events(2)).await), "misconfigured md5-without-tls");
}

#[tokio::test]
async fn who_wants_the_password_itself_never_gets_it() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let outcome = as_user(server, &schema, CLEARTEXT_USER).await.outcome(events(2)).await;
    assert_eq!(short(&outcome), "misconfigured cleartext-password");
    assert!(outcome.reason().message.contains("scram-sha-256"), "{outcome:?}");
}

#[tokio::test]
async fn who_asks_for_nothing_gets_nothing() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    assert!(told(&as_user(server, &schema, TRUSTED_USER).await).await.contains("without a password"));
}

#[tokio::test]
async fn without_tls_there_is_scram_where_the_operator_allows_the_network() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let destination = Destination::plain(server.port, &schema).await;
    assert!(told(&destination).await.contains("with SCRAM-SHA-256: PostgreSQL"));
    assert_eq!(shorts(&destination.deliver(events(2)).await), "2 delivered inserted");
}

#[tokio::test]
async fn whom_the_server_refuses_is_told_why() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let cases = [
        (json!({ "user": "nobody" }), "rejected_credentials invalid-password", "nobody"),
        (json!({ "user": REJECTED_USER }), "rejected_credentials invalid-authorization", "pg_hba.conf"),
        (json!({ "database": "elsewhere" }), "misconfigured undefined-database", "\"elsewhere\""),
        (json!({ "user": BUSY_USER }), "transient too-many-connections", "too many connections for role"),
    ];
    for (more, expected, words) in cases {
        let outcome = Destination::new(server, &schema, more).await.outcome(events(2)).await;
        assert_eq!(short(&outcome), expected, "{outcome:?}");
        assert!(outcome.reason().message.contains(words), "{outcome:?}");
    }
}

//! A sealed map of headers: each value goes into the header of its name, and into nothing else.

use crate::support::{Peer, Reply, context, egress, secret, text};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{FailureKind, Outgoing, Part};
use railhead_sandbox::secret::{Encoding, MASK, Secret};
use std::sync::Arc;

const MAP: &str = r#"{"X-Api-Key": "key-0123456789", "x-tenant-token": "tenant/9876543210"}"#;

fn map() -> Arc<Secret> {
    secret("headers", CredentialKind::Headers, CredentialUse::Place, MAP)
}

fn raw(secret: &Arc<Secret>) -> Vec<Part> {
    vec![Part::Secret(secret.clone(), Encoding::Raw)]
}

/// Sends the names of two headers back, each with its value and in base64.
async fn echo() -> Peer {
    Peer::start(|request| {
        let key = request.header("x-api-key").unwrap_or_default();
        let tenant = request.header("x-tenant-token").unwrap_or_default();
        let hexed: String = tenant.bytes().map(|byte| format!("{byte:02x}")).collect();
        let body = format!("{key} {tenant} {hexed}");
        Reply::Whole(format!("HTTP/1.1 200 OK\r\nx-key: {key}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into())
    })
    .await
}

#[tokio::test]
async fn each_value_goes_into_its_own_header_and_is_masked() {
    let (peer, map) = (echo().await, map());
    let url = peer.url("/");
    let mut request = Outgoing::new("POST", &*url);
    for name in map.attribute("names").unwrap().lines() {
        request.header(name, raw(&map)).unwrap();
    }
    let sent = egress().send(1, request, &context(&[&url], std::slice::from_ref(&map))).await;
    let wire = peer.last();
    assert_eq!(wire.header("x-api-key"), Some("key-0123456789"));
    assert_eq!(wire.header("x-tenant-token"), Some("tenant/9876543210"));
    let answer = sent.result.unwrap();
    assert_eq!(answer.body, format!("{MASK} {MASK} {MASK}"));
    assert!(answer.headers.contains(&("x-key".to_owned(), MASK.to_owned())));
    let headers = &sent.exchange.request.headers;
    for name in ["x-api-key", "x-tenant-token"] {
        assert!(headers.iter().any(|header| header.0 == name && header.1 == MASK), "{headers:?}");
    }
    let record = format!("{:?}", sent.exchange);
    assert!(!record.contains("0123456789") && !record.contains("9876543210"), "{record}");
}

#[test]
fn a_map_stands_nowhere_else() {
    let map = map();
    let mut request = Outgoing::new("POST", "https://hooks.test/");
    let absent = request.header("x-other", raw(&map)).unwrap_err();
    assert_eq!((absent.kind, absent.code), (FailureKind::Invalid, "header-absent"));
    assert!(!absent.message.contains("0123456789"));
    assert_eq!(request.query("key", raw(&map)).unwrap_err().code, "header-map-misplaced");
    assert_eq!(request.body(vec![text("a"), raw(&map).remove(0)]).unwrap_err().code, "header-map-misplaced");
}

#[test]
fn headers_of_the_host_are_refused_when_the_map_is_written() {
    for name in ["host", "Content-Length", "TE", "proxy-authorization", "accept-encoding"] {
        let given = format!(r#"{{"{name}": "0123456789"}}"#);
        let wrong =
            Secret::parse("h", CredentialKind::Headers, CredentialUse::Place, &[], given.as_bytes()).unwrap_err();
        assert_eq!(wrong.code, "secret-not-headers", "{name}");
        assert!(!wrong.message.contains("0123456789"), "{wrong}");
    }
}

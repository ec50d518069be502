//! What a connector may not do, and how it is told.

use crate::support::{Peer, context, egress, secret, text, token};
use bytes::Bytes;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{AllowedOrigin, Outgoing, Part, Purpose};
use railhead_sandbox::secret::{Encoding, Secret};
use std::sync::Arc;

#[test]
fn header_injection_is_refused_where_the_header_is_set() {
    let mut request = Outgoing::new("POST", "https://x.test/");
    for value in ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"] {
        assert_eq!(request.header("x-a", vec![text(value)]).unwrap_err().code, "header-invalid", "{value:?}");
    }
    assert_eq!(request.header("x-a\r\nx-evil", vec![text("a")]).unwrap_err().code, "header-invalid");
    for name in
        ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Proxy-Authorization", "TE", "Upgrade", "Expect"]
    {
        assert_eq!(request.header(name, vec![text("a")]).unwrap_err().code, "header-not-allowed", "{name}");
    }
}

#[tokio::test]
async fn injection_by_a_secret_or_by_the_method_is_refused_too() {
    let peer = Peer::ok().await;
    let (url, bad) = (peer.url("/"), token("line\r\nx-evil: 1"));
    let mut request = Outgoing::new("POST", &*url);
    request.header("x-a", vec![Part::Secret(bad.clone(), Encoding::Raw)]).unwrap();
    let sent = egress().send(1, request, &context(&[&url], &[bad])).await;
    let failure = sent.result.unwrap_err();
    assert_eq!(failure.code, "header-invalid");
    assert!(!failure.message.contains("evil"), "{failure}");
    for method in ["GET / HTTP/1.1\r\nx: y", "", "CONNECT", "G T"] {
        let failure = egress().send(1, Outgoing::new(method, &*url), &context(&[&url], &[])).await.result.unwrap_err();
        assert_eq!(failure.code, "method-invalid", "{method:?}");
    }
    assert_eq!(peer.accepts(), 0);
}

#[test]
fn a_secret_has_one_use() {
    let placed = token("abcdefgh");
    let signing = secret("key", CredentialKind::Bytes, CredentialUse::SignRequest, "utf8:abcdefgh");
    let whole = secret("url", CredentialKind::Url, CredentialUse::Url, "https://x.test/secret");
    let code = |secret: &Arc<Secret>| {
        let mut request = Outgoing::new("POST", "https://x.test/");
        let part = || vec![Part::Secret(secret.clone(), Encoding::Raw)];
        let tries = [request.header("x-a", part()), request.query("a", part()), request.body(part())];
        tries.map(|tried| tried.map_err(|failure| failure.code))
    };
    assert_eq!(code(&placed), [Ok(()); 3]);
    assert_eq!(code(&signing), [Err("use-not-allowed"); 3]);
    assert_eq!(code(&whole), [Err("use-not-allowed"); 3]);
    assert!(Outgoing::to_secret("POST", whole).is_ok());
    assert_eq!(Outgoing::to_secret("POST", placed).unwrap_err().code, "use-not-allowed");
}

#[tokio::test]
async fn a_secret_goes_to_its_own_origins_only() {
    let (own, other) = (Peer::ok().await, Peer::ok().await);
    let (own_url, other_url) = (own.url("/"), other.url("/"));
    let bound =
        Secret::parse("token", CredentialKind::Text, CredentialUse::Place, &["a".to_owned()], b"abcdefgh").unwrap();
    let ctx = context(&[&own_url, &other_url], std::slice::from_ref(&bound));
    let request = |url: &str| {
        let mut request = Outgoing::new("POST", url);
        request.header("x-token", vec![Part::Secret(bound.clone(), Encoding::Raw)]).unwrap();
        request
    };
    assert!(egress().send(1, request(&own_url), &ctx).await.result.is_ok());
    assert_eq!(egress().send(1, request(&other_url), &ctx).await.result.unwrap_err().code, "secret-not-for-origin");
    assert_eq!((own.accepts(), other.accepts()), (1, 0));
}

#[tokio::test]
async fn token_endpoints_are_for_exchanges_and_their_bodies_are_not_kept() {
    let peer = Peer::start(|_| {
        crate::support::Reply::Whole(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnew-token".to_vec())
    })
    .await;
    let url = peer.url("/token");
    let client = secret("oauth2", CredentialKind::Text, CredentialUse::Exchange, "client-secret");
    let mut ctx = context(&[], std::slice::from_ref(&client));
    ctx.origins = Arc::from([AllowedOrigin::of("token", &url, true).unwrap()]);
    let mut request = Outgoing::new("POST", &*url);
    request.body(vec![text("secret="), Part::Secret(client, Encoding::Form)]).unwrap();
    let refused = egress().send(1, request.clone(), &ctx).await.result.unwrap_err();
    assert_eq!((refused.code, peer.accepts()), ("token-endpoint", 0));
    ctx.purpose = Purpose::Exchange;
    let sent = egress().send(1, request, &ctx).await;
    assert_eq!(sent.result.unwrap().body, Bytes::from_static(b"new-token"));
    assert_eq!(peer.last().body, b"secret=client-secret");
    let record = format!("{:?}", sent.exchange);
    assert!(!record.contains("new-token") && !record.contains("client-secret"), "{record}");
}

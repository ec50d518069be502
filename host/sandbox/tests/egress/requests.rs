//! What goes over the wire, and what the record says went.

use crate::support::{Peer, context, egress, event, secret, text, token};
use bytes::Bytes;
use railhead_model::attempt::MAX_CAPTURE;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_model::{BodyPart, Header};
use railhead_sandbox::egress::{MAX_QUERY, Outgoing, Part, seen_by};
use railhead_sandbox::secret::Encoding;
use std::io::Read as _;
use std::time::Duration;

#[tokio::test]
async fn pieces_are_filled_in_on_the_wire_and_masked_in_the_record() {
    let peer = Peer::ok().await;
    let (url, key) = (peer.url("/hook?fixed=1"), token("s3cr/t+key"));
    let mut request = Outgoing::new("POST", &*url);
    request.header("Authorization", vec![text("Bearer "), Part::Secret(key.clone(), Encoding::Raw)]).unwrap();
    request.header("x-trace", vec![text("t1")]).unwrap();
    request.query("q", vec![text("a b&c")]).unwrap();
    request.query("key", vec![Part::Secret(key.clone(), Encoding::Raw)]).unwrap();
    let data = Bytes::from_static(br#"{"n": 1.0}"#);
    let other = Part::EventData(1, Bytes::from_static(b"2"));
    request.body(vec![text("[\""), Part::Secret(key.clone(), Encoding::Json), text("\",")]).unwrap();
    request.body(vec![Part::EventData(0, data), text(","), other, text("]")]).unwrap();
    let sent = egress().send(1, request.clone(), &context(&[&url], std::slice::from_ref(&key))).await;
    assert_eq!(sent.result.unwrap().body, Bytes::from_static(b"ok"));

    let wire = peer.last();
    assert!(wire.head.starts_with("POST /hook?fixed=1&q=a%20b%26c&key=s3cr%2Ft%2Bkey HTTP/1.1\r\n"), "{}", wire.head);
    assert_eq!(wire.header("authorization"), Some("Bearer s3cr/t+key"));
    assert_eq!(wire.header("user-agent"), Some("Railhead/0.1.0"));
    assert_eq!(wire.body, br#"["s3cr/t+key",{"n": 1.0},2]"#);

    let record = seen_by(sent.exchange, event(0));
    assert_eq!(record.request.url, peer.url("/hook?fixed=1&q=a%20b%26c&key=••••"));
    let header = |name: &str, value: &str| Header(name.to_owned(), value.to_owned());
    assert_eq!(
        record.request.headers,
        [header("authorization", "Bearer ••••"), header("x-trace", "t1"), header("user-agent", "Railhead/0.1.0")]
    );
    let other = BodyPart::OtherEvent(event(1));
    let body = [
        BodyPart::Text("[\"••••\",".into()),
        BodyPart::EventData,
        BodyPart::Text(",".into()),
        other,
        BodyPart::Text("]".into()),
    ];
    assert_eq!(record.request.body, body);
    assert_eq!(record.request.body_bytes, wire.body.len() as u64);

    let preview = egress().preview(&request, &context(&[&url], &[key])).unwrap();
    assert_eq!(seen_by(preview, event(0)).request, record.request);
    assert_eq!(peer.accepts(), 1);
}

#[tokio::test]
async fn event_data_is_on_record_by_reference_wherever_it_stands() {
    let peer = Peer::ok().await;
    let url = peer.url("/");
    let mut request = Outgoing::new("POST", &*url);
    let encoded = || Part::EventBase64(0, Bytes::from_static(b"payload"));
    request.header("x-data", vec![text("v="), Part::EventData(1, Bytes::from_static(b"other-payload"))]).unwrap();
    request.query("q", vec![encoded()]).unwrap();
    request.body(vec![text("\""), encoded(), text("\"")]).unwrap();
    let sent = egress().send(1, request, &context(&[&url], &[])).await;
    assert!(sent.result.is_ok());
    let wire = peer.last();
    assert!(wire.head.starts_with("POST /?q=cGF5bG9hZA%3D%3D HTTP/1.1"), "{}", wire.head);
    assert_eq!(
        (wire.header("x-data"), wire.body.as_slice()),
        (Some("v=other-payload"), b"\"cGF5bG9hZA==\"".as_slice())
    );

    let quote = || BodyPart::Text("\"".into());
    assert_eq!(
        seen_by(sent.exchange.clone(), event(0)).request.body,
        [quote(), BodyPart::InBase64, BodyPart::EventData, quote()]
    );
    let record = format!("{:?}", sent.exchange);
    assert!(!record.contains("cGF5bG9hZA") && !record.contains("other-payload"), "{record}");
}

#[tokio::test]
async fn a_secret_url_shows_its_origin_alone() {
    let peer = Peer::ok().await;
    let url = peer.url("/services/T0/very-secret?sig=abc");
    let whole = secret("url", CredentialKind::Url, CredentialUse::Url, &url);
    let request = Outgoing::to_secret("POST", whole.clone()).unwrap();
    let sent = egress().send(1, request, &context(&[&url], &[whole])).await;
    assert!(sent.result.is_ok());
    let wire = peer.last();
    assert!(wire.head.starts_with("POST /services/T0/very-secret?sig=abc HTTP/1.1"));
    assert_eq!(wire.header("content-length"), Some("0"));
    assert_eq!(sent.exchange.request.url, format!("http://127.0.0.1:{}/••••", peer.port));
}

#[tokio::test]
async fn gzip_comes_after_secrets_and_the_record_keeps_the_plain_body() {
    let peer = Peer::ok().await;
    let (url, key) = (peer.url("/"), token("s3cretkey"));
    let mut request = Outgoing::new("POST", &*url);
    request.body(vec![text("key="), Part::Secret(key.clone(), Encoding::Raw)]).unwrap();
    request.compress("gzip").unwrap();
    assert_eq!(request.compress("br").unwrap_err().code, "coding-unknown");
    let sent = egress().send(1, request, &context(&[&url], &[key])).await;
    assert!(sent.result.is_ok() && !sent.making.is_zero());
    let wire = peer.last();
    assert_eq!(wire.header("content-encoding"), Some("gzip"));
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&wire.body[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "key=s3cretkey");
    assert_eq!(sent.exchange.request.body, [BodyPart::Text("key=••••".into())]);
    assert_eq!(sent.exchange.request.body_bytes, wire.body.len() as u64);
}

#[tokio::test]
async fn a_headers_map_gives_each_header_its_own_value() {
    let peer = Peer::ok().await;
    let url = peer.url("/");
    let map = secret(
        "headers",
        CredentialKind::Headers,
        CredentialUse::Place,
        r#"{"X-One": "first-secret", "X-Two": "second-secret"}"#,
    );
    let mut request = Outgoing::new("GET", &*url);
    for name in map.attribute("names").unwrap().lines() {
        request.header(name, vec![Part::Secret(map.clone(), Encoding::Raw)]).unwrap();
    }
    let ctx = context(&[&url], std::slice::from_ref(&map));
    assert!(egress().send(1, request.clone(), &ctx).await.result.is_ok());
    assert_eq!(
        (peer.last().header("x-one"), peer.last().header("x-two")),
        (Some("first-secret"), Some("second-secret"))
    );
    let absent = request.header("x-three", vec![Part::Secret(map, Encoding::Raw)]).unwrap_err();
    assert_eq!(absent.code, "header-absent");
}

#[tokio::test]
async fn connections_are_reused_by_one_destination_and_shared_by_none() {
    let peer = Peer::ok().await;
    let (url, egress) = (peer.url("/"), egress());
    let ctx = context(&[&url], &[]);
    for destination in [1, 1, 1, 2, 2, 1] {
        let sent = egress.send(destination, Outgoing::new("GET", &*url), &ctx).await;
        assert!(sent.result.is_ok());
    }
    assert_eq!(peer.accepts(), 2);
    egress.forget(1);
    assert!(egress.send(1, Outgoing::new("GET", &*url), &ctx).await.result.is_ok());
    assert_eq!(peer.accepts(), 3);
}

#[tokio::test]
async fn a_large_body_goes_out_whole_and_its_record_is_bounded() {
    let peer = Peer::ok().await;
    let url = peer.url("/");
    let mut request = Outgoing::new("POST", &*url);
    request.body(vec![text(&"é".repeat(300_000)), text("end")]).unwrap();
    request.header("x-long", vec![text(&"a".repeat(10_000))]).unwrap();
    let sent = egress().send(1, request, &context(&[&url], &[])).await;
    assert!(sent.result.is_ok());
    let wire = peer.last();
    assert!(wire.body.len() == 600_003 && wire.body.ends_with("éend".as_bytes()));
    let kept = BodyPart::Text("é".repeat(MAX_CAPTURE / 2));
    assert_eq!(sent.exchange.request.body, [kept, BodyPart::Omitted(600_003 - MAX_CAPTURE as u64)]);
    assert_eq!(sent.exchange.request.headers[0].1, format!("{}…", "a".repeat(8192)));
}

#[tokio::test]
async fn without_time_nothing_is_sent() {
    let peer = Peer::ok().await;
    let url = peer.url("/");
    let mut request = Outgoing::new("POST", &*url);
    request.timeout(Duration::ZERO);
    let sent = egress().send(1, request, &context(&[&url], &[])).await;
    assert_eq!(sent.result.unwrap_err().code, "deadline");
    assert!(!sent.may_have_arrived && peer.accepts() == 0);
}

#[tokio::test]
async fn a_password_in_a_url_is_refused_and_not_recorded() {
    let request = Outgoing::new("POST", "https://user:hunter2@x.test/a");
    let sent = egress().send(1, request, &context(&["https://x.test"], &[])).await;
    assert_eq!(sent.exchange.request.url, "https://x.test/a");
    assert_eq!(sent.result.unwrap_err().code, "url-invalid");
}

#[test]
fn bodies_and_headers_are_bounded() {
    let mut request = Outgoing::new("POST", "https://x.test/");
    let mebibyte = Bytes::from(vec![0; 1 << 20]);
    for _ in 0..32 {
        request.body(vec![Part::Bytes(mebibyte.clone())]).unwrap();
    }
    assert_eq!(request.body(vec![text("x")]).unwrap_err().code, "body-too-large");
    request.query("q", vec![Part::Bytes(Bytes::from(vec![b'a'; MAX_QUERY - 1]))]).unwrap();
    assert_eq!(request.query("q", vec![]).unwrap_err().code, "query-too-large");
    for n in 0..100 {
        request.header(&format!("x-{n}"), vec![text("a")]).unwrap();
    }
    assert_eq!(request.header("x-more", vec![text("a")]).unwrap_err().code, "too-many-headers");
}

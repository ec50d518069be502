//! Answers are bounded in size and time, and nothing is followed.

use crate::support::{Peer, Reply, context, egress};
use railhead_model::BodyPart;
use railhead_model::attempt::MAX_CAPTURE;
use railhead_sandbox::egress::{FailureKind, MAX_ANSWER, Outgoing, Sent};
use std::time::Duration;

async fn get(peer: &Peer, left: Duration) -> Sent {
    let url = peer.url("/");
    let mut ctx = context(&[&url], &[]);
    ctx.left = left;
    egress().send(1, Outgoing::new("GET", &*url), &ctx).await
}

const AMPLE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_endless_body_is_cut() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    let peer = Peer::start(move |_| Reply::Endless(head.clone(), chunk.clone())).await;
    let sent = get(&peer, AMPLE).await;
    let answer = sent.result.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.cut), (200, MAX_ANSWER, true));
    let record = sent.exchange.response.unwrap();
    assert!(record.cut);
    assert!(matches!(&record.body[0], BodyPart::Text(text) if text.len() == MAX_CAPTURE));
    assert_eq!(record.body[1], BodyPart::Omitted((MAX_ANSWER - MAX_CAPTURE) as u64));
}

#[tokio::test]
async fn a_body_that_does_not_end_is_cut_by_time_and_its_status_is_kept() {
    let peer = Peer::start(|_| Reply::Stall(b"HTTP/1.1 202 Accepted\r\ncontent-length: 9\r\n\r\nhalf".to_vec())).await;
    let sent = get(&peer, SHORT).await;
    let failure = sent.result.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Timeout, "body-timeout"));
    assert!(sent.may_have_arrived);
    let record = sent.exchange.response.unwrap();
    assert_eq!((record.status, record.body_bytes), (202, 4));
    assert_eq!(record.body, [BodyPart::Text("half".into())]);
}

#[tokio::test]
async fn no_answer_is_a_timeout_that_may_have_arrived() {
    let peer = Peer::start(|_| Reply::Stall(Vec::new())).await;
    let sent = get(&peer, SHORT).await;
    let failure = sent.result.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Timeout, "timeout"));
    assert!(sent.may_have_arrived && sent.exchange.response.is_none());
    assert!(sent.exchange.timings.total_us >= 300_000);
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let other = Peer::ok().await;
    let to = other.url("/");
    let peer = Peer::start(move |_| {
        Reply::Whole(format!("HTTP/1.1 307 T\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes())
    })
    .await;
    assert_eq!(get(&peer, AMPLE).await.result.unwrap().status, 307);
    assert_eq!(other.accepts(), 0);
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let many: String = (0..150).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(70_000));
    let endless = format!("x-longer: {}\r\n", "a".repeat(900_000));
    for flood in [many, long, endless] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{flood}\r\n").into_bytes();
        let peer = Peer::start(move |_| Reply::Whole(head.clone())).await;
        let failure = get(&peer, AMPLE).await.result.unwrap_err();
        assert_eq!((failure.kind, failure.code), (FailureKind::TooLarge, "answer-head-too-large"), "{failure}");
    }
}

#[tokio::test]
async fn what_is_not_http_and_what_ends_early_have_their_own_codes() {
    let cases: [(&[u8], FailureKind, &str); 3] = [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", FailureKind::Protocol, "http-invalid"),
        (b"", FailureKind::Closed, "connection-closed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", FailureKind::Closed, "connection-closed"),
    ];
    for (reply, kind, code) in cases {
        let peer = Peer::start(move |_| Reply::Close(reply.to_vec())).await;
        let sent = get(&peer, AMPLE).await;
        let failure = sent.result.unwrap_err();
        assert_eq!((failure.kind, failure.code), (kind, code), "{failure}");
        assert!(sent.may_have_arrived);
    }
}

#[tokio::test]
async fn nobody_there_is_a_refused_connection_and_nothing_was_sent() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/", free.local_addr().unwrap().port());
    drop(free);
    let sent = egress().send(1, Outgoing::new("GET", &*url), &context(&[&url], &[])).await;
    let failure = sent.result.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Connect, "connect-refused"), "{failure}");
    assert!(!sent.may_have_arrived);
    assert_eq!(sent.exchange.failure.unwrap().code, "connect-refused");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    let url = "https://no-such-name.invalid/";
    let failure = egress().send(1, Outgoing::new("GET", url), &context(&[url], &[])).await.result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Dns, "{failure}");
}

#[tokio::test]
async fn trailers_are_read() {
    let reply =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
    let peer = Peer::start(move |_| Reply::Whole(reply.to_vec())).await;
    let answer = get(&peer, AMPLE).await.result.unwrap();
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "7".to_owned())]);
}

#[tokio::test]
async fn compressed_answers_are_handed_over_as_they_are() {
    let peer = Peer::start(|_| {
        Reply::Whole(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08".to_vec())
    })
    .await;
    let sent = get(&peer, AMPLE).await;
    assert_eq!(&sent.result.unwrap().body[..], b"\x1f\x8b\x08");
    assert_eq!(sent.exchange.response.unwrap().body, [BodyPart::Base64("H4sI".into())]);
    assert_eq!(peer.last().header("accept-encoding"), None);
}

//! Time, size, and how connections end.

use crate::support::{Authority, LONG, Server, connected, context, egress, read_exact, text};
use railhead_sandbox::egress::{FailureKind, Security};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Short enough to wait for.
const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_hung_server_holds_nobody_longer_than_the_time_that_is_left() {
    let authority = Authority::new("known");
    let silent = Server::start(|stream| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let egress = egress(Some(&authority));
    let mut ctx = context("localhost", silent.port, &[]);
    ctx.left = SOON;
    let failure = egress.connect("localhost", silent.port, Security::Tls, &ctx).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-timeout"), "{failure}");
    ctx.left = Duration::ZERO;
    let failure = egress.connect("localhost", silent.port, Security::Plain, &ctx).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Timeout, "deadline"), "{failure}");

    let mut stream = connected(&egress, &silent, Security::Plain, &[]).await.unwrap();
    let failure = stream.read(1, SOON).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Timeout, "read-timeout"), "{failure}");
    let failure = stream.read(0, SOON).await.unwrap_err();
    assert_eq!(failure.code, "read-nothing", "and it is still good");
    // More than the buffers of the system take.
    let much = text(&"x".repeat(32 << 20));
    let failure = stream.write(&[much], SOON).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Timeout, "write-timeout"), "{failure}");
    assert_eq!(
        stream.read(1, SOON).await.unwrap_err().code,
        "write-timeout",
        "half of it was written: it is of no more use"
    );
}

#[tokio::test]
async fn a_server_that_answers_before_it_has_read_all_blocks_nobody() {
    let server = Server::echo().await;
    let mut stream = connected(&egress(None), &server, Security::Plain, &[]).await.unwrap();
    // An echo of so much fills the buffers of both sides unless the host reads while it writes; what it reads ahead is
    // bounded, so the guest takes turns.
    let piece = text(&"0123456789abcdef".repeat(8 * 1024));
    for _ in 0..40 {
        stream.write(std::slice::from_ref(&piece), LONG).await.unwrap();
        assert_eq!(read_exact(&mut stream, 128 * 1024).await.len(), 128 * 1024);
    }
}

#[tokio::test]
async fn how_it_ended_is_told_after_what_came_before() {
    let authority = Authority::new("known");
    let orderly = Server::start(|mut stream| async move {
        let _ = stream.write_all(b"bye").await;
    })
    .await;
    let mut stream = connected(&egress(None), &orderly, Security::Plain, &[]).await.unwrap();
    assert_eq!(read_exact(&mut stream, 3).await, "bye");
    assert!(stream.read(1, LONG).await.unwrap().is_empty());
    assert!(stream.read(1, LONG).await.unwrap().is_empty());

    let acceptor = authority.acceptor(&["localhost"]);
    let cut = Server::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            stream.write_all(b"bye").await.unwrap();
            stream.flush().await.unwrap();
            // Without the goodbye of TLS.
            drop(stream);
        }
    })
    .await;
    let mut stream = connected(&egress(Some(&authority)), &cut, Security::Tls, &[]).await.unwrap();
    assert_eq!(read_exact(&mut stream, 3).await, "bye");
    let failure = stream.read(1, LONG).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Closed, "connection-cut"), "{failure}");
}

#[tokio::test]
async fn a_dropped_connection_says_goodbye() {
    let authority = Authority::new("known");
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let ended = std::sync::Mutex::new(Some(ended));
    let acceptor = authority.acceptor(&["localhost"]);
    let server = Server::start(move |stream| {
        let (acceptor, ended) = (acceptor.clone(), ended.lock().unwrap().take().unwrap());
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let _ = ended.send(stream.read(&mut [0; 16]).await.map_err(|error| error.kind()));
        }
    })
    .await;
    let stream = connected(&egress(Some(&authority)), &server, Security::Tls, &[]).await.unwrap();
    stream.close();
    assert_eq!(has_ended.await.unwrap(), Ok(0), "an end in order, not a cut");
}

#[tokio::test]
async fn nobody_there_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let egress = egress(None);
    let refused = egress.connect("localhost", port, Security::Tls, &context("localhost", port, &[])).await.unwrap_err();
    assert_eq!((refused.kind, refused.code), (FailureKind::Connect, "connect-refused"), "{refused}");
    let ctx = context("does-not-exist.invalid", port, &[]);
    let unknown = egress.connect("does-not-exist.invalid", port, Security::Tls, &ctx).await.unwrap_err();
    assert_eq!(unknown.kind, FailureKind::Dns, "{unknown}");
}

//! What comes back is masked, however it is cut.

use crate::support::{Authority, LONG, Server, connected, egress, password, raw, read_exact, text};
use railhead_sandbox::egress::{Part, Security};
use railhead_sandbox::secret::Encoding;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

#[tokio::test]
async fn a_secret_that_comes_back_is_as_many_stars() {
    let authority = Authority::new("known");
    let server = Server::tls_echo(&authority).await;
    let key = password("hunter2-hunter3");
    let mut stream =
        connected(&egress(Some(&authority)), &server, Security::Tls, std::slice::from_ref(&key)).await.unwrap();
    let base64 = Part::Secret(key.clone(), Encoding::Base64);
    stream.write(&[text("<"), raw(&key), text("> ["), base64, text("]")], LONG).await.unwrap();
    assert_eq!(
        read_exact(&mut stream, 1 + 15 + 3 + 20 + 1).await,
        format!("<{}> [{}]", "*".repeat(15), "*".repeat(20))
    );
}

#[tokio::test]
async fn reading_byte_by_byte_shows_no_more() {
    let authority = Authority::new("known");
    let server = Server::tls_echo(&authority).await;
    let key = password("hunter2-hunter3");
    let mut stream =
        connected(&egress(Some(&authority)), &server, Security::Tls, std::slice::from_ref(&key)).await.unwrap();
    stream.write(&[text("<"), raw(&key), text(">")], LONG).await.unwrap();
    let mut read = String::new();
    for _ in 0..17 {
        read.push_str(&String::from_utf8_lossy(&stream.read(1, LONG).await.unwrap()));
    }
    assert_eq!(read, format!("<{}>", "*".repeat(15)));
}

#[tokio::test]
async fn a_secret_that_was_sent_is_masked_before_any_of_it_is_read() {
    let (go_on, goes_on) = oneshot::channel::<()>();
    let goes_on = Arc::new(Mutex::new(Some(goes_on)));
    let server = Server::start(move |mut stream| {
        let goes_on = goes_on.lock().unwrap().take().unwrap();
        async move {
            stream.read_exact(&mut [0; 15]).await.unwrap();
            stream.write_all(b"you said hunter2-").await.unwrap();
            goes_on.await.unwrap();
            stream.write_all(b"hunter3, did you?").await.unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let key = password("hunter2-hunter3");
    let mut stream = connected(&egress(None), &server, Security::Plain, std::slice::from_ref(&key)).await.unwrap();
    stream.write(&[raw(&key)], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 9).await, "you said ");
    go_on.send(()).unwrap();
    assert_eq!(read_exact(&mut stream, 15 + 10).await, format!("{}, did you?", "*".repeat(15)));
}

#[tokio::test]
async fn half_a_secret_that_nothing_follows_is_masked_after_a_moment() {
    let server = Server::start(|mut stream| async move {
        stream.read_exact(&mut [0; 15]).await.unwrap();
        let _ = stream.write_all(b"ok hunter2-h").await;
    })
    .await;
    let key = password("hunter2-hunter3");
    let mut stream = connected(&egress(None), &server, Security::Plain, std::slice::from_ref(&key)).await.unwrap();
    stream.write(&[raw(&key)], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 12).await, "ok *********");
    assert!(stream.read(1, LONG).await.unwrap().is_empty(), "and then it is closed");
}

/// A read tells how much came at once: it must be the same for the beginning of a secret that the server was never sent.
#[tokio::test]
async fn the_beginning_of_a_secret_that_was_not_sent_is_read_like_anything_else() {
    let server = Server::echo().await;
    let mut stream = connected(&egress(None), &server, Security::Plain, &[password("hunter2-hunter3")]).await.unwrap();
    for guess in ["hunter2-hunter", "hunter2-hunteX", "68756e746572322d", "aHVudGVyMi1odW50"] {
        stream.write(&[text(guess)], LONG).await.unwrap();
        let read = stream.read(64, LONG).await.unwrap();
        assert_eq!(read, guess.as_bytes(), "{guess}");
    }
}

//! What comes back is masked, however it is cut.

use crate::support::{Authority, LONG, Server, connected, egress, password, raw, read_exact, text};
use railhead_sandbox::egress::{Part, Security};
use railhead_sandbox::secret::Encoding;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt as _;
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
async fn a_secret_in_two_pieces_is_masked_before_any_of_it_is_read() {
    let (go_on, goes_on) = oneshot::channel::<()>();
    let goes_on = Arc::new(Mutex::new(Some(goes_on)));
    let server = Server::start(move |mut stream| {
        let goes_on = goes_on.lock().unwrap().take().unwrap();
        async move {
            stream.write_all(b"you said hunter2").await.unwrap();
            goes_on.await.unwrap();
            stream.write_all(b"-hunter3, did you?").await.unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let key = password("hunter2-hunter3");
    let mut stream = connected(&egress(None), &server, Security::Plain, &[key]).await.unwrap();
    assert_eq!(read_exact(&mut stream, 9).await, "you said ");
    go_on.send(()).unwrap();
    assert_eq!(read_exact(&mut stream, 15 + 10).await, format!("{}, did you?", "*".repeat(15)));
}

#[tokio::test]
async fn half_a_secret_that_nothing_follows_is_given_out_after_a_moment() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"hunt").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let mut stream = connected(&egress(None), &server, Security::Plain, &[password("hunter2-hunter3")]).await.unwrap();
    assert_eq!(read_exact(&mut stream, 4).await, "hunt");
    let server = Server::start(|mut stream| async move {
        let _ = stream.write_all(b"ok hunter2-h").await;
    })
    .await;
    let mut stream = connected(&egress(None), &server, Security::Plain, &[password("hunter2-hunter3")]).await.unwrap();
    assert_eq!(read_exact(&mut stream, 12).await, "ok *********");
    assert!(stream.read(1, LONG).await.unwrap().is_empty(), "and then it is closed");
}

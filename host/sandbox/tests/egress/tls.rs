//! TLS is verified: by name, and by roots that the operator may add to.

use crate::support::context;
use hyper_util::rt::{TokioExecutor, TokioIo};
use railhead_sandbox::egress::{Egress, EgressPolicy, Failure, FailureKind, Outgoing};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A TLS peer for a name, and its own root in PEM.
async fn peer(name: &str, alpn: &'static [&'static str]) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (root, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(root.as_bytes()).unwrap()];
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let answer = |request: http::Request<hyper::body::Incoming>| async move {
                    assert_eq!(request.version(), http::Version::HTTP_2);
                    Ok::<_, std::convert::Infallible>(
                        http::Response::builder().status(207).body(String::from("ok")).unwrap(),
                    )
                };
                let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = serving.serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer)).await;
                continue;
            }
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    (port, root)
}

async fn get(url: &str, roots: Option<&str>) -> Result<u16, Failure> {
    send(Outgoing::new("GET", url), url, roots).await
}

async fn send(request: Outgoing, url: &str, roots: Option<&str>) -> Result<u16, Failure> {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    let egress = Egress::new(policy, roots.map(str::as_bytes)).unwrap();
    let sent = egress.send(1, request, &context(&[url], &[])).await;
    sent.result.map(|answer| answer.status)
}

#[tokio::test]
async fn the_operators_roots_are_trusted_for_the_name_they_vouch_for() {
    let (port, root) = peer("localhost", &[]).await;
    let url = format!("https://localhost:{port}/");
    assert_eq!(get(&url, Some(&root)).await, Ok(200));
    let failure = get(&url, None).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-certificate"), "{failure}");
    let (port, root) = peer("elsewhere.test", &[]).await;
    let failure = get(&format!("https://localhost:{port}/"), Some(&root)).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-certificate"), "{failure}");
    assert!(failure.message.contains("another name"), "{failure}");
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_asked_for_and_offered() {
    let (port, root) = peer("localhost", &["h2", "http/1.1"]).await;
    let url = format!("https://localhost:{port}/");
    let mut request = Outgoing::new("GET", &*url);
    assert_eq!(send(request.clone(), &url, Some(&root)).await, Ok(200));
    request.http2();
    assert_eq!(send(request.clone(), &url, Some(&root)).await, Ok(207));
    let (port, root) = peer("localhost", &["http/1.1"]).await;
    let url = format!("https://localhost:{port}/");
    let mut request = Outgoing::new("GET", &*url);
    request.http2();
    assert_eq!(send(request, &url, Some(&root)).await, Ok(200));
}

#[tokio::test]
async fn a_peer_without_tls_is_told_apart() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"220 mail.test ESMTP\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let failure = get(&format!("https://localhost:{port}/"), None).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-protocol"), "{failure}");
}

#[test]
fn roots_that_are_none_are_refused() {
    for wrong in ["", "no certificate"] {
        assert!(Egress::new(EgressPolicy::default(), Some(wrong.as_bytes())).is_err(), "{wrong}");
    }
}

//! Each way to protect a connection, and each way in which a certificate is wrong.

use crate::support::{Authority, LONG, Server, acceptor, connected, context, echo, egress, read_exact, text};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{FailureKind, Security};
use railhead_sandbox::secret::Secret;
use sha2::{Digest as _, Sha256, Sha384};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn tls_from_the_first_byte() {
    let authority = Authority::new("known");
    let server = Server::tls_echo(&authority).await;
    let mut stream = connected(&egress(Some(&authority)), &server, Security::Tls, &[]).await.unwrap();
    stream.write(&[text("hello "), text("there")], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 11).await, "hello there");
    let again = stream.start_tls(LONG).await.unwrap_err();
    assert_eq!((again.kind, again.code), (FailureKind::Invalid, "not-an-upgrade"));
}

/// Answers `S` to eight bytes, with `more` in the same segment, and goes on with TLS.
async fn upgrading(authority: &Authority, more: &'static [u8]) -> Server {
    let acceptor = authority.acceptor(&["localhost"]);
    Server::start(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut request = [0; 8];
            if stream.read_exact(&mut request).await.is_err() {
                return;
            }
            stream.write_all(&[b"S", more].concat()).await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                echo(stream).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn tls_after_the_protocols_own_request() {
    let authority = Authority::new("known");
    let server = upgrading(&authority, b"").await;
    let mut stream = connected(&egress(Some(&authority)), &server, Security::Upgrade, &[]).await.unwrap();
    assert_eq!(stream.channel_binding(), None);
    stream.write(&[text("request!")], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 1).await, "S");
    stream.start_tls(LONG).await.unwrap();
    stream.write(&[text("hello")], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 5).await, "hello");
    assert!(stream.channel_binding().is_some());
}

#[tokio::test]
async fn bytes_put_before_tls_end_the_connection() {
    let authority = Authority::new("known");
    let server = upgrading(&authority, b"injected").await;
    let mut stream = connected(&egress(Some(&authority)), &server, Security::Upgrade, &[]).await.unwrap();
    stream.write(&[text("request!")], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 1).await, "S");
    let failure = stream.start_tls(LONG).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Protocol, "bytes-before-tls"), "{failure}");
    let dead = stream.read(8, LONG).await.unwrap_err();
    assert_eq!(dead.code, "bytes-before-tls", "nothing of it is given out");
    assert!(stream.write(&[text("x")], LONG).await.is_err());
}

#[tokio::test]
async fn bytes_that_only_the_system_has_count_too() {
    let (sent, is_sent) = tokio::sync::oneshot::channel();
    let sent = std::sync::Mutex::new(Some(sent));
    let server = Server::start(move |mut stream| {
        let sent = sent.lock().unwrap().take();
        async move {
            stream.write_all(b"injected").await.unwrap();
            stream.flush().await.unwrap();
            // On loopback what was sent is there.
            sent.unwrap().send(()).unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut stream = connected(&egress(None), &server, Security::Upgrade, &[]).await.unwrap();
    is_sent.await.unwrap();
    let failure = stream.start_tls(LONG).await.unwrap_err();
    assert_eq!(failure.code, "bytes-before-tls", "{failure}");
}

#[tokio::test]
async fn plain_where_the_operator_allows_that_network() {
    let server = Server::echo().await;
    let mut stream = connected(&egress(None), &server, Security::Plain, &[]).await.unwrap();
    stream.write(&[text("hello")], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 5).await, "hello");
    assert_eq!(stream.start_tls(LONG).await.unwrap_err().code, "not-an-upgrade");
}

#[tokio::test]
async fn the_channel_binding_is_the_hash_of_the_certificate() {
    for (algorithm, sha384) in [(&rcgen::PKCS_ECDSA_P256_SHA256, false), (&rcgen::PKCS_ECDSA_P384_SHA384, true)] {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let served = acceptor((certificate.pem(), key.serialize_pem()), None);
        let server = Server::start(move |stream| {
            let served = served.clone();
            async move { echo(served.accept(stream).await.unwrap()).await }
        })
        .await;
        let der = certificate.der();
        let expected = if sha384 { Sha384::digest(der).to_vec() } else { Sha256::digest(der).to_vec() };
        let roots = certificate.pem();
        let egress =
            railhead_sandbox::egress::Egress::new(crate::support::open_policy(), Some(roots.as_bytes())).unwrap();
        let stream = connected(&egress, &server, Security::Tls, &[]).await.unwrap();
        assert_eq!(stream.channel_binding(), Some(expected));
    }
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let served = acceptor((certificate.pem(), key.serialize_pem()), None);
    let server = Server::start(move |stream| {
        let served = served.clone();
        async move { echo(served.accept(stream).await.unwrap()).await }
    })
    .await;
    let roots = certificate.pem();
    let egress = railhead_sandbox::egress::Egress::new(crate::support::open_policy(), Some(roots.as_bytes())).unwrap();
    let stream = connected(&egress, &server, Security::Tls, &[]).await.unwrap();
    assert_eq!(stream.channel_binding(), None, "RFC 5929 has no hash for it");
}

#[tokio::test]
async fn every_wrong_certificate_is_told_apart() {
    let (authority, stranger) = (Authority::new("known"), Authority::new("stranger"));
    let past = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    let future = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    };
    let cases = [
        (acceptor(authority.signed(&["localhost"], past), None), "expired"),
        (acceptor(authority.signed(&["localhost"], future), None), "not valid yet"),
        (authority.acceptor(&["elsewhere.test"]), "another name"),
        (stranger.acceptor(&["localhost"]), "not signed by an authority"),
    ];
    let egress = egress(Some(&authority));
    for (served, words) in cases {
        for security in [Security::Tls, Security::Upgrade] {
            let served = served.clone();
            let server = Server::start(move |stream| {
                let served = served.clone();
                async move { drop(served.accept(stream).await) }
            })
            .await;
            let connected = connected(&egress, &server, security, &[]).await;
            let failure = match connected {
                Ok(mut stream) => stream.start_tls(LONG).await.unwrap_err(),
                Err(failure) => failure,
            };
            assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-certificate"), "{failure}");
            assert!(failure.message.contains(words), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let server = Server::start(|mut stream| async move {
        let _ = stream.write_all(b"220 mail.test ESMTP\r\n").await;
        let _ = stream.read(&mut [0; 64]).await;
    })
    .await;
    let failure = connected(&egress(None), &server, Security::Tls, &[]).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-protocol"), "{failure}");
    let server = Server::start(|stream| async move { drop(stream) }).await;
    let failure = connected(&egress(None), &server, Security::Tls, &[]).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Tls, "tls-closed"), "{failure}");
}

#[tokio::test]
async fn private_authorities_and_client_certificates_are_those_of_the_origin() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let served = acceptor(servers.signed(&["localhost"], |_| {}), Some(&clients));
    let server = Server::start(move |stream| {
        let served = served.clone();
        async move {
            if let Ok(stream) = served.accept(stream).await {
                echo(stream).await;
            }
        }
    })
    .await;
    let identity = |pem: String, origin: &str| {
        let (kind, usage) = (CredentialKind::TlsIdentity, CredentialUse::TlsIdentity);
        Secret::parse("identity", kind, usage, &[origin.to_owned()], pem.as_bytes()).unwrap()
    };
    let egress = egress(None);
    let both = identity(format!("{}{}", clients.client(), servers.pem()), "server");
    let mut ctx = context("localhost", server.port, &[]);
    ctx.identities = [both].into();
    let mut stream = egress.connect("localhost", server.port, Security::Tls, &ctx).await.unwrap();
    stream.write(&[text("hello")], LONG).await.unwrap();
    assert_eq!(read_exact(&mut stream, 5).await, "hello");
    // Bound to another origin it serves not this one: then nobody vouches for the server.
    ctx.identities = [identity(format!("{}{}", clients.client(), servers.pem()), "other")].into();
    let failure = egress.connect("localhost", server.port, Security::Tls, &ctx).await.unwrap_err();
    assert_eq!(failure.code, "tls-certificate", "{failure}");
    // Without the client's certificate the server says so, in TLS 1.3 when something is read.
    ctx.identities = [identity(servers.pem(), "server")].into();
    let failure = match egress.connect("localhost", server.port, Security::Tls, &ctx).await {
        Ok(mut stream) => stream.read(1, LONG).await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!((failure.kind, failure.code), (FailureKind::Credential, "tls-client-certificate"), "{failure}");
}

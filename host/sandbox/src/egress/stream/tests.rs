//! What cannot be seen from outside.

use super::*;
use crate::egress::{AllowedOrigin, Egress, EgressPolicy, Purpose, SendContext};
use crate::secret::{Encoding, Masker};
use railhead_model::SystemClock;
use railhead_model::manifest::CredentialUse;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(60);

/// A connection without TLS to a server on loopback, and the server's side of it.
async fn connected(security: Security) -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    let ctx = SendContext {
        origins: vec![AllowedOrigin::server("server", "127.0.0.1", port, false).unwrap()].into(),
        masker: Masker::new([]),
        identities: Arc::new([]),
        left: LONG,
        clock: Arc::new(SystemClock::new()),
        events: Vec::new().into(),
        slow: false,
        purpose: Purpose::Send,
    };
    let egress = Egress::new(policy, None).unwrap();
    let (stream, accepted) = tokio::join!(egress.connect("127.0.0.1", port, security, &ctx), listener.accept());
    (stream.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn secrets_wait_for_tls_except_in_networks_that_are_allowed() {
    let key = Secret::derived("password", CredentialUse::Wire, &[], b"hunter2-hunter3".to_vec());
    let secret = || Part::Secret(key.clone(), Encoding::Raw);
    for security in [Security::Upgrade, Security::Plain] {
        let (mut stream, server) = connected(security).await;
        stream.judge(&[secret()]).unwrap();
        stream.trusted = false;
        let failure = stream.write(&[Part::Bytes("PASS ".into()), secret()], LONG).await.unwrap_err();
        assert_eq!(failure.code, "secret-before-tls", "{failure}");
        stream.write(&[Part::Bytes("QUIT".into())], LONG).await.unwrap();
        let mut came = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut { server }, &mut came).await.unwrap();
        assert_eq!(&came, b"QUIT", "and nothing before it");
    }
}

#[tokio::test]
async fn what_a_flood_fills_is_bounded() {
    let (mut stream, mut server) = connected(Security::Plain).await;
    let flood = tokio::spawn(async move { while server.write_all(&[b'x'; 64 * 1024]).await.is_ok() {} });
    let mut most = 0;
    while most < MAX_UNREAD {
        // The flood is not read by its other end: a write that cannot go on reads ahead, up to the bound and no further.
        let much = Part::Bytes(vec![b'y'; 8 << 20].into());
        assert_eq!(stream.write_all(std::slice::from_ref(&much)).now_or_timeout().await, None);
        most = most.max(stream.inbox.len());
        assert!(most <= MAX_UNREAD + PIECE, "{most}");
    }
    flood.abort();
}

/// What cannot end is given up after a moment.
trait NowOrTimeout: Future + Sized {
    async fn now_or_timeout(self) -> Option<Self::Output> {
        tokio::time::timeout(Duration::from_millis(50), self).await.ok()
    }
}

impl<F: Future> NowOrTimeout for F {}

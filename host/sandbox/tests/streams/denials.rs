//! What is refused, and that nothing happened then.

use crate::support::{Authority, LONG, Server, bound, connected, context, egress, open_policy, raw, text};
use async_trait::async_trait;
use railhead_sandbox::egress::{AllowedOrigin, Egress, EgressPolicy, FailureKind, Names, Security, Service};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers every name with these addresses, and counts who asks.
struct Counting(Vec<IpAddr>, Arc<AtomicUsize>);

#[async_trait]
impl Names for Counting {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(self.0.clone())
    }

    async fn services(&self, _: &str) -> io::Result<Vec<Service>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn counting(policy: EgressPolicy, addresses: &[&str]) -> (Egress, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let names = Counting(addresses.iter().map(|ip| ip.parse().unwrap()).collect(), asked.clone());
    (Egress::with_names(policy, None, Arc::new(names)).unwrap(), asked)
}

#[tokio::test]
async fn hosts_and_ports_of_no_origin_are_refused_before_any_name_is_looked_up() {
    let (egress, asked) = counting(open_policy(), &["127.0.0.1"]);
    let mut ctx = context("db.example.test", 5432, &[]);
    for (host, port) in
        [("db.example.test", 5433), ("other.example.test", 5432), ("127.0.0.1", 5432), ("a.db.example.test", 5432)]
    {
        let failure = egress.connect(host, port, Security::Plain, &ctx).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (FailureKind::Denied, "origin-not-allowed"), "{host}:{port}");
    }
    for host in ["", "db.example.test:5432", "tcp://db.example.test", "user@db.example.test", "db example"] {
        let failure = egress.connect(host, 5432, Security::Plain, &ctx).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (FailureKind::Invalid, "host-invalid"), "{host}");
    }
    // An origin of HTTP is none for streams, though host and port are the same.
    ctx.origins = [AllowedOrigin::of("a", "https://db.example.test:5432/", false).unwrap()].into();
    let failure = egress.connect("db.example.test", 5432, Security::Tls, &ctx).await.unwrap_err();
    assert_eq!(failure.code, "origin-not-allowed");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn spellings_of_the_same_host_are_one() {
    let server = Server::echo().await;
    let egress = egress(None);
    for (configured, asked) in [("LocalHost", "localhost."), ("127.0.0.1", "127.1"), ("127.1", "127.0.0.1")] {
        let ctx = context(configured, server.port, &[]);
        egress.connect(asked, server.port, Security::Plain, &ctx).await.unwrap();
    }
    server.has_accepted(3).await;
}

#[tokio::test]
async fn addresses_that_the_operator_does_not_allow_are_refused() {
    let server = Server::echo().await;
    let refused = async |policy: EgressPolicy, host: &str, security| {
        let (egress, _) = counting(policy, &["127.0.0.1"]);
        let failure = egress.connect(host, server.port, security, &context(host, server.port, &[])).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Denied, "{failure}");
        failure.code
    };
    let closed = EgressPolicy::default;
    for host in ["127.0.0.1", "db.example.test", "::1", "169.254.169.254"] {
        for security in [Security::Tls, Security::Upgrade] {
            assert_eq!(refused(closed(), host, security).await, "address-not-allowed", "{host}");
        }
    }
    let ours = EgressPolicy { refuse: vec![format!("127.0.0.1:{}", server.port).parse().unwrap()], ..open_policy() };
    assert_eq!(refused(ours, "db.example.test", Security::Upgrade).await, "address-not-allowed");
    let proxied = EgressPolicy { proxy: Some("http://127.0.0.1:9".to_owned()), ..open_policy() };
    assert_eq!(refused(proxied, "db.example.test", Security::Upgrade).await, "proxy-speaks-http-only");
    // Whatever else is allowed, and before the name is looked up where nothing is.
    assert_eq!(refused(closed(), "db.example.test", Security::Plain).await, "plaintext-not-allowed");
    let elsewhere = EgressPolicy { allow: vec!["10.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    assert_eq!(refused(elsewhere, "9.9.9.9", Security::Plain).await, "plaintext-not-allowed");
    assert_eq!(server.accepts(), 0);
}

#[tokio::test]
async fn of_mixed_answers_the_allowed_addresses_are_kept() {
    let server = Server::echo().await;
    let (egress, asked) = counting(open_policy(), &["10.0.0.1", "127.0.0.1", "::1"]);
    let ctx = context("db.example.test", server.port, &[]);
    egress.connect("db.example.test", server.port, Security::Upgrade, &ctx).await.unwrap();
    server.has_accepted(1).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn hosts_that_a_server_tells_of_lie_under_its_domain() {
    let (egress, _) = counting(open_policy(), &["10.0.0.1"]);
    let mut ctx = context("seed.kafka.example.test", 9092, &[]);
    ctx.origins = [AllowedOrigin::server("server", "seed.kafka.example.test", 9092, true).unwrap()].into();
    for host in ["seed.kafka.example.test", "b1.kafka.example.test", "kafka.example.test", "b.c.kafka.example.test"] {
        let failure = egress.connect(host, 9999, Security::Tls, &ctx).await.unwrap_err();
        assert_eq!(failure.code, "address-not-allowed", "{host}: it was looked up, and judged as ever");
    }
    for host in ["example.test", "b1.example.test", "evilkafka.example.test", "kafka.example.test.evil.test"] {
        let failure = egress.connect(host, 9999, Security::Tls, &ctx).await.unwrap_err();
        assert_eq!(failure.code, "origin-not-allowed", "{host}");
    }
    // Where no more than two labels are left, the host itself is the domain.
    ctx.origins = [AllowedOrigin::server("server", "example.test", 9092, true).unwrap()].into();
    assert_eq!(egress.allows("other.test", 1, &ctx).unwrap_err().code, "origin-not-allowed");
    assert_eq!(egress.allows("b1.example.test", 9093, &ctx), Ok(()));
    assert_eq!(egress.allows("b1.example.test", 22, &ctx).unwrap_err().code, "origin-not-allowed");
}

#[tokio::test]
async fn secrets_go_to_their_origins_only() {
    let authority = Authority::new("known");
    let server = Server::tls_echo(&authority).await;
    let (own, other) = (bound("own", "hunter2-hunter3", &["server"]), bound("other", "swordfish-sword", &["other"]));
    let mut stream =
        connected(&egress(Some(&authority)), &server, Security::Tls, &[own.clone(), other.clone()]).await.unwrap();
    stream.write(&[raw(&own)], LONG).await.unwrap();
    let failure = stream.write(&[text("x"), raw(&other)], LONG).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Denied, "secret-not-for-origin"), "{failure}");
    assert!(!failure.message.contains("swordfish"));
    // Nothing of it was written, and the connection is as good as before.
    assert_eq!(crate::support::read_exact(&mut stream, 15).await, "***************");
}

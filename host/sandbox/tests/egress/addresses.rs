//! No spelling of a refused address leads to a connection.

use crate::support::{Peer, context, egress_with};
use async_trait::async_trait;
use railhead_sandbox::egress::{AllowedOrigin, Egress, EgressPolicy, FailureKind, Names, Outgoing, Service};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Hosts that all mean this machine, or a place that is refused. `{p}` is the port of a listener that counts.
const SPELLINGS: [&str; 66] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.1.",
    "127.0.1",
    "127.000.000.001",
    "2130706433",
    "2130706433.",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "0177.0x0.0.1",
    "0x7f.0.0.1",
    "0x7f.1",
    "0x7f000001",
    "0X7F000001",
    "0x7F.0x00.0x00.0x01",
    "127.0x1",
    "127.0.0x0.1",
    "0x7f.0.1",
    "0",
    "0.",
    "0.0.0.0",
    "0x0",
    "00",
    "000.000.000.000",
    "127.127.127.127",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "127%2E0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "①②⑦.⓪.⓪.①",
    "127.0.0.1%2e",
    "2852039166",
    "0xA9FEA9FE",
    "169.254.169.254",
    "169.254.169.254.",
    "0251.0376.0251.0376",
    "169.254.43518",
    "0xa9.0xfe.0xa9.0xfe",
    "10.0.0.1",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "192.168.1.1",
    "3232235777",
    "172.16.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[0::0]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:1:2:3:4:80ff:fffe]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:a9fe:a9fe]",
];

/// Hosts that no URL may have.
const UNREADABLE: [&str; 9] = [
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "127.0.0.1.1",
    "256.256.256.256",
    "127.0.0.0x1ff",
    "0x100000000",
    "[127.0.0.1]",
    "4294967296",
];

#[tokio::test]
async fn no_spelling_of_a_refused_address_connects() {
    let peer = Peer::ok().await;
    let egress = egress_with(EgressPolicy { plaintext: true, ..EgressPolicy::default() });
    for host in SPELLINGS {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{}/", peer.port);
            let sent = egress.send(1, Outgoing::new("POST", &*url), &context(&[&url], &[])).await;
            let failure = sent.result.unwrap_err();
            assert_eq!((failure.kind, failure.code), (FailureKind::Denied, "address-not-allowed"), "{url}: {failure}");
            assert!(!sent.may_have_arrived, "{url}");
        }
    }
    for host in UNREADABLE {
        let url = format!("http://{host}:{}/", peer.port);
        assert_eq!(AllowedOrigin::of("a", &url, false).unwrap_err().code, "url-invalid", "{url}");
        let sent = egress.send(1, Outgoing::new("POST", &*url), &context(&["http://x.test"], &[])).await;
        assert_eq!(sent.result.unwrap_err().code, "url-invalid", "{url}");
    }
    assert_eq!(peer.accepts(), 0);
    // The listener does count: with loopback allowed, the same request arrives.
    let url = peer.url("/");
    assert!(
        crate::support::egress().send(1, Outgoing::new("POST", &*url), &context(&[&url], &[])).await.result.is_ok()
    );
    assert_eq!(peer.accepts(), 1);
}

/// Answers every query with the same addresses, and counts.
struct Fixed(Vec<IpAddr>, AtomicUsize);

#[async_trait]
impl Names for Fixed {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(self.0.clone())
    }

    async fn services(&self, _: &str) -> io::Result<Vec<Service>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn with_names(policy: EgressPolicy, addresses: &[&str]) -> (Egress, Arc<Fixed>) {
    let names = Arc::new(Fixed(addresses.iter().map(|ip| ip.parse().unwrap()).collect(), AtomicUsize::new(0)));
    (Egress::with_names(policy, None, names.clone()).unwrap(), names)
}

fn loopback() -> EgressPolicy {
    EgressPolicy { allow: vec!["127.0.0.1/32".parse().unwrap()], ..EgressPolicy::default() }
}

#[tokio::test]
async fn a_name_that_leads_inside_does_not_connect() {
    let peer = Peer::ok().await;
    for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"]
    {
        let (egress, _) = with_names(EgressPolicy { plaintext: true, ..EgressPolicy::default() }, &[address]);
        let url = format!("http://inside.test:{}/", peer.port);
        let failure = egress.send(1, Outgoing::new("GET", &*url), &context(&[&url], &[])).await.result.unwrap_err();
        assert_eq!(failure.code, "address-not-allowed", "{address}: {failure}");
        assert!(failure.message.starts_with(&format!("`inside.test` is at {address}, ")), "{failure}");
    }
    assert_eq!(peer.accepts(), 0);
}

#[tokio::test]
async fn a_mixed_answer_keeps_what_is_allowed() {
    let peer = Peer::ok().await;
    let (egress, names) = with_names(loopback(), &["10.0.0.1", "::1", "127.0.0.1", "169.254.169.254"]);
    let url = format!("http://mixed.test:{}/", peer.port);
    let sent = egress.send(1, Outgoing::new("GET", &*url), &context(&[&url], &[])).await;
    assert_eq!(sent.result.unwrap().status, 200);
    assert_eq!((peer.accepts(), names.1.load(Ordering::SeqCst)), (1, 1));
    assert!(
        sent.exchange.timings.dns_us.is_some() && sent.exchange.timings.connect_us.is_some(),
        "{:?}",
        sent.exchange.timings
    );
}

#[tokio::test]
async fn an_origin_that_is_not_allowed_is_refused_before_any_query() {
    let (egress, names) = with_names(loopback(), &["127.0.0.1"]);
    let allowed = context(&["https://hooks.test"], &[]);
    for url in [
        "https://other.test/",
        "http://hooks.test/",
        "https://hooks.test:8443/",
        "https://hooks.test.evil.test/",
        "https://hooks.test@evil.test/",
        "https://user:pw@hooks.test/",
        "ftp://hooks.test/",
        "file:///etc/passwd",
        "https://evil.test\\@hooks.test/",
        "//hooks.test/",
        "hooks.test",
    ] {
        let sent = egress.send(1, Outgoing::new("GET", url), &allowed).await;
        let failure = sent.result.unwrap_err();
        assert!(["origin-not-allowed", "url-invalid"].contains(&failure.code), "{url}: {failure}");
    }
    assert_eq!(names.1.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn plain_http_goes_to_allowed_networks_only() {
    let (egress, names) = with_names(EgressPolicy::default(), &["1.1.1.1"]);
    let url = "http://plain.test/";
    let failure = egress.send(1, Outgoing::new("GET", url), &context(&[url], &[])).await.result.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Denied, "plaintext-not-allowed"));
    assert_eq!(names.1.load(Ordering::SeqCst), 0, "it can be said without a query");
    let (egress, names) = with_names(loopback(), &["1.1.1.1"]);
    let failure = egress.send(1, Outgoing::new("GET", url), &context(&[url], &[])).await.result.unwrap_err();
    assert_eq!(failure.code, "plaintext-not-allowed");
    assert_eq!(names.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn own_listeners_stay_refused_though_their_network_is_allowed() {
    let own = Peer::ok().await;
    let mut policy =
        EgressPolicy { allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()], ..EgressPolicy::default() };
    policy.refuse = vec![format!("0.0.0.0:{}", own.port).parse().unwrap()];
    let (egress, _) = with_names(policy, &["127.0.0.1"]);
    for host in ["127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "127.3.2.1", "me.test"] {
        let url = format!("http://{host}:{}/", own.port);
        let failure = egress.send(1, Outgoing::new("GET", &*url), &context(&[&url], &[])).await.result.unwrap_err();
        assert_eq!(failure.code, "address-not-allowed", "{url}: {failure}");
    }
    assert_eq!(own.accepts(), 0);
}

#[tokio::test]
async fn a_proxy_is_used_only_for_what_the_policy_admits() {
    let proxy = Peer::ok().await;
    let policy = |allow: &str| EgressPolicy {
        allow: vec![allow.parse().unwrap()],
        proxy: Some(proxy.url("")),
        ..EgressPolicy::default()
    };
    let url = "http://inside.test/x";
    let (egress, _) = with_names(policy("192.168.0.0/16"), &["10.0.0.1"]);
    let failure = egress.send(1, Outgoing::new("GET", url), &context(&[url], &[])).await.result.unwrap_err();
    assert_eq!((failure.code, proxy.accepts()), ("address-not-allowed", 0));
    let (egress, _) = with_names(policy("10.0.0.0/8"), &["10.0.0.1"]);
    assert!(egress.send(1, Outgoing::new("GET", url), &context(&[url], &[])).await.result.is_ok());
    assert!(proxy.last().head.starts_with("GET http://inside.test/x HTTP/1.1\r\n"), "{}", proxy.last().head);
}

//! Servers whose TLS is wrong, or none.

use super::{AMPLE_MS, Case, short_ms};
use railhead_harness::certificates::{Authority, Identity};
use railhead_harness::{Peer, Reply, Waits};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};

/// Every case, its peer listening. `authority` is the one that the host trusts.
pub async fn cases(authority: &Authority) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, identity, outcome, code, status) in certificates(authority) {
        let acceptor = identity.server(|_| {});
        let reply = Reply::Whole(super::http::ok("ok").into_bytes());
        let peer = Peer::start_with(Waits::Request, Some(acceptor), move |_| reply.clone()).await;
        let url = peer.tls_url("/hook");
        cases.push(Case { name, peer, url, expected: (outcome, code, status), timeout_ms: AMPLE_MS });
    }
    let alpn = authority.issue("localhost", |_| {}).server(|config| config.alpn_protocols = vec![b"nonsense".to_vec()]);
    let peer = Peer::start_with(Waits::Request, Some(alpn), |_| Reply::Close(Vec::new())).await;
    let url = peer.tls_url("/hook");
    let expected = ("transient", "tls-refused", None);
    cases.push(Case { name: "alpn-nonsense", peer, url, expected, timeout_ms: AMPLE_MS });
    for (name, waits, reply, code) in handshakes() {
        let (timeout_ms, outcome) = match code {
            // Where only time ends it, the host does not know how far it came.
            "timeout" => (short_ms(0), "uncertain"),
            "tls-client-certificate" => (AMPLE_MS, "rejected_credentials"),
            _ => (AMPLE_MS, "transient"),
        };
        let peer = Peer::start_with(waits, None, move |_| reply.clone()).await;
        let url = peer.tls_url("/hook");
        cases.push(Case { name, peer, url, expected: (outcome, code, None), timeout_ms });
    }
    cases
}

type Row = (&'static str, Identity, &'static str, &'static str, Option<u16>);

fn certificates(authority: &Authority) -> Vec<Row> {
    let refused = |name, identity| (name, identity, "transient", "tls-certificate", None);
    let stranger = Authority::new("Nobody knows");
    let same_name = Authority::new("The operator's own");
    let between = authority.under("Between", |_| {});
    let for_another_name = authority.under("For another name", |params| {
        let permitted = vec![rcgen::GeneralSubtree::DnsName("elsewhere.test".to_owned())];
        let excluded = Vec::new();
        params.name_constraints =
            Some(rcgen::NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
    });
    let no_authority = authority.under("No authority", |params| params.is_ca = IsCa::ExplicitNoCa);
    let too_deep = authority.under("No further", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below = too_deep.under("Further", |_| {});
    vec![
        // What follows is refused for what is wrong with it: this one is right.
        ("trusted", authority.issue("localhost", |_| {}), "delivered", "http-200", Some(200)),
        (
            "trusted-chain",
            between.issue("localhost", |_| {}).with_chain([between.certificate()]),
            "delivered",
            "http-200",
            Some(200),
        ),
        refused("self-signed", Identity::self_signed("localhost")),
        refused("unknown-authority", stranger.issue("localhost", |_| {}).with_chain([stranger.certificate()])),
        refused(
            "authority-of-the-same-name",
            same_name.issue("localhost", |_| {}).with_chain([same_name.certificate()]),
        ),
        refused("chain-incomplete", between.issue("localhost", |_| {})),
        refused("wrong-name", authority.issue("elsewhere.test", |_| {})),
        refused("name-as-prefix", authority.issue("localhost.elsewhere.test", |_| {})),
        refused("wrong-address", authority.issue("127.0.0.1", |_| {})),
        refused(
            "expired",
            authority.issue("localhost", |params| {
                (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
            }),
        ),
        refused(
            "not-valid-yet",
            authority.issue("localhost", |params| {
                (params.not_before, params.not_after) = (date_time_ymd(2999, 1, 1), date_time_ymd(3000, 1, 1));
            }),
        ),
        refused(
            "for-clients-only",
            authority.issue("localhost", |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
        ),
        refused(
            "signed-by-no-authority",
            no_authority.issue("localhost", |_| {}).with_chain([no_authority.certificate()]),
        ),
        refused(
            "chain-too-deep",
            below.issue("localhost", |_| {}).with_chain([below.certificate(), too_deep.certificate()]),
        ),
        refused(
            "name-outside-constraints",
            for_another_name.issue("localhost", |_| {}).with_chain([for_another_name.certificate()]),
        ),
    ]
}

/// A TLS record of a type and version.
fn record(kind: u8, version: [u8; 2], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short record").to_be_bytes();
    [&[kind], &version[..], &length[..], body].concat()
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// A ServerHello of an old version (3.1 is TLS 1.0), or with a cipher that nobody offered.
fn server_hello(version: [u8; 2], cipher: [u8; 2]) -> Vec<u8> {
    let body = [&version[..], &[7; 32], &[0], &cipher[..], &[0]].concat();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    record(HANDSHAKE, version, &[&[2], &length[1..], &body[..]].concat())
}

fn handshakes() -> Vec<(&'static str, Waits, Reply, &'static str)> {
    let fatal = |description| Reply::Close(record(ALERT, [3, 3], &[2, description]));
    let hello = |version, cipher| Reply::Close(server_hello(version, cipher));
    let http = super::http::ok("plain").into_bytes();
    vec![
        ("plain-http", Waits::Bytes, Reply::Close(http.clone()), "tls-protocol"),
        ("plain-http-first", Waits::Nothing, Reply::Close(http), "tls-protocol"),
        ("garbage", Waits::Bytes, Reply::Close(vec![0xa5; 4_096]), "tls-protocol"),
        ("endless-garbage", Waits::Bytes, Reply::Endless(Vec::new(), vec![0; 4_096]), "tls-protocol"),
        (
            "endless-handshake",
            Waits::Bytes,
            Reply::Endless(Vec::new(), record(HANDSHAKE, [3, 3], &[11, 255, 255, 255, 0, 0])),
            "tls-protocol",
        ),
        ("tls-1.0-only", Waits::Bytes, hello([3, 1], [0, 0x2f]), "tls-protocol"),
        ("tls-1.1-only", Waits::Bytes, hello([3, 2], [0, 0x2f]), "tls-protocol"),
        ("cipher-nobody-offered", Waits::Bytes, hello([3, 3], [0, 0x05]), "tls-protocol"),
        ("cipher-null", Waits::Bytes, hello([3, 3], [0, 0]), "tls-protocol"),
        ("no-common-cipher", Waits::Bytes, fatal(40), "tls-refused"),
        ("no-common-version", Waits::Bytes, fatal(70), "tls-refused"),
        ("wants-a-certificate", Waits::Bytes, fatal(116), "tls-client-certificate"),
        ("closed-in-handshake", Waits::Bytes, Reply::Close(Vec::new()), "tls-closed"),
        ("closed-in-hello", Waits::Bytes, Reply::Close(vec![22, 3, 3, 0, 80, 2]), "tls-closed"),
        ("reset-in-handshake", Waits::Bytes, Reply::Reset(Vec::new()), "connect-failed"),
        ("hung-in-handshake", Waits::Bytes, Reply::Stall(Vec::new()), "timeout"),
    ]
}

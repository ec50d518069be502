//! Peers that are no PostgreSQL, or a hostile one.

use crate::run::{Destination, events, short};
use railhead_model::Outcome;
use railhead_plugin_harness::{Authority, Dialogue, Peer, Step, TcpPeer};
use serde_json::json;
use std::io;
use std::sync::OnceLock;

/// What `SSLRequest` is answered with decides.
async fn asked_for_tls(steps: Vec<Step>) -> Outcome {
    let peer = TcpPeer::following(Dialogue([vec![Step::Read(8)], steps].concat())).unwrap();
    let config = json!({ "host": "127.0.0.1", "port": peer.port(), "database": "d", "user": "u" });
    Destination::without_authority(config).await.deadline_ms(3_000).outcome(events(2)).await
}

#[tokio::test]
async fn strange_answers_to_the_request_for_tls_end_it() {
    let cases = [
        (vec![Step::Nonsense], "misconfigured not-postgres"),
        (vec![Step::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Step::Close], "misconfigured not-postgres"),
        (vec![Step::Send(b"N".to_vec())], "misconfigured tls-not-offered"),
        (vec![Step::Send(b"E\0\0\0\x0dMsecret\0\0".to_vec())], "transient tls-request-failed"),
        (vec![Step::Close], "transient connection-closed"),
        (vec![Step::Hang], "transient read-timeout"),
        // A login that was slipped in before TLS must not be taken for the server's own (CVE-2021-23222).
        (vec![Step::Send(b"SR\0\0\0\x08\0\0\0\0".to_vec())], "transient bytes-before-tls"),
        (vec![Step::Send(b"S".to_vec()), Step::Close], "transient connection-closed"),
    ];
    for (steps, expected) in cases {
        let outcome = asked_for_tls(steps.clone()).await;
        assert_eq!(short(&outcome), expected, "{steps:?}: {outcome:?}");
        assert!(!outcome.reason().message.contains("secret"), "{outcome:?}");
    }
}

/// A message of this kind.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

/// `AuthenticationOk`, and that it is ready.
fn welcome() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()
}

/// Vouches for peers: who has its certificate is taken for the server, and need not ask for a password.
fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Authority of peers").unwrap())
}

/// A peer that begins TLS, lets the client introduce itself, and goes on with these steps.
fn behind_tls(steps: Vec<Step>) -> TcpPeer {
    let begin = vec![
        Step::Read(8),
        Step::Send(b"S".to_vec()),
        Step::StartTls(authority().server("localhost").unwrap()),
        Step::ReadUntil(b"UTF8\0\0".to_vec()),
    ];
    TcpPeer::following(Dialogue([begin, steps].concat())).unwrap()
}

/// A destination at a peer behind TLS.
async fn to(peer: &TcpPeer) -> Destination {
    let config = json!({ "host": "localhost", "port": peer.port(), "database": "d", "user": "u" });
    Destination::of(config, &authority().pem()).await
}

/// What a server answers to all up to the end of a transaction of one table.
fn inserted() -> Vec<u8> {
    let tags = [&b"BEGIN\0"[..], b"SET\0", b"SET\0", b"INSERT 0 2\0"].map(|tag| message(b'C', tag));
    [tags.concat(), message(b'Z', b"T")].concat()
}

/// What PgBouncer in statement mode says to `BEGIN`.
fn pooler() -> Vec<u8> {
    let words = b"SFATAL\0VFATAL\0C08P01\0Mtransaction blocks not allowed in statement pooling mode\0\0";
    message(b'E', words)
}

const SYNC: &[u8] = b"S\0\0\0\x04";

/// What came of events for this peer.
async fn without_tls(peer: &TcpPeer) -> Outcome {
    let config = json!({
        "host": "127.0.0.1", "port": peer.port(), "database": "d", "user": "u", "sslmode": "disable",
    });
    Destination::without_authority(config).await.deadline_ms(3_000).outcome(events(2)).await
}

/// A dialogue after the client has introduced itself, to a server whose certificate is valid.
async fn introduced(steps: Vec<Step>) -> Outcome {
    let peer = behind_tls(steps);
    to(&peer).await.deadline_ms(3_000).outcome(events(2)).await
}

#[tokio::test]
async fn who_never_spoke_the_protocol_is_another_server() {
    let cases = [
        (vec![Step::Nonsense], "misconfigured not-postgres"),
        (vec![Step::Flood(64 << 20)], "misconfigured not-postgres"),
        (vec![Step::Send(b"220 mail.example.com ESMTP\r\n".to_vec())], "misconfigured not-postgres"),
        (vec![Step::Send(message(b'R', &7_u32.to_be_bytes()))], "misconfigured authentication-unknown"),
        (vec![Step::Send(message(b'R', b"\0\0\0\x0aOTHER\0\0"))], "misconfigured authentication-unknown"),
        (vec![Step::Send(message(b'R', b"\0\0\0\x0cv=x"))], "misconfigured not-postgres"),
        (vec![Step::Send(message(b'Z', b"I"))], "misconfigured not-postgres"),
        (vec![Step::Send(message(b'N', b"Mnotice\0\0").repeat(2_000))], "transient server-floods"),
        (vec![Step::Send([welcome(), message(b'A', &[0; 8]).repeat(120_000)].concat())], "transient server-floods"),
        (vec![Step::Close], "transient connection-closed"),
        (vec![Step::Hang], "transient read-timeout"),
    ];
    for (steps, expected) in cases {
        let outcome = introduced(steps).await;
        assert_eq!(short(&outcome), expected, "{outcome:?}");
    }
}

#[tokio::test]
async fn nonsense_in_the_middle_counts_by_when_it_comes() {
    let insert = || vec![Step::Send(welcome()), Step::ReadUntil(SYNC.to_vec())];
    let commit = || [insert(), vec![Step::Send(inserted()), Step::ReadUntil(b"COMMIT\0".to_vec())]].concat();
    let cases = [
        ([insert(), vec![Step::Nonsense]].concat(), "transient protocol-violation"),
        ([insert(), vec![Step::Send(message(b'Z', b"I"))]].concat(), "transient protocol-violation"),
        (
            [insert(), vec![Step::Send(message(b'D', b"\0\x01\0\0\0\x01x").repeat(60_000))]].concat(),
            "transient server-floods",
        ),
        ([insert(), vec![Step::Close]].concat(), "transient connection-closed"),
        ([insert(), vec![Step::Reset]].concat(), "transient connection-reset"),
        ([insert(), vec![Step::Hang]].concat(), "too_large read-timeout"),
        ([insert(), vec![Step::Send(pooler()), Step::Close]].concat(), "misconfigured pooler-statement-mode"),
        ([commit(), vec![Step::Nonsense]].concat(), "uncertain protocol-violation"),
        (
            [commit(), vec![Step::Send([message(b'C', b"ROLLBACK\0"), message(b'Z', b"I")].concat())]].concat(),
            "uncertain protocol-violation",
        ),
        ([commit(), vec![Step::Close]].concat(), "uncertain connection-closed"),
        ([commit(), vec![Step::Hang]].concat(), "uncertain read-timeout"),
    ];
    for (steps, expected) in cases {
        let outcome = introduced(steps).await;
        assert_eq!(short(&outcome), expected, "{outcome:?}");
    }
    let done = vec![Step::Send([message(b'C', b"COMMIT\0"), message(b'Z', b"I")].concat())];
    // It says that it inserted, and not what: the rows were there.
    assert_eq!(short(&introduced([commit(), done].concat()).await), "delivered duplicate");
}

/// Between deliveries a session looks whether the server still answers; at its end it says so.
#[tokio::test]
async fn an_unused_connection_is_looked_after() {
    let ready = || message(b'Z', b"I");
    let steps = vec![
        Step::Send(welcome()),
        Step::ReadUntil(SYNC.to_vec()),
        Step::Send(inserted()),
        Step::ReadUntil(b"COMMIT\0".to_vec()),
        Step::Send([message(b'C', b"COMMIT\0"), ready()].concat()),
        Step::Expect(SYNC.to_vec()),
        Step::Send(ready()),
    ];
    let peer = behind_tls(steps);
    let destination = to(&peer).await;
    assert_eq!(short(&destination.outcome(events(2)).await), "delivered duplicate");
    until_it_ends_with(&peer, SYNC).await;
    destination.retire();
    until_it_ends_with(&peer, b"X\0\0\0\x04").await;
    assert_eq!((peer.connections(), peer.errors()), (1, Vec::new()));
}

/// Waits until the last bytes that came after a commit are these.
async fn until_it_ends_with(peer: &TcpPeer, end: &[u8]) {
    for _ in 0..6_000 {
        let received = peer.received().concat();
        let committed = received.windows(7).position(|window| window == b"COMMIT\0");
        if committed.is_some_and(|at| received[at + 7..].ends_with(end)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?}", String::from_utf8_lossy(&peer.received().concat()));
}

/// Does SCRAM up to a point, without knowing the password.
fn impostor(iterations: u32, last: Vec<u8>) -> TcpPeer {
    let serve = move |mut peer: Peer| -> io::Result<()> {
        peer.read_until(b"UTF8\0\0")?;
        peer.send(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))?;
        peer.read_until(b",r=")?;
        let nonce = String::from_utf8(peer.read_exact(32)?).unwrap();
        let challenge = format!("\0\0\0\x0br={nonce}more,s=c2FsdHNhbHRzYWx0c2FsdA==,i={iterations}");
        peer.send(&message(b'R', challenge.as_bytes()))?;
        peer.read_until(b",p=")?;
        peer.send(&last)?;
        peer.hang()
    };
    TcpPeer::serving(serve).unwrap()
}

#[tokio::test]
async fn who_does_not_know_the_password_gets_nothing() {
    // It asks for none.
    let steps = vec![Step::ReadUntil(b"UTF8\0\0".to_vec()), Step::Send(welcome())];
    let open = TcpPeer::following(Dialogue(steps)).unwrap();
    let outcome = without_tls(&open).await;
    assert_eq!(short(&outcome), "misconfigured server-not-proven");
    let words = &outcome.reason().message;
    assert!(words.contains("scram-sha-256") && words.contains("sslmode"), "{words}");
    let came = open.received().concat();
    assert!(came.ends_with(b"UTF8\0\0"), "{:?}", String::from_utf8_lossy(&came));
    let unproven = message(b'R', b"\0\0\0\x0cv=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let outcome = without_tls(&impostor(4_096, unproven)).await;
    assert_eq!(short(&outcome), "rejected_credentials scram-server-unproven");
    // It skips the proof.
    let outcome = without_tls(&impostor(4_096, welcome())).await;
    assert_eq!(short(&outcome), "misconfigured not-postgres");
    // It asks for so little that it could search for the password.
    let outcome = without_tls(&impostor(1, Vec::new())).await;
    assert_eq!(short(&outcome), "rejected_credentials scram-iterations");
}

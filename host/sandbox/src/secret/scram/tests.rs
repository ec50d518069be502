//! Published logins, a server of our own for what has no published one, and messages that no server should send.

use super::*;
use std::num::NonZeroU32;

fn client(mechanism: Mechanism, user: &str, binding: Option<&[u8]>, nonce: &str) -> Client {
    Client::with_nonce(mechanism, user, binding.map(<[u8]>::to_vec), nonce.to_owned()).unwrap()
}

/// A login of `pencil`, whose every message is published.
struct Published {
    mechanism: Mechanism,
    first: &'static str,
    server_first: &'static str,
    last: &'static str,
    server_last: &'static str,
}

/// RFC 7677, section 3.
const RFC_7677: Published = Published {
    mechanism: Mechanism::Sha256,
    first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    last: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
           p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    server_last: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

/// MongoDB, specification of authentication, SCRAM-SHA-1.
const MONGO: Published = Published {
    mechanism: Mechanism::Sha1Mongo,
    first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    server_first: "r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000",
    last: "c=biws,r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,p=MC2T8BvbmWRckDw8oWl5IVghwCY=",
    server_last: "v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=",
};

/// No login of SHA-512 is published (draft-melnikov-scram-sha-512 has none). This is that of RFC 7677 with the other hash,
/// computed apart from this code, by Python's `hashlib.pbkdf2_hmac` and `hmac`.
const SHA_512: Published = Published {
    mechanism: Mechanism::Sha512,
    last: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
           p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
    server_last: "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
    ..RFC_7677
};

#[test]
fn published_logins_come_out_to_the_letter() {
    let prepared = Published { mechanism: Mechanism::Sha256Saslprep, ..RFC_7677 };
    for login in [RFC_7677, prepared, MONGO, SHA_512] {
        let client = client(login.mechanism, "user", None, login.first.split("r=").nth(1).unwrap());
        assert_eq!(client.first(), login.first.as_bytes());
        let challenge = client.challenge(login.server_first.as_bytes()).unwrap();
        let (last, proof) = client.answer(&challenge, &challenge.salt.password("user", b"pencil"));
        assert_eq!(String::from_utf8(last).unwrap(), login.last);
        assert_eq!(proof.verify(login.server_last.as_bytes()), Ok(()));
        let (other, proof) = client.answer(&challenge, &challenge.salt.password("user", b"pencils"));
        assert_ne!(other, login.last.as_bytes());
        assert_eq!(proof.verify(login.server_last.as_bytes()), Err(Wrong::Impostor));
    }
}

/// RFC 5802 has no password that MongoDB's digest would make: its one login, from the salted password on.
#[test]
fn the_login_of_rfc_5802_comes_out_to_the_letter() {
    let client = client(Mechanism::Sha1Mongo, "user", None, "fyko+d2lbbFgONRv9qkxdawL");
    let first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    let challenge = client.challenge(first.as_bytes()).unwrap();
    let iterations = NonZeroU32::new(4096).unwrap();
    let salted = Mechanism::Sha1Mongo.salted(b"pencil", &challenge.salt.bytes, iterations);
    let (last, proof) = client.answer(&challenge, &salted);
    let expected = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    assert_eq!(String::from_utf8(last).unwrap(), expected);
    assert_eq!(proof.verify(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
}

/// What a server does with a final message (RFC 5802, section 3): true if its proof is right.
fn server_accepts(mechanism: Mechanism, header: &str, binding: &[u8], bare: &str, first: &str, last: &str) -> bool {
    let (unproven, proof) = last.rsplit_once(",p=").unwrap();
    let bound = STANDARD.encode([header.as_bytes(), binding].concat());
    assert!(unproven.starts_with(&format!("c={bound},r=")), "{unproven}");
    let iterations = NonZeroU32::new(MIN_ITERATIONS).unwrap();
    let salted = mechanism.salted(b"pencil", b"0123456789abcdef", iterations);
    let stored_key = mechanism.digest(&mechanism.hmac(&salted, b"Client Key"));
    let pad = mechanism.hmac(&stored_key, format!("{bare},{first},{unproven}").as_bytes());
    let client_key: Vec<u8> = STANDARD.decode(proof).unwrap().iter().zip(pad.iter()).map(|(a, b)| a ^ b).collect();
    mechanism.digest(&client_key) == stored_key
}

#[test]
fn the_channel_is_bound_as_it_was_given() {
    let first = format!("r=hostserver,s={},i={MIN_ITERATIONS}", STANDARD.encode("0123456789abcdef"));
    let binding = [7_u8; 32];
    for (given, header, bound) in [
        (None, "n,,", &b""[..]),
        (Some(&b""[..]), "y,,", b""),
        (Some(&binding[..]), "p=tls-server-end-point,,", &binding[..]),
    ] {
        for mechanism in [Mechanism::Sha256, Mechanism::Sha512] {
            let client = client(mechanism, "", given, "host");
            assert_eq!(client.first(), format!("{header}n=,r=host").into_bytes());
            let challenge = client.challenge(first.as_bytes()).unwrap();
            let (last, _) = client.answer(&challenge, &challenge.salt.password("", b"pencil"));
            let last = String::from_utf8(last).unwrap();
            assert!(server_accepts(mechanism, header, bound, "n=,r=host", &first, &last), "{last}");
        }
    }
    for wrong in [&[1_u8; 31][..], &[1; 65]] {
        let made = Client::new(Mechanism::Sha256, "", Some(wrong.to_vec()), &[0; NONCE]);
        assert!(matches!(made, Err(Wrong::Argument(_))));
    }
}

#[test]
fn names_are_escaped_and_nonces_are_the_hosts() {
    let client = Client::new(Mechanism::Sha256, "a=b,c", None, &[0xff; NONCE]).unwrap();
    let first = String::from_utf8(client.first()).unwrap();
    assert_eq!(first, format!("n,,n=a=3Db=2Cc,r={}", "/".repeat(32)));
    for user in ["a\0b".to_owned(), "a".repeat(MAX_USER + 1)] {
        assert!(matches!(Client::new(Mechanism::Sha256, &user, None, &[0; NONCE]), Err(Wrong::Argument(_))));
    }
}

#[test]
fn what_no_server_should_send_is_refused() {
    let client = client(Mechanism::Sha256, "user", None, "host");
    let salt = "c2FsdHNhbHRzYWx0c2FsdA==";
    assert!(client.challenge(format!("r=hosts,s={salt},i=4096,x=later").as_bytes()).is_ok(), "extensions may follow");
    for message in [
        String::new(),
        "nonsense".to_owned(),
        format!("m=must,r=hosts,s={salt},i=4096"),
        format!("r=host,s={salt},i=4096"),
        format!("r=other,s={salt},i=4096"),
        format!("r=,s={salt},i=4096"),
        "r=hosts,s=,i=4096".to_owned(),
        "r=hosts,s=!,i=4096".to_owned(),
        format!("r=hosts,s={},i=4096", STANDARD.encode([0; MAX_SALT + 1])),
        format!("r=hosts,s={salt}"),
        format!("r=hosts,s={salt},i=-1"),
        format!("r=hosts,s={salt},i=99999999999"),
        format!("r=hosts{},s={salt},i=4096", "s".repeat(MAX_MESSAGE)),
    ] {
        assert!(matches!(client.challenge(message.as_bytes()), Err(Wrong::Message(_))), "{message}");
    }
    assert!(matches!(client.challenge(b"r=host\xff"), Err(Wrong::Message(_))));
    for iterations in [0, 1, MIN_ITERATIONS - 1, MAX_ITERATIONS + 1, u32::MAX] {
        let refused = client.challenge(format!("r=hosts,s={salt},i={iterations}").as_bytes());
        assert_eq!(refused, Err(Wrong::Iterations(iterations)));
    }
    let refused = client.challenge(b"e=unknown-user");
    assert_eq!(refused, Err(Wrong::Refused("unknown-user".to_owned())));
}

#[test]
fn a_server_that_does_not_prove_itself_is_an_impostor() {
    let proof = || Proof(Zeroizing::new(b"0123456789abcdef0123456789abcdef".to_vec()));
    let message = |signature: &[u8]| format!("v={}", STANDARD.encode(signature)).into_bytes();
    assert_eq!(proof().verify(&message(b"0123456789abcdef0123456789abcdef")), Ok(()));
    for wrong in [&b"0123456789abcdef0123456789abcdeF"[..], b"0123456789abcdef", b""] {
        assert_eq!(proof().verify(&message(wrong)), Err(Wrong::Impostor), "{wrong:?}");
    }
    for wrong in ["", "v=!", "x=", "ok"] {
        assert!(matches!(proof().verify(wrong.as_bytes()), Err(Wrong::Message(_))), "{wrong}");
    }
    assert_eq!(proof().verify(b"e=invalid-proof,x=y"), Err(Wrong::Refused("invalid-proof".to_owned())));
}

/// RFC 4013, section 3; the last two have no prepared form.
#[test]
fn passwords_are_prepared_where_the_mechanism_says_so() {
    for (given, prepared) in [
        ("I\u{ad}X", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u{aa}", "a"),
        ("\u{2168}", "IX"),
        ("\u{7}", "\u{7}"),
        ("\u{627}1", "\u{627}1"),
        ("\u{ad}", "\u{ad}"),
    ] {
        let made = |mechanism: Mechanism| mechanism.prepared("", given.as_bytes()).to_vec();
        assert_eq!(made(Mechanism::Sha256Saslprep), prepared.as_bytes(), "{given:?}");
        assert_eq!(made(Mechanism::Sha256), given.as_bytes(), "{given:?}");
        assert_eq!(made(Mechanism::Sha512), given.as_bytes(), "{given:?}");
    }
    assert_eq!(&**Mechanism::Sha256Saslprep.prepared("", b"\xff\xfe"), b"\xff\xfe");
}

//! Signatures as receivers check them.

use crate::support::{Peer, context, egress, secret, text};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{Algorithm, Outgoing, Signed, Signer};
use railhead_sandbox::secret::{Encoding, Secret};
use std::sync::Arc;

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &str = r#"{"test": 2432232314}"#;
/// 2021-02-25T15:02:10Z: where the support clock stands.
const AT: &str = "1614265330";

fn key(value: &str) -> Arc<Secret> {
    secret("signing_secret", CredentialKind::Bytes, CredentialUse::SignRequest, value)
}

fn words(text: &str) -> Signed {
    Signed::Text(text.to_owned())
}

fn signer(name: &str, before: Vec<Signed>, each: &str, message: Vec<Signed>, keys: Vec<Arc<Secret>>) -> Signer {
    let (name, each, join) = (name.to_owned(), each.to_owned(), " ".to_owned());
    Signer::Header {
        name,
        before,
        each,
        join,
        message,
        keys,
        algorithm: Algorithm::HmacSha256,
        encoding: Encoding::Base64,
    }
}

fn standard(keys: Vec<Arc<Secret>>) -> Outgoing {
    let mut request = Outgoing::new("POST", "https://hooks.test/");
    request.header("webhook-id", vec![text(ID)]).unwrap();
    request.body(vec![text(BODY)]).unwrap();
    request.sign(signer("webhook-timestamp", vec![Signed::Timestamp], "", vec![], vec![])).unwrap();
    let message = vec![Signed::Header("webhook-id".into()), words("."), Signed::Timestamp, words("."), Signed::Body];
    request.sign(signer("webhook-signature", vec![], "v1,", message, keys)).unwrap();
    request
}

fn header(request: &Outgoing, keys: &[Arc<Secret>], name: &str) -> String {
    let exchange = egress().preview(request, &context(&["https://hooks.test"], keys)).unwrap();
    exchange.request.headers.into_iter().find(|header| header.0 == name).unwrap().1
}

#[test]
fn the_known_vector_of_standard_webhooks_comes_out() {
    let keys = vec![key(WHSEC)];
    let request = standard(keys.clone());
    assert_eq!(header(&request, &keys, "webhook-timestamp"), AT);
    assert_eq!(header(&request, &keys, "webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_rotation_signs_with_both_keys() {
    let keys = vec![key("utf8:the new key"), key(WHSEC)];
    let value = header(&standard(keys.clone()), &keys, "webhook-signature");
    let (new, old) = value.split_once(' ').unwrap();
    assert_eq!(old, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"the new key"), format!("{ID}.{AT}.{BODY}").as_bytes());
    assert_eq!(new, format!("v1,{}", STANDARD.encode(signed)));
}

#[test]
fn other_shapes_algorithms_and_encodings() {
    let keys = vec![key("utf8:abc")];
    let cases = [
        (Algorithm::HmacSha1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        (Algorithm::HmacSha256, hmac::HMAC_SHA256),
        (Algorithm::HmacSha512, hmac::HMAC_SHA512),
    ];
    for (algorithm, same) in cases {
        let mut request = Outgoing::new("POST", "https://hooks.test/");
        request.body(vec![text("one"), text("two")]).unwrap();
        request
            .sign(Signer::Header {
                name: "x-signature".to_owned(),
                before: vec![words("t="), Signed::Timestamp, words(",")],
                each: "v1=".to_owned(),
                join: ",".to_owned(),
                message: vec![Signed::Timestamp, words("."), Signed::Body],
                keys: keys.clone(),
                algorithm,
                encoding: Encoding::Hex,
            })
            .unwrap();
        let expected = hmac::sign(&hmac::Key::new(same, b"abc"), format!("{AT}.onetwo").as_bytes());
        assert_eq!(header(&request, &keys, "x-signature"), format!("t={AT},v1={}", hex::encode(expected)));
    }
}

#[test]
fn ed25519_signatures_verify_with_the_public_key() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let pair = secret("ed25519_key", CredentialKind::PrivateKey, CredentialUse::SignRequest, seed);
    let mut request = Outgoing::new("POST", "https://hooks.test/");
    request.body(vec![text(BODY)]).unwrap();
    request
        .sign(Signer::Header {
            name: "webhook-signature".to_owned(),
            before: vec![],
            each: "v1a,".to_owned(),
            join: " ".to_owned(),
            message: vec![Signed::Timestamp, words("."), Signed::Body],
            keys: vec![pair.clone()],
            algorithm: Algorithm::Ed25519,
            encoding: Encoding::Base64,
        })
        .unwrap();
    let value = header(&request, std::slice::from_ref(&pair), "webhook-signature");
    let signature = STANDARD.decode(value.strip_prefix("v1a,").unwrap()).unwrap();
    let public = STANDARD.decode(pair.attribute("public-key").unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, public);
    assert!(public.verify(format!("{AT}.{BODY}").as_bytes(), &signature).is_ok());
    assert!(public.verify(format!("{AT}.{BODY} ").as_bytes(), &signature).is_err());
}

#[tokio::test]
async fn signers_of_one_header_stand_side_by_side_where_the_second_continues_the_first() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let pair = secret("ed25519_key", CredentialKind::PrivateKey, CredentialUse::SignRequest, seed);
    let (peer, keys) = (Peer::ok().await, vec![key(WHSEC)]);
    let url = peer.url("/");
    let with = |name: &str, before: Vec<Signed>| {
        let mut request = Outgoing::new("POST", &*url);
        request.body(vec![text(BODY)]).unwrap();
        request
            .sign(Signer::Header {
                name: "webhook-signature".to_owned(),
                before: vec![],
                each: "v1a,".to_owned(),
                join: " ".to_owned(),
                message: vec![Signed::Body],
                keys: vec![pair.clone()],
                algorithm: Algorithm::Ed25519,
                encoding: Encoding::Base64,
            })
            .unwrap();
        request.sign(signer(name, before, "v1,", vec![Signed::Body], keys.clone())).unwrap();
        request
    };
    let known = [keys[0].clone(), pair.clone()];
    let lines = |head: &str| head.lines().filter(|line| line.starts_with("webhook-signature:")).count();

    let request = with("webhook-signature", vec![Signed::Header("Webhook-Signature".into()), words(" ")]);
    let sent = egress().send(1, request, &context(&[&url], &known)).await;
    let head = peer.last();
    assert_eq!(lines(&head.head), 1, "{}", head.head);
    let value = head.header("webhook-signature").unwrap();
    let (asymmetric, symmetric) = value.split_once(' ').unwrap();
    let public = UnparsedPublicKey::new(&ED25519, STANDARD.decode(pair.attribute("public-key").unwrap()).unwrap());
    let signature = STANDARD.decode(asymmetric.strip_prefix("v1a,").unwrap()).unwrap();
    assert!(public.verify(BODY.as_bytes(), &signature).is_ok());
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, keys[0].bytes()), BODY.as_bytes());
    assert_eq!(symmetric, format!("v1,{}", STANDARD.encode(expected)));
    let shown = |sent: &railhead_sandbox::egress::Sent| -> Vec<String> {
        let headers = sent.exchange.request.headers.iter();
        headers.filter(|header| header.0 == "webhook-signature").map(|header| header.1.clone()).collect()
    };
    assert_eq!(shown(&sent), [value], "the record has it once, as it was sent");

    let sent = egress().send(1, with("webhook-signature", vec![]), &context(&[&url], &known)).await;
    assert_eq!(lines(&peer.last().head), 2, "without that, a header given twice is sent twice");
    assert_eq!(shown(&sent), [asymmetric.to_owned(), symmetric.to_owned()]);
    let absent = with("x-other", vec![Signed::Header("x-other".into())]);
    let failure = egress().preview(&absent, &context(&[&url], &known)).unwrap_err();
    assert_eq!(failure.code, "signed-header-absent");
}

#[tokio::test]
async fn what_is_signed_is_what_goes_over_the_wire() {
    let (peer, keys) = (Peer::ok().await, vec![key(WHSEC)]);
    let url = peer.url("/");
    let mut request = Outgoing::new("POST", &*url);
    request.body(vec![text(BODY), text("\n"), text(BODY)]).unwrap();
    request.compress("gzip").unwrap();
    request.sign(signer("x-sig", vec![], "", vec![Signed::Body], keys.clone())).unwrap();
    assert!(egress().send(1, request, &context(&[&url], &keys)).await.result.is_ok());
    let wire = peer.last();
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, keys[0].bytes()), &wire.body);
    assert_eq!(wire.header("x-sig"), Some(&*STANDARD.encode(expected)));
}

#[test]
fn unsuitable_keys_headers_and_pieces_are_refused() {
    let mut request = Outgoing::new("POST", "https://hooks.test/");
    let pair = secret("pair", CredentialKind::PrivateKey, CredentialUse::SignRequest, &"00".repeat(32));
    let placed = secret("placed", CredentialKind::Text, CredentialUse::Place, "abcdefgh");
    let mut code = |signer: Signer| request.sign(signer).unwrap_err().code;
    assert_eq!(code(signer("x-sig", vec![], "", vec![Signed::Body], vec![pair])), "key-unsuitable");
    assert_eq!(code(signer("x-sig", vec![], "", vec![Signed::Body], vec![placed])), "use-not-allowed");
    assert_eq!(code(signer("host", vec![], "", vec![Signed::Body], vec![])), "header-not-allowed");
    assert_eq!(code(signer("x-sig", vec![], "a\r\nb: ", vec![Signed::Body], vec![])), "header-invalid");
    assert_eq!(code(signer("x-sig", vec![words("\n")], "", vec![], vec![])), "header-invalid");
    assert_eq!(code(signer("x-sig", vec![Signed::Body], "", vec![], vec![])), "header-invalid");
    assert_eq!(Algorithm::parse("md5").unwrap_err().code, "algorithm-unknown");
    request.sign(signer("x-sig", vec![], "", vec![Signed::Header("x-none".into())], vec![key(WHSEC)])).unwrap();
    let failure = egress().preview(&request, &context(&["https://hooks.test"], &[])).unwrap_err();
    assert_eq!(failure.code, "signed-header-absent");
}

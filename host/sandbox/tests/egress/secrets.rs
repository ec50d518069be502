//! A peer that sends everything back does not give a secret away.

use crate::support::{Peer, Reply, context, egress, secret, text, token};
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{MAX_ANSWER, Outgoing, Part, Sent};
use railhead_sandbox::secret::{Encoding, MASK, Masker, Secret, encode};
use std::sync::Arc;

/// Text that differs in every encoding, and is allowed in a header.
const VALUE: &str = "s3/cr+t \"<&'é~";

const ENCODINGS: [Encoding; 8] = [
    Encoding::Raw,
    Encoding::Base64,
    Encoding::Base64url,
    Encoding::Hex,
    Encoding::Percent,
    Encoding::Form,
    Encoding::Json,
    Encoding::Xml,
];

/// Answers with what it was sent, in the body and in headers.
async fn echo() -> Peer {
    Peer::start(|request| {
        let mut answer = b"HTTP/1.1 200 OK\r\nset-cookie: session=1\r\nx-echo: ".to_vec();
        answer.extend(request.header("x-secret").unwrap_or_default().as_bytes());
        answer.extend(format!("\r\ncontent-length: {}\r\n\r\n", request.body.len()).bytes());
        answer.extend(&request.body);
        Reply::Whole(answer)
    })
    .await
}

async fn send(peer: &Peer, secret: &Arc<Secret>, way: Encoding, known: &[Arc<Secret>]) -> Sent {
    let url = peer.url("/");
    let mut request = Outgoing::new("POST", &*url);
    request.header("x-secret", vec![text("v="), Part::Secret(secret.clone(), way)]).unwrap();
    request.body(vec![text("<"), Part::Secret(secret.clone(), way), text(">")]).unwrap();
    egress().send(1, request, &context(&[&url], known)).await
}

#[tokio::test]
async fn echoes_are_masked_in_every_encoding() {
    let (peer, secret) = (echo().await, token(VALUE));
    for way in ENCODINGS {
        for known in [vec![secret.clone()], vec![]] {
            let sent = send(&peer, &secret, way, &known).await;
            let written = encode(VALUE.as_bytes(), way);
            let wire = [b"<", written.as_slice(), b">"].concat();
            assert_eq!(peer.last().body, wire, "{way:?}: the peer gets the secret itself");
            let record = format!("{:?}", sent.exchange);
            let answer = sent.result.unwrap();
            assert_eq!(answer.body, format!("<{MASK}>"), "{way:?}");
            let header =
                |name: &str| answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            assert_eq!(header("x-echo"), Some(format!("v={MASK}")), "{way:?}");
            assert_eq!(header("set-cookie").as_deref(), Some(MASK));
            for way in ENCODINGS {
                let spelled = String::from_utf8(encode(VALUE.as_bytes(), way).to_vec()).unwrap();
                assert!(!record.contains(&spelled) && !record.contains(&format!("{spelled:?}")), "{way:?}: {record}");
            }
        }
    }
}

#[tokio::test]
async fn a_secret_across_the_cut_leaves_no_beginning() {
    let secret = token("0123456789abcdef0123456789abcdef");
    for before in [MAX_ANSWER - 31, MAX_ANSWER - 16, MAX_ANSWER - 1] {
        let body = [vec![b'.'; before], b"0123456789abcdef0123456789abcdef".to_vec(), vec![b'.'; 9000]].concat();
        let answer = [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes(), body].concat();
        let peer = Peer::start(move |_| Reply::Whole(answer.clone())).await;
        let url = peer.url("/");
        let sent =
            egress().send(1, Outgoing::new("GET", &*url), &context(&[&url], std::slice::from_ref(&secret))).await;
        let answer = sent.result.unwrap();
        assert!(answer.cut && answer.body.len() <= MAX_ANSWER);
        assert!(!answer.body.ends_with(b"0"), "{before}");
        assert!(!answer.body.windows(2).any(|two| two == b"01"), "{before}");
    }
}

#[tokio::test]
async fn masks_that_are_shorter_than_secrets_let_nothing_slide_over_the_cut() {
    let value = b"0123456789abcdef0123456789abcdef";
    let secret = token("0123456789abcdef0123456789abcdef");
    // The host stops to read one byte later, in the middle of the last secret.
    let read = MAX_ANSWER + Masker::new([secret.clone()]).longest() + 1;
    let mut body = [value.as_slice(), b"."].concat().repeat(100);
    body.resize(read - 16, b'.');
    body.extend(&value[..16]);
    let answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n".as_slice(), &body].concat();
    let peer = Peer::start(move |_| Reply::Stall(answer.clone())).await;
    let url = peer.url("/");
    let ctx = context(&[&url], std::slice::from_ref(&secret));
    let answer = egress().send(1, Outgoing::new("GET", &*url), &ctx).await.result.unwrap();
    assert!(answer.cut && answer.body.ends_with(b"."));
    assert_eq!(answer.body.len(), MAX_ANSWER - 100 * (value.len() - MASK.len()));
}

#[tokio::test]
async fn signing_keys_and_secret_urls_are_masked_too() {
    let key =
        secret("key", CredentialKind::Bytes, CredentialUse::SignRequest, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let whole = secret("url", CredentialKind::Url, CredentialUse::Url, "https://hooks.test/services/T0/B0/xyz");
    let masker = Masker::new([key, whole]);
    assert_eq!(masker.text("key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw."), format!("key {MASK}."));
    assert_eq!(masker.text("POST https://hooks.test/services/T0/B0/xyz failed"), format!("POST {MASK} failed"));
    assert_eq!(masker.text("no /services/T0/B0/xyz here"), format!("no {MASK} here"));
}

#[test]
fn each_piece_of_a_secret_url_is_masked() {
    let url = "https://hooks.test/T0/B0/segment-one%2B/x=segment-two?short=a&sig=a%2Fquery+value#fragment";
    let masker = Masker::new([secret("url", CredentialKind::Url, CredentialUse::Url, url)]);
    for piece in ["segment-one%2B", "segment-one+", "x=segment-two", "a%2Fquery+value", "a/query value"] {
        assert_eq!(masker.text(&format!("[{piece}]")), format!("[{MASK}]"), "{piece}");
    }
    let sent = "/T0/B0/segment-one%2B/x=segment-two?short=a&sig=a%2Fquery+value";
    assert_eq!(masker.text(&format!("[{sent}]")), format!("[{MASK}]"));
    assert_eq!(masker.text("T0 B0 hooks.test"), "T0 B0 hooks.test");
}

#[tokio::test]
async fn failures_do_not_name_a_secret() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/very/secret/path", free.local_addr().unwrap().port());
    drop(free);
    let whole = secret("url", CredentialKind::Url, CredentialUse::Url, &url);
    let request = Outgoing::to_secret("POST", whole.clone()).unwrap();
    assert!(!format!("{request:?} {whole:?}").contains("very"));
    let sent = egress().send(1, request, &context(&[&url], &[whole])).await;
    let all = format!("{:?} {:?}", sent.result.unwrap_err(), sent.exchange);
    assert!(!all.contains("very"), "{all}");
}

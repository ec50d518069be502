//! AWS signatures as a receiver checks them: over what came over the wire, computed by the test's own hand.

use crate::support::{Peer, Request, context, egress, secret, text, token};
use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use railhead_model::Header;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_sandbox::egress::{Algorithm, AwsSigner, Outgoing, Part, Signed, Signer};
use railhead_sandbox::secret::{Encoding, MASK, Secret};
use serde_json::json;
use std::sync::Arc;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAe==";
/// Where the support clock stands.
const AT: &str = "20210225T150210Z";

fn keys(session_token: Option<&str>) -> Arc<Secret> {
    let keys = json!({"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET, "session_token": session_token});
    secret("keys", CredentialKind::Aws, CredentialUse::SignRequest, &keys.to_string())
}

fn signer(keys: &Arc<Secret>, service: &str) -> Signer {
    Signer::Aws(AwsSigner { keys: keys.clone(), service: service.to_owned(), region: "eu-central-1".to_owned() })
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn chain(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The key of that day, service and region: it would sign anything there.
fn day_key(service: &str) -> Vec<u8> {
    let day = chain(format!("AWS4{SECRET}").as_bytes(), "20210225");
    chain(&chain(&chain(&day, "eu-central-1"), service), "aws4_request")
}

/// The signature that a request of a path and query in canonical form must have.
fn expected(request: &Request, service: &str) -> String {
    let (method, rest) = request.head.split_once(' ').unwrap();
    let target = rest.split(' ').next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let authorization = request.header("authorization").unwrap();
    let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    let lines: String = names.split(';').map(|name| format!("{name}:{}\n", request.header(name).unwrap())).collect();
    let hash = sha256(&request.body);
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}");
    let scope = format!("20210225/eu-central-1/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{AT}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let signature = hex::encode(chain(&day_key(service), &to_sign));
    format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}")
}

#[tokio::test]
async fn what_leaves_is_what_is_signed() {
    let peer = Peer::ok().await;
    let (keys, bearer) = (keys(Some(SESSION)), token("placed-secret-0123"));
    let ctx = context(&[&peer.url("/")], &[keys.clone(), bearer.clone()]);
    for coding in ["", "gzip", "zstd"] {
        let mut request = Outgoing::new("PUT", peer.url("/bucket/2021/02/25/a%20b.ndjson?partNumber=1&uploadId=x%2Fy"));
        request.sign(signer(&keys, "s3")).unwrap();
        request.header("content-type", vec![text("application/x-ndjson")]).unwrap();
        request.header("x-amz-server-side-encryption", vec![text("AES256")]).unwrap();
        request.header("x-amz-date", vec![text("20200101T000000Z")]).unwrap();
        request.header("x-key", vec![Part::Secret(bearer.clone(), Encoding::Raw)]).unwrap();
        // It was added after the signature of the whole, and is covered all the same.
        let plain = Signer::Header {
            name: "x-time".to_owned(),
            before: vec![Signed::Timestamp],
            each: String::new(),
            join: String::new(),
            message: Vec::new(),
            keys: Vec::new(),
            algorithm: Algorithm::HmacSha256,
            encoding: Encoding::Hex,
        };
        request.sign(plain).unwrap();
        let body = vec![b'a'; 300_000];
        request
            .body(vec![Part::EventData(0, Bytes::from(body.clone())), Part::Secret(bearer.clone(), Encoding::Raw)])
            .unwrap();
        if !coding.is_empty() {
            request.compress(coding).unwrap();
        }
        let sent = egress().send(1, request, &ctx).await;
        assert_eq!(sent.result.unwrap().status, 200);
        let got = peer.last();
        assert_eq!(got.header("authorization").unwrap(), expected(&got, "s3"), "{}", got.head);
        assert_eq!(got.header("x-amz-content-sha256").unwrap(), sha256(&got.body));
        assert_eq!(got.header("x-amz-date"), Some(AT));
        assert_eq!(got.header("x-amz-security-token"), Some(SESSION));
        let signed = got.header("authorization").unwrap();
        for name in ["content-type;", "host;", "x-amz-security-token;", "x-amz-server-side-encryption;", "x-key;x-time"]
        {
            assert!(signed.contains(name), "{name}: {signed}");
        }
        assert_eq!(signed.contains("content-encoding;"), !coding.is_empty());
        let plain = match coding {
            "gzip" => {
                let mut out = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&got.body[..]), &mut out).unwrap();
                out
            }
            "zstd" => zstd::bulk::decompress(&got.body, 1 << 20).unwrap(),
            _ => got.body.clone(),
        };
        assert_eq!(plain, [body.as_slice(), b"placed-secret-0123"].concat());
        assert!(coding.is_empty() || got.body.len() < 20_000);

        let shown = |name: &str| {
            let of_name = |header: &&Header| header.0 == name;
            let all: Vec<_> = sent.exchange.request.headers.iter().filter(of_name).collect();
            assert_eq!(all.len(), 1, "{name}: {all:?}");
            all[0].1.clone()
        };
        assert_eq!([shown("authorization"), shown("x-amz-security-token")], [MASK, MASK]);
        assert_eq!(shown("x-amz-date"), AT, "the record tells when it was signed");
        assert_eq!(shown("x-amz-content-sha256"), sha256(&got.body));
        let record = format!("{:?}", sent.exchange);
        for hidden in [SECRET, SESSION, &hex::encode(day_key("s3")), "placed-secret"] {
            assert!(!record.contains(hidden), "{hidden}");
        }
    }
}

#[tokio::test]
async fn services_but_s3_get_no_hash_unless_it_was_asked_for() {
    let peer = Peer::ok().await;
    let keys = keys(None);
    let ctx = context(&[&peer.url("/")], std::slice::from_ref(&keys));
    for asked in [false, true] {
        let mut request = Outgoing::new("POST", peer.url("/"));
        if asked {
            request.header("x-amz-content-sha256", vec![text("anything")]).unwrap();
        }
        request.header("x-amz-security-token", vec![text("not the key's")]).unwrap();
        request.body(vec![text("Action=SendMessage&MessageBody=x")]).unwrap();
        request.sign(signer(&keys, "sqs")).unwrap();
        egress().send(1, request, &ctx).await.result.unwrap();
        let got = peer.last();
        assert_eq!(got.header("authorization").unwrap(), expected(&got, "sqs"));
        let hash = asked.then(|| sha256(&got.body));
        assert_eq!((got.header("x-amz-content-sha256"), got.header("x-amz-security-token")), (hash.as_deref(), None));
    }
}

#[tokio::test]
async fn keys_sign_only_where_they_may_go() {
    let keys = json!({"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}).to_string();
    let bound = Secret::parse("keys", CredentialKind::Aws, CredentialUse::SignRequest, &["a".into()], keys.as_bytes());
    let bound = bound.unwrap();
    let ctx = context(&["https://a.test/", "https://b.test/"], std::slice::from_ref(&bound));
    let code = |url: &str| {
        let mut request = Outgoing::new("GET", url);
        request.sign(signer(&bound, "s3")).unwrap();
        egress().preview(&request, &ctx).map(drop).map_err(|failure| failure.code)
    };
    assert_eq!(code("https://a.test/x"), Ok(()));
    assert_eq!(code("https://b.test/x"), Err("secret-not-for-origin"));
    assert_eq!(code("https://c.test/x"), Err("origin-not-allowed"));
}

#[test]
fn no_other_signature_takes_the_keys_of_a_pair() {
    for algorithm in ["hmac-sha256", "hmac-sha256-text", "hmac-sha512", "hmac-sha1", "ed25519"] {
        let header = Signer::Header {
            name: "x-day".to_owned(),
            before: Vec::new(),
            each: String::new(),
            join: String::new(),
            message: vec![Signed::Text("20210225".to_owned())],
            keys: vec![keys(None)],
            algorithm: Algorithm::parse(algorithm).unwrap(),
            encoding: Encoding::Hex,
        };
        let refused = Outgoing::new("GET", "https://a.test/").sign(header).unwrap_err();
        assert_eq!(refused.code, "key-unsuitable", "{algorithm}");
    }
}

//! Keys of AWS: from STS by an exchange that is itself signed, in the bounds of their use.

use super::*;
use crate::bindings::railhead::plugin::credentials::HostCredential;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const IDENTITY: &str = "0perat0r/secret+key0123456789abcdefghij";
pub(super) const SECRET: &str = "s3cr3tAccessKeyOfTheRole/0123456789+abcd";
pub(super) const SESSION: &str = "FwoGZXIvYXdzEBYaDkV4YW1wbGVTZXNzaW9uVG9rZW4vLy8vLy8w==";
pub(super) const EXTERNAL_ID: &str = "rh-0123456789abcdef";
const RESULT: &str = "/AssumeRoleResponse/AssumeRoleResult/Credentials";

pub(super) fn sts_answer(expiration: &str) -> String {
    format!(
        r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>
        <Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn></AssumedRoleUser><Credentials>
        <AccessKeyId>ASIAEXAMPLEEXAMPLE</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>
        <SessionToken>{SESSION}</SessionToken><Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult>
        <ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></AssumeRoleResponse>"#
    )
}

pub(super) fn value(field: &str, usage: CredentialUse) -> CredentialValue {
    let keys = json!({"access_key_id": "AKIAOPERATOR", "secret_access_key": IDENTITY, "external_id": EXTERNAL_ID});
    CredentialValue {
        field: field.to_owned(),
        version: 1,
        kind: CredentialKind::Aws,
        usage,
        value: keys.to_string().into_bytes().into(),
    }
}

pub(super) fn aws(name: &str, usage: CredentialUse, origins: &[&str]) -> CredentialField {
    CredentialField { kind: CredentialKind::Aws, ..field(name, usage, origins) }
}

async fn world(peer: &Peer) -> World {
    let fields = vec![aws("assume_role", CredentialUse::SignRequest, &["login"])];
    World::of(&peer.url, &peer.url, fields, vec![value("assume_role", CredentialUse::SignRequest)]).await
}

pub(super) fn take() -> Vec<(String, String)> {
    let names = [
        ("access-key-id", "AccessKeyId"),
        ("secret-access-key", "SecretAccessKey"),
        ("session-token", "SessionToken"),
        ("expiration", "Expiration"),
    ];
    names.map(|(attribute, element)| (attribute.to_owned(), format!("{RESULT}/{element}"))).to_vec()
}

pub(super) fn get(guest: &mut Guest, field: &str) -> Resource<Credential> {
    guest.get(field.to_owned()).unwrap().unwrap().remove(0)
}

pub(super) fn attribute(guest: &mut Guest, keys: &Resource<Credential>, name: &str) -> Option<String> {
    HostCredential::attribute(guest, again(keys), name.to_owned()).unwrap()
}

async fn assume(guest: &mut Guest, url: &str) -> Result<Resource<Credential>, Failure> {
    let identity = get(guest, "assume_role");
    let external = attribute(guest, &identity, "external-id").unwrap();
    let request = HostRequest::new(guest, "POST".to_owned(), format!("{url}/token")).unwrap();
    let body = format!("Action=AssumeRole&Version=2011-06-15&ExternalId={external}");
    HostRequest::body(guest, again(&request), vec![bytes(&body)]).unwrap()?;
    HostRequest::sign_aws(guest, again(&request), identity, "sts".to_owned(), "eu-central-1".to_owned()).unwrap()?;
    guest.exchange("role".to_owned(), request, "aws".to_owned(), take()).await.unwrap()
}

/// An object, and what came back for it.
pub(super) async fn put(guest: &mut Guest, url: &str, keys: &Resource<Credential>) -> Result<String, Failure> {
    let request = HostRequest::new(guest, "PUT".to_owned(), format!("{url}/bucket/key")).unwrap();
    HostRequest::body(guest, again(&request), vec![Part::EventData(0)]).unwrap()?;
    HostRequest::carries(guest, again(&request), vec![0]).unwrap();
    HostRequest::sign_aws(guest, again(&request), again(keys), "s3".to_owned(), "eu-central-1".to_owned()).unwrap()?;
    let answer = guest.send(request).await.unwrap()?;
    let body = crate::bindings::railhead::plugin::http::HostResponse::body(guest, answer, 10_000).unwrap();
    Ok(String::from_utf8(body).unwrap())
}

/// Keys of a day, in the writings in which they could leave.
fn day_keys(secret: &str, date: &str) -> Vec<String> {
    let chain =
        |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let mut key = format!("AWS4{secret}").into_bytes();
    let mut all = Vec::new();
    for piece in [date.get(..8).unwrap(), "eu-central-1", "s3", "aws4_request"] {
        key = chain(&key, piece);
        all.extend([hex::encode(&key), STANDARD.encode(&key)]);
    }
    all
}

#[tokio::test]
async fn keys_of_a_role_sign_and_are_never_seen() {
    let peer = Peer::start(200, sts_answer("2099-01-01T00:00:00Z")).await;
    let world = world(&peer).await;
    let mut guest = world.guest(Purpose::Deliver);
    let keys = assume(&mut guest, &peer.url).await.map_err(|why| why.message).unwrap();
    let (_, headers, body) = peer.got.lock().unwrap().last().cloned().unwrap();
    assert_eq!(body, format!("Action=AssumeRole&Version=2011-06-15&ExternalId={EXTERNAL_ID}"));
    assert!(headers["authorization"].to_str().unwrap().starts_with("AWS4-HMAC-SHA256 Credential=AKIAOPERATOR/"));
    let public = ["access-key-id", "secret-access-key", "session-token", "secret_access_key", "expiration"]
        .map(|name| attribute(&mut guest, &keys, name));
    assert_eq!(public, [Some("ASIAEXAMPLEEXAMPLE".to_owned()), None, None, None, None]);

    let echo = put(&mut guest, &peer.url, &keys).await.map_err(|why| why.message).unwrap();
    let (_, headers, body) = peer.got.lock().unwrap().last().cloned().unwrap();
    assert_eq!((body.as_str(), headers["x-amz-security-token"].to_str().unwrap()), ("{}", SESSION));
    assert!(headers["authorization"].to_str().unwrap().contains("Credential=ASIAEXAMPLEEXAMPLE/"));
    assert!(echo.ends_with(&format!("{{}} {MASK}")), "the session token came back: {echo}");

    // Another session has them without another exchange.
    let mut second = world.guest(Purpose::Deliver);
    let kept = second.kept("role".to_owned()).unwrap().unwrap();
    let other = put(&mut second, &peer.url, &kept).await.map_err(|why| why.message).unwrap();
    assert_eq!(peer.bodies("/token").len(), 1);

    let running = guest.running.clone().unwrap();
    running.settle(&[0], &Outcome::Delivered(Reason::new("ok", "")));
    running.hand_on();
    let record = format!("{:?}", world.settled.lock().unwrap().remove(0).transcript.exchanges);
    let seen = format!("{record} {echo} {other} {}", guest.presentable(&format!("{SECRET} {SESSION} {IDENTITY}")));
    let date = headers["x-amz-date"].to_str().unwrap();
    let days = day_keys(SECRET, date).into_iter().chain(day_keys(IDENTITY, date));
    for hidden in [SECRET, SESSION, IDENTITY, "SecretAccessKey"].map(str::to_owned).into_iter().chain(days) {
        assert!(!seen.contains(&hidden), "{hidden}: {seen}");
    }
}

#[tokio::test]
async fn keys_are_kept_until_shortly_before_they_expire() {
    for (expiration, kept) in [("2099-01-01T00:00:00Z", true), ("4102444800", true), ("2001-01-01T00:00:00Z", false)] {
        let peer = Peer::start(200, sts_answer(expiration)).await;
        let mut world = world(&peer).await;
        let mut guest = world.guest(Purpose::Deliver);
        assume(&mut guest, &peer.url).await.map_err(|why| why.message).unwrap();
        let later = Ahead(world.around.clock.clone(), 10_000);
        world.around.clock = Arc::new(later);
        let mut guest = world.guest(Purpose::Deliver);
        assert_eq!(guest.kept("role".to_owned()).unwrap().is_some(), kept, "{expiration}");
    }
}

/// Another clock, so many milliseconds ahead.
struct Ahead(Arc<dyn Clock>, u64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().plus_ms(i64::try_from(self.1).unwrap())
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.monotonic_ms() + self.1
    }
}

#[tokio::test]
async fn errors_of_sts_say_whether_to_wait_for_a_person() {
    let error = |code: &str| {
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}\
             </Code><Message>It says why &amp; {IDENTITY}.</Message></Error></ErrorResponse>"
        )
    };
    let (refused, throttled, unavailable, none) =
        ("exchange-refused", "exchange-throttled", "exchange-unavailable", "exchange-no-token");
    let without = sts_answer("2099-01-01T00:00:00Z").replace("SessionToken", "Other");
    let blank = sts_answer("2099-01-01T00:00:00Z").replace(SECRET, "with a blank in it");
    let json = json!({"Error": {"Code": "AccessDenied", "Message": "no"}}).to_string();
    let bomb = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", sts_answer("2099-01-01T00:00:00Z"));
    let cases = [
        (403, error("AccessDenied"), refused, "403: AccessDenied: It says why & ••••."),
        (403, error("SignatureDoesNotMatch"), refused, "SignatureDoesNotMatch: "),
        (403, json, refused, "403: AccessDenied: no"),
        (400, error("ThrottlingException"), throttled, "ThrottlingException"),
        (429, error("Slow"), throttled, "429: Slow"),
        (400, error("IDPCommunicationError"), unavailable, "IDPCommunicationError"),
        (503, "<html>".to_owned(), unavailable, "it gave no reason"),
        (200, without, none, "/AssumeRoleResponse/AssumeRoleResult/Credentials/SessionToken"),
        (200, blank, none, "holds a blank"),
        (200, bomb, none, "has no text at"),
        (200, "<r>".to_owned(), none, "has no text at"),
    ];
    for (status, answer, code, words) in cases {
        let peer = Peer::start(status, answer.clone()).await;
        let world = world(&peer).await;
        let mut guest = world.guest(Purpose::Deliver);
        let why = assume(&mut guest, &peer.url).await.map(drop).unwrap_err();
        assert_eq!(why.code, code, "{status} {answer}: {}", why.message);
        let kind = if [refused, none].contains(&code) { Kind::Credential } else { Kind::Other };
        assert_eq!(why.kind, kind, "{answer}");
        assert!(why.message.contains(words) && !why.message.contains(IDENTITY), "{}", why.message);
    }
}

#[tokio::test]
async fn json_of_a_token_service_is_taken_too() {
    let answer = json!({"Credentials": {"AccessKeyId": "ASIAJSONJSONJSON1", "SecretAccessKey": SECRET, "Expiration": 4_102_444_800_u64}});
    let peer = Peer::start(200, answer.to_string()).await;
    let world = world(&peer).await;
    let mut guest = world.guest(Purpose::Deliver);
    let identity = get(&mut guest, "assume_role");
    let request = HostRequest::new(&mut guest, "POST".to_owned(), format!("{}/token", peer.url)).unwrap();
    let (sts, region) = ("sts".to_owned(), "us-east-1".to_owned());
    HostRequest::sign_aws(&mut guest, again(&request), identity, sts, region).unwrap().unwrap();
    let take =
        [("access-key-id", "AccessKeyId"), ("secret-access-key", "SecretAccessKey"), ("expiration", "Expiration")]
            .map(|(attribute, member)| (attribute.to_owned(), format!("/Credentials/{member}")));
    let made = guest.exchange("role".to_owned(), request, "aws".to_owned(), take.to_vec()).await.unwrap();
    let keys = made.map_err(|why| why.message).unwrap();
    assert_eq!(attribute(&mut guest, &keys, "access-key-id").as_deref(), Some("ASIAJSONJSONJSON1"));
    put(&mut guest, &peer.url, &keys).await.map_err(|why| why.message).unwrap();
    let (_, headers, _) = peer.got.lock().unwrap().last().cloned().unwrap();
    assert!(!headers.contains_key("x-amz-security-token"));
}

#[tokio::test]
async fn a_preview_signs_with_a_placeholder_and_sends_nothing() {
    let peer = Peer::start(200, sts_answer("2099-01-01T00:00:00Z")).await;
    let world = world(&peer).await;
    let mut guest = world.guest(Purpose::Preview);
    let keys = assume(&mut guest, &peer.url).await.map_err(|why| why.message).unwrap();
    let shown = put(&mut guest, &peer.url, &keys).await.unwrap_err();
    assert_eq!(shown.kind, Kind::Preview);
    assert!(peer.got.lock().unwrap().is_empty());
    let shown = format!("{:?}", guest.running.clone().unwrap().take_shown());
    assert!(shown.contains("x-amz-security-token") && !shown.contains(PLACEHOLDER), "{shown}");
}

/// What a call with keys of one use answers: the verb worked, or the code of its refusal.
fn judged<T>(done: Result<T, Failure>) -> String {
    done.map_or_else(|why| why.code, |_| "ok".to_owned())
}

#[tokio::test]
async fn each_use_has_its_verbs_and_no_others() {
    use CredentialUse::*;
    let uses = [Place, Url, SignRequest, Token, Challenge, Wire, TlsIdentity, Exchange];
    let name = |usage: &CredentialUse| format!("{usage:?}").to_lowercase();
    let fields = uses.iter().map(|usage| aws(&name(usage), *usage, &[])).collect();
    let values = uses.iter().map(|usage| value(&name(usage), *usage)).collect();
    let peer = Peer::start(200, "").await;
    let world = World::of(&peer.url, &peer.url, fields, values).await;
    let mut guest = world.guest(Purpose::Deliver);
    for usage in uses {
        let keys = get(&mut guest, &name(&usage));
        let url = format!("{}/x", peer.url);
        let request = HostRequest::new(&mut guest, "GET".to_owned(), url.clone()).unwrap();
        let (service, region) = (|| "s3".to_owned(), || "us-east-1".to_owned());
        let part = || vec![Part::Secret((again(&keys), Encoding::Raw))];
        let signed = guest.sign_aws(again(&request), again(&keys), service(), region()).unwrap();
        let presigned = guest.aws_presign(again(&keys), service(), region(), url, 60).unwrap();
        let placed = guest.query(again(&request), "q".to_owned(), part()).unwrap();
        let body = HostRequest::body(&mut guest, again(&request), part()).unwrap();
        let composed = guest.compose(part(), Encoding::Raw).unwrap();
        let targeted = guest.to_secret("GET".to_owned(), again(&keys)).unwrap();
        let length = HostCredential::length(&mut guest, again(&keys), Encoding::Raw).unwrap();
        let verdicts = [
            ("sign-aws", judged(signed), usage == SignRequest),
            ("aws-presign", judged(presigned), usage == Token),
            ("query", judged(placed), matches!(usage, Place | Exchange)),
            ("body", judged(body), matches!(usage, Place | Exchange)),
            ("compose", judged(composed), matches!(usage, Place | Exchange | Wire)),
            ("length", judged(length), usage == Wire),
        ];
        for (verb, verdict, may) in verdicts {
            assert_eq!(verdict, if may { "ok" } else { "credential-use" }, "{verb} with keys of use {usage:?}");
        }
        // Keys are no URL, whatever their use says.
        let targeted = judged(targeted);
        assert_eq!(targeted, if usage == Url { "use-not-allowed" } else { "credential-use" }, "{usage:?}");
    }
    assert!(peer.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_presigned_url_is_a_secret_that_goes_to_its_own_origin() {
    let peer = Peer::start(200, "").await;
    let fields = vec![aws("keys", CredentialUse::Token, &["api", "login"])];
    let world = World::of("http://127.0.0.1:9", &peer.url, fields, vec![value("keys", CredentialUse::Token)]).await;
    let mut guest = world.guest(Purpose::Deliver);
    let keys = get(&mut guest, "keys");
    let presign = |guest: &mut Guest, url: &str, ttl_s| {
        guest.aws_presign(again(&keys), "s3".to_owned(), "us-east-1".to_owned(), url.to_owned(), ttl_s).unwrap()
    };
    let url = format!("{}/bucket/key?versionId=1", peer.url);
    for (url, ttl_s, code) in [
        ("https://elsewhere.test/x", 60, "origin-not-allowed"),
        (url.as_str(), 0, "ttl-invalid"),
        (url.as_str(), 43_201, "ttl-invalid"),
        ("nonsense", 60, "url-invalid"),
    ] {
        assert_eq!(presign(&mut guest, url, ttl_s).map(drop).unwrap_err().code, code, "{url} {ttl_s}");
    }
    let made = presign(&mut guest, &url, 60).map_err(|why| why.message).unwrap();
    assert_eq!(attribute(&mut guest, &made, "origin"), Some(peer.url.clone()));
    let part = vec![Part::Secret((again(&made), Encoding::Raw))];
    assert_eq!(judged(guest.compose(part, Encoding::Raw).unwrap()), "credential-use");
    let request = guest.to_secret("GET".to_owned(), again(&made)).unwrap().map_err(|why| why.message).unwrap();
    HostRequest::carries(&mut guest, again(&request), vec![0]).unwrap();
    guest.send(request).await.unwrap().map(drop).map_err(|why| why.message).unwrap();
    let (uri, ..) = peer.got.lock().unwrap().last().cloned().unwrap();
    let query = uri.query().unwrap();
    assert!(query.starts_with("versionId=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&"), "{query}");
    let signature = query.rsplit_once("X-Amz-Signature=").unwrap().1;
    let running = guest.running.clone().unwrap();
    running.settle(&[0], &Outcome::Delivered(Reason::new("ok", "")));
    running.hand_on();
    let record = format!("{:?}", world.settled.lock().unwrap().remove(0).transcript.exchanges);
    assert!(!record.contains(signature) && !record.contains("bucket"), "{record}");
}

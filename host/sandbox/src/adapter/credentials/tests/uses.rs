//! Every use and kind of a field against every verb: exactly what a manifest allows is done.

use super::*;
use crate::bindings::railhead::plugin::credentials::Part;
use crate::bindings::railhead::plugin::http::HostRequest;

const RSA: &str = include_str!("../../../secret/key/rfc7515-rsa.pkcs8.pem");
const AWS: &str =
    r#"{"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}"#;
const BYTES: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

const USES: [CredentialUse; 7] = [
    CredentialUse::Place,
    CredentialUse::Url,
    CredentialUse::SignRequest,
    CredentialUse::Token,
    CredentialUse::Challenge,
    CredentialUse::Wire,
    CredentialUse::Exchange,
];

const KINDS: [(CredentialKind, &str); 7] = [
    (CredentialKind::Text, PASSWORD),
    (CredentialKind::Bytes, BYTES),
    (CredentialKind::PrivateKey, SEED),
    (CredentialKind::PrivateKey, RSA),
    (CredentialKind::Aws, AWS),
    (CredentialKind::Url, "https://api.test/secret-path"),
    (CredentialKind::AzureKey, BYTES),
];

/// A verb, the uses that it takes, and which of [`KINDS`] it can do it with.
type Verb = (&'static str, &'static [CredentialUse], &'static [usize]);

const PLACED: &[CredentialUse] = &[CredentialUse::Place, CredentialUse::Exchange];
const SIGNS: &[CredentialUse] = &[CredentialUse::SignRequest];
const TOKEN: &[CredentialUse] = &[CredentialUse::Token];
const CHALLENGE: &[CredentialUse] = &[CredentialUse::Challenge];
const ALL: &[usize] = &[0, 1, 2, 3, 4, 5, 6];

const VERBS: [Verb; 17] = [
    ("length", &[CredentialUse::Wire], ALL),
    ("compose", &[CredentialUse::Place, CredentialUse::Exchange, CredentialUse::Wire], ALL),
    ("header", PLACED, ALL),
    ("query", PLACED, ALL),
    ("body", PLACED, ALL),
    ("to-secret", &[CredentialUse::Url], &[5]),
    ("sign-header hmac-sha256", SIGNS, &[0, 1]),
    ("sign-header ed25519", SIGNS, &[2]),
    ("sign-aws", SIGNS, &[4]),
    ("sign-azure", SIGNS, &[6]),
    ("jwt ed25519", TOKEN, &[2]),
    ("jwt rs256", TOKEN, &[3]),
    ("azure-sas", TOKEN, &[0, 1]),
    ("aws-presign", TOKEN, &[4]),
    ("sign-challenge", CHALLENGE, &[2]),
    ("answer", CHALLENGE, &[0, 1]),
    ("scram", CHALLENGE, &[0, 1]),
];

#[tokio::test]
async fn each_use_allows_its_verbs_and_no_other() {
    let names: Vec<&'static str> = (0..USES.len() * KINDS.len()).map(|n| &*format!("f{n}").leak()).collect();
    let cells = USES.iter().flat_map(|usage| KINDS.iter().enumerate().map(move |(at, kind)| (*usage, at, kind)));
    let cells: Vec<_> = cells.zip(&names).collect();
    let fields: Vec<Field> =
        cells.iter().map(|((usage, _, (kind, value)), name)| (**name, *kind, *usage, *value)).collect();
    let mut guest = guest(&fields).await;
    let mut wrong = Vec::new();
    let mut allowed = 0;
    for ((usage, at, (kind, _)), name) in &cells {
        for (verb, uses, kinds) in VERBS {
            let done = call(&mut guest, verb, name).await;
            let as_expected = match &done {
                Ok(()) => uses.contains(usage) && kinds.contains(at),
                Err((Kind::Denied, code)) if code == "credential-use" => !uses.contains(usage),
                Err(_) => uses.contains(usage) && !kinds.contains(at),
            };
            allowed += usize::from(done.is_ok());
            if !as_expected {
                wrong.push(format!("{verb} with {kind:?} ({at}) of use {usage:?}: {done:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let cells: usize = VERBS.iter().map(|(_, uses, kinds)| uses.len() * kinds.len()).sum();
    assert_eq!(allowed, cells, "and each of these was done");
}

/// Calls a verb with a field as its credential, and with whatever else it takes as it should be.
async fn call(guest: &mut Guest, verb: &str, field: &str) -> Result<(), (Kind, String)> {
    let told = |failure: Failure| (failure.kind, failure.code);
    let text = str::to_owned;
    let key = handle(guest, field);
    let request = HostRequest::new(guest, text("POST"), text("https://api.test/")).unwrap();
    let to = Resource::new_borrow(request.rep());
    let part = |key: Handle| vec![Part::Secret((key, Encoding::Raw))];
    let sign_header = |guest: &mut Guest, key: Handle, algorithm: &str| {
        let (name, to) = (text("x-signature"), Resource::new_borrow(request.rep()));
        guest.sign_header(to, name, vec![], text(""), text(""), vec![], vec![key], text(algorithm), Encoding::Hex)
    };
    match verb {
        "length" => guest.length(key, Encoding::Hex).unwrap().map(drop),
        "compose" => guest.compose(part(key), Encoding::Base64).unwrap().map(drop),
        "header" => HostRequest::header(guest, to, text("x-a"), part(key)).unwrap(),
        "query" => HostRequest::query(guest, to, text("a"), part(key)).unwrap(),
        "body" => HostRequest::body(guest, to, part(key)).unwrap(),
        "to-secret" => HostRequest::to_secret(guest, text("GET"), key).unwrap().map(drop),
        "sign-header hmac-sha256" => sign_header(guest, key, "hmac-sha256").unwrap(),
        "sign-header ed25519" => sign_header(guest, key, "ed25519").unwrap(),
        "sign-aws" => guest.sign_aws(to, key, text("s3"), text("eu-central-1")).unwrap(),
        "sign-azure" => guest.sign_azure(to, key, text("myaccount")).unwrap(),
        "jwt ed25519" => guest.jwt(key, text("ed25519"), text("{}"), text("{}")).unwrap().map(drop),
        "jwt rs256" => guest.jwt(key, text("rs256"), text("{}"), text("{}")).unwrap().map(drop),
        "azure-sas" => guest.azure_sas(key, text("https://api.test/q"), text("root"), 60).unwrap().map(drop),
        "aws-presign" => {
            let (service, region, url) = (text("s3"), text("eu-central-1"), text("https://api.test/a"));
            guest.aws_presign(key, service, region, url, 60).unwrap().map(drop)
        }
        "sign-challenge" => guest.sign_challenge(key, text("ed25519"), b"kbYPSOJRRV3lWXU".to_vec()).unwrap().map(drop),
        "answer" => guest.answer(key, text("postgres-md5"), text("alice"), vec![1; 4]).unwrap().map(drop),
        "scram" => {
            let login = HostScram::new(guest, key, text("sha-256"), text(""), None).unwrap();
            let first = guest.first(again(&login)).unwrap();
            let made = guest.final_(login, server_first()).await.unwrap();
            assert_eq!(first.is_empty(), made.is_err());
            made.map(drop)
        }
        other => panic!("no verb {other}"),
    }
    .map_err(told)
}

//! What can be made of a secret that would do in its place.

use super::canary::{AWS_SECRET, TEXT};
use aws_lc_rs::{digest, hmac, pbkdf2};
use md5::{Digest as _, Md5};
use std::num::NonZeroU32;

/// Where keys of AWS sign, and who logs in how: as the guest `credentials-verbs` does it.
const REGION: &str = "eu-west-1";
const SERVICES: [&str; 3] = ["sqs", "s3", "sts"];
pub const USER: &str = "user";
pub const SALT: &[u8] = b"saltsaltsalt";
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// Whoever has one of these needs the secret no more: what passwords become on the way to an answer, and the keys of AWS for
/// a day (in seconds since 1970) and a service.
pub fn made(days: &[i64]) -> Vec<(&'static str, Vec<u8>)> {
    let password = TEXT.as_bytes();
    let mut all = vec![
        ("mysql sha1", digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password).as_ref().to_vec()),
        ("mysql sha256", digest::digest(&digest::SHA256, password).as_ref().to_vec()),
        ("postgres md5", hex::encode(Md5::digest([password, USER.as_bytes()].concat())).into_bytes()),
    ];
    all.extend(scram(password, SALT, ITERATIONS));
    let places = days.iter().flat_map(|day| SERVICES.map(|service| (date(*day), service)));
    all.extend(places.flat_map(|(day, service)| aws(AWS_SECRET, [&day, REGION, service])));
    all
}

/// RFC 5802, section 3, with SHA-256.
pub fn scram(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> [(&'static str, Vec<u8>); 3] {
    let mut salted = vec![0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password, &mut salted);
    let client = signed(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client).as_ref().to_vec();
    [("scram salted password", salted), ("scram client key", client), ("scram stored key", stored)]
}

/// Signature Version 4: the key of a day, then of its region, its service, and the one that signs.
pub fn aws(secret: &str, scope: [&str; 3]) -> [(&'static str, Vec<u8>); 4] {
    let [day, region, service] = scope;
    let of_day = signed(format!("AWS4{secret}").as_bytes(), day.as_bytes());
    let of_region = signed(&of_day, region.as_bytes());
    let of_service = signed(&of_region, service.as_bytes());
    let signing = signed(&of_service, b"aws4_request");
    [
        ("aws day key", of_day),
        ("aws region key", of_region),
        ("aws service key", of_service),
        ("aws signing key", signing),
    ]
}

/// HMAC-SHA256.
pub fn signed(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// `20261124`.
fn date(seconds: i64) -> String {
    railhead_model::Timestamp(seconds * 1_000).to_string().chars().filter(char::is_ascii_digit).take(8).collect()
}
